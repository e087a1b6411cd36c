#!/usr/bin/env python3
"""Peak memory of backup, verify and restore over 1 GB of keys and over one value of 600 MB: under
256 MiB each. Needs some 5 GB of memory and 3 GB below $TMPDIR; prints what it measured.

  memory_test.py [--megabytes N] [unittest arguments]     size of the many keys; 1000 unless told
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402

SERVER = 'redis70'
MEGABYTES = 1000
VALUE_BYTES = 400
LIMIT_BYTES = 256 << 20
PLAIN = ('--repl-diskless-sync', 'yes', '--rdbcompression', 'no',
         '--client-output-buffer-limit', 'replica 0 0 0')
LARGE = 600 << 20


def measured(command):
    """Runs it: (Run, peak resident bytes, seconds).

    VmHWM is asked while it runs, since ru_maxrss would include what this process had when it
    forked. It only ever grows, so that the last answer is the peak but for the last moment.
    """
    began = time.monotonic()
    with subprocess.Popen(command, env=cli.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        out = []
        readers = [threading.Thread(target=lambda f=f: out.append((f, f.read())))
                   for f in (child.stdout, child.stderr)]
        for reader in readers:
            reader.start()
        peak = 0
        status = pathlib.Path(f'/proc/{child.pid}/status')
        while child.poll() is None:
            for line in status.read_text().splitlines():
                if line.startswith('VmHWM:'):
                    peak = int(line.split()[1]) << 10
            time.sleep(0.01)
        for reader in readers:
            reader.join()
        texts = {f: data.decode(errors='replace') for f, data in out}
        run = cli.Run(tuple(command[1:]), child.returncode, texts[child.stdout],
                      texts[child.stderr])
    return run, peak, time.monotonic() - began


def fill(client, keys):
    """Keys with values that do not compress, as fast as the server takes them."""
    noise = random.Random(1).randbytes(8 << 20)
    client.call('CONFIG', 'SET', 'proto-max-bulk-len', '1gb')
    client.sock.sendall(b'*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n')
    for first in range(0, keys, 10_000):
        parts = []
        for i in range(first, min(keys, first + 10_000)):
            at = i * 7919 % (len(noise) - VALUE_BYTES)
            parts.append(b'*3\r\n$3\r\nSET\r\n$11\r\nkey%08d\r\n$%d\r\n%s\r\n'
                         % (i, VALUE_BYTES, noise[at:at + VALUE_BYTES]))
        client.sock.sendall(b''.join(parts))
    client.sock.sendall(b'*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n')
    if client.read() != 'OK' or client.call('DBSIZE') != keys:
        raise AssertionError('the server was not filled')


class Memory(cli.Case):
    def setUp(self):
        lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines
                         if line.startswith('MemAvailable'))
        self.assertGreater(available, 5 << 30, 'this machine has too little memory for the test')
        self.over = []

    def measure(self, what, repository, *args):
        run, peak, seconds = measured(repository.command(*args))
        print(f'memory_test: {what}: peak {peak / (1 << 20):.0f} MiB, {seconds:.1f} s', flush=True)
        self.assertEqual(run.code, cli.DONE, run)
        self.assertGreater(peak, 1 << 20)
        if peak >= LIMIT_BYTES:
            self.over.append(f'{what}: {peak / (1 << 20):.0f} MiB')
        return run.json

    def there_and_back(self, what, source, target_args, keys):
        repository = self.repository()
        backup = self.measure(f'backup of {what}', repository, 'backup', source.uri())
        self.assertEqual(backup['keys'], keys)
        digest = source.digest() if keys < 10 else None  # takes longer than all else
        [verified] = self.measure(f'verify of {what}', repository, 'verify', '--all')
        self.assertEqual(verified['keys'], keys)
        source.stop()
        target = self.server(SERVER, target_args)
        result = self.measure(f'restore of {what}', repository, 'restore', 'LATEST', target.uri())
        self.assert_balanced(result)
        self.assertEqual(result['written'], keys)
        self.assertEqual(self.client(target).call('DBSIZE'), keys)
        if digest:
            self.assertEqual(target.digest(), digest)
        target.stop()
        self.assertEqual(self.over, [], f'over {LIMIT_BYTES >> 20} MiB')
        return repository

    def test_many_keys(self):
        keys = MEGABYTES * 1_000_000 // VALUE_BYTES
        source = self.server(SERVER, PLAIN)
        with source.client(timeout=300) as client:
            fill(client, keys)
        self.there_and_back(f'{MEGABYTES} MB in {keys} keys', source, (), keys)

    def test_one_large_value(self):
        source = self.server(SERVER, PLAIN + ('--proto-max-bulk-len', '1gb'))
        with source.client(timeout=300) as client:
            part = os.urandom(8 << 20)
            client.call('SET', 'small', 1)
            for _ in range(LARGE // len(part)):
                client.call('APPEND', 'large', part)
            self.assertEqual(client.call('STRLEN', 'large'), LARGE)
            client.call('RPUSH', 'after', 1)
        repository = self.there_and_back('one value of 600 MiB', source,
                                         ('--proto-max-bulk-len', '1gb'), 3)
        # A target with its default limit is told of, and gets the rest.
        target = self.server(SERVER)
        run = repository.restore('LATEST', target.uri())
        result = self.assert_done(run, cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertEqual((result['written'], result['failed']), (2, 1))
        self.assertEqual(result['failures'][0]['key'], 'large')
        self.assertIn('proto-max-bulk-len', result['failures'][0]['message'])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--megabytes', type=int, default=MEGABYTES)
    options, rest = parser.parse_known_args()
    MEGABYTES = options.megabytes
    sys.argv[1:] = rest
    cli.main(SERVER)
