// What the console's tests start: Redis servers, and the service under a clock that they set.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const program = path.resolve(
  process.env.SLUICE_BIN ?? path.join(root, 'build/release/bin/sluice'),
);
const clockLibrary = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export function temporaryFolder() {
  return mkdtempSync(path.join(os.tmpdir(), 'sluice-console-'));
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/// Asks until it is true; fails with `what` after `seconds`.
export async function until(what, ask, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

/// A process that is killed with this one's `stop`.
class Child {
  constructor(command, args, options = {}) {
    this.said = '';
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
    this.process.on('error', (error) => (this.said += error.message));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (data) => (this.said += data));
    }
  }

  async stop(signal = 'SIGTERM') {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill(signal);
    }
    await this.ended;
  }
}

export class RedisServer {
  /// `folder` may hold a dump.rdb that it starts from.
  static async start(folder) {
    mkdirSync(folder, { recursive: true });
    const server = new RedisServer();
    server.port = await freePort();
    const settings = {
      port: server.port,
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      loglevel: 'warning',
      'repl-diskless-sync-delay': 0,
      'enable-debug-command': 'local',
      appendonly: 'no',
    };
    server.child = new Child(
      'redis-server',
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    );
    await until(`redis-server on port ${server.port}: ${server.child.said}`, () => {
      try {
        return server.call('PING') === 'PONG';
      } catch {
        return false;
      }
    });
    return server;
  }

  get uri() {
    return `redis://127.0.0.1:${this.port}`;
  }

  call(...args) {
    return redis(this.port, args);
  }

  /// The same for equal data.
  digest() {
    return this.call('DEBUG', 'DIGEST');
  }

  stop() {
    return this.child.stop('SIGKILL');
  }
}

export function redis(port, args, password) {
  const options = ['-h', '127.0.0.1', '-p', String(port)];
  const env = { ...process.env, ...(password ? { REDISCLI_AUTH: password } : {}) };
  return execFileSync('redis-cli', [...options, ...args], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trimEnd();
}

/// `sluice serve` in a folder of its own, with one instance, one target for clones, and no user.
export class Service {
  static async start(folder, instanceUri) {
    const service = new Service();
    service.folder = folder;
    service.clockFile = path.join(folder, 'clock');
    service.ahead = 0;
    service.setClock(0);
    const port = await freePort();
    service.url = `http://127.0.0.1:${port}`;
    const config = path.join(folder, 'sluice.toml');
    writeFileSync(config, configuration(folder, port, instanceUri));
    // The library of the clock and the allocator of Redis do not go together.
    const unset = '#!/bin/sh\nunset LD_PRELOAD\nexec redis-server "$@"\n';
    writeFileSync(path.join(folder, 'own-clock'), unset, { mode: 0o755 });
    execFileSync(program, ['init', path.join(folder, 'repository')], { stdio: 'ignore' });
    if (!existsSync(clockLibrary)) {
      throw new Error(`${clockLibrary} is not there: run tools/bootstrap`);
    }
    service.config = config;
    await service.run();
    [service.setupUrl] = await until('the address for the set-up', () =>
      /http\S+#\/setup\?token=\S+/.exec(service.child.said),
    );
    return service;
  }

  /// Starts it, also once more after a stop: the port and the state stay.
  async run() {
    this.child = new Child(program, ['serve', '--config', this.config], {
      env: {
        ...process.env,
        LD_PRELOAD: clockLibrary,
        FAKETIME_TIMESTAMP_FILE: this.clockFile,
        DONT_FAKE_MONOTONIC: '1',
        FAKETIME_NO_CACHE: '1',
        TZ: 'UTC',
      },
    });
    await until('sluice serve answers', async () => {
      if (this.child.process.exitCode !== null) {
        throw new Error(`sluice serve ended: ${this.child.said}`);
      }
      return fetch(this.url).then(
        (answer) => answer.ok,
        () => false,
      );
    });
  }

  /// Its clock is so many seconds ahead of ours.
  setClock(seconds) {
    this.ahead = seconds;
    writeFileSync(this.clockFile, `+${seconds}\n`);
  }

  moveClock(seconds) {
    this.setClock(this.ahead + seconds);
  }

  now() {
    return new Date(Date.now() + this.ahead * 1000);
  }

  stop() {
    return this.child.stop();
  }
}

function configuration(folder, port, instanceUri) {
  return `[service]
state = "${folder}/state"
drill_target = "scratch"

[listen]
address = "127.0.0.1:${port}"

[repositories.main]
path = "${folder}/repository"

[instances.orders]
uri = "${instanceUri}"

[targets.scratch]
provide = "local:${folder}/clones"
program = "${path.join(folder, 'own-clock')}"
`;
}

export function remove(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
