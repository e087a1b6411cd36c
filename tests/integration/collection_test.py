#!/usr/bin/env python3
"""Two writers, retention and a collector at once on one repository, any of them killed at any moment:
whatever is listed restores equal to what was backed up.

  collection_test.py [--seconds N] [--seed S] [unittest arguments]     20 seconds unless told
"""

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402

SERVER = 'redis70'
SECONDS = 20
SEED = None
VERSIONS = 6  # of the dataset, of which each backup takes one


class Collection(cli.Case):
    def setUp(self):
        super().setUp()
        seed = SEED if SEED is not None else random.randrange(1 << 32)
        print(f'seed {seed}', file=sys.stderr)
        self.random = random.Random(seed)
        self.repo = self.repository()
        self.counts = {}
        self.lock = threading.Lock()

    def make_versions(self):
        """RDB files of one dataset as it changes, and their digests."""
        server = self.server(SERVER)
        client = self.client(server)
        r = random.Random(1)
        client.pipeline(('SET', f'k{i:05}', r.randbytes(200)) for i in range(5000))
        for version in range(VERSIONS):
            client.pipeline(('SET', f'k{r.randrange(5000):05}', r.randbytes(200))
                            for _ in range(100))
            path = self.repo.path.parent / f'{version}.rdb'
            server.save(path)
            digest = self.assert_done(cli.sluice('digest', path, '--json'))['digest']
            yield path, digest

    def loop(self, name, deadline, command, allowed):
        """Runs a verb over and over; kills every third or so at some moment of it."""
        r = random.Random(f'{name} {self.random.random()}')
        while time.monotonic() < deadline:
            child = subprocess.Popen(command(r), env=cli.environment(), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            kill = r.random() < 0.35
            if kill:
                time.sleep(r.random() * 0.25)
                child.send_signal(signal.SIGKILL)
            out, err = child.communicate(timeout=60)
            with self.lock:
                key = name, 'killed' if child.returncode == -signal.SIGKILL else child.returncode
                self.counts[key] = self.counts.get(key, 0) + 1
            if child.returncode not in (*allowed, -signal.SIGKILL):
                with self.lock:
                    self.problems.append(f'{name}: exit {child.returncode}: {out[-500:]} {err[-500:]}')

    def test_E2_everything_that_is_listed_restores_equal(self):
        versions = list(self.make_versions())
        for path, _ in versions[:2]:
            self.assert_done(self.repo.backup(path, '--name', 'w0'))
        self.problems = []
        deadline = time.monotonic() + SECONDS

        def writer(name):
            return lambda r: self.repo.command('backup', r.choice(versions)[0], '--name', name)

        def pruner(r):
            return self.repo.command('prune', '--keep-last', r.randrange(1, 5), '--trash',
                                     r.choice(('0d', '1s', '7d')), '--confirm')

        def collector(r):
            return self.repo.command('prune', '--collect-only', '--trash', r.choice(('0d', '1s')),
                                     '--confirm')

        # A writer may be refused as the other's LOCK is held; packs may have to stay (3).
        jobs = [('writer 0', writer('w0'), (cli.DONE,)), ('writer 1', writer('w1'), (cli.DONE,)),
                ('prune', pruner, (cli.DONE, cli.INCOMPLETE)),
                ('collect', collector, (cli.DONE, cli.INCOMPLETE))]
        threads = [threading.Thread(target=self.loop, args=(name, deadline, command, allowed))
                   for name, command, allowed in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print({f'{name} {how}': n for (name, how), n in sorted(self.counts.items(), key=str)},
              file=sys.stderr)
        self.assertEqual(self.problems, [])
        self.check(dict(versions))

    def check(self, digests):
        listed = self.repo.list()
        self.assertGreaterEqual(len(listed), 2)
        self.assert_done(self.repo.run('verify', '--all'))
        target = self.server(SERVER)
        for backup in listed:
            self.assertIsNone(backup['damage'])
            path = pathlib.Path(backup['source']['uri'].removeprefix('file:'))
            self.assertEqual(backup['digest'], digests[path], backup['id'])
            done = self.assert_done(self.repo.restore(backup['id'], target.uri(), '--flush',
                                                      '--yes', '--verify'))
            self.assertTrue(done['verified'], backup['id'])
        # Nothing is left behind once all is removed but for one.
        self.assert_done(self.repo.run('prune', '--keep-last', 1, '--trash', '0d', '--confirm'))
        self.assert_done(self.repo.run('trash', 'empty', '--older-than', '0d', '--confirm'))
        self.assert_done(self.repo.run('verify', '--all'))
        doctor = self.repo.run('doctor', self.repo.path, '--no-bench')
        strays = [finding for finding in doctor.json['findings'] if 'stray' in str(finding)]
        self.assertEqual(strays, [])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--seconds', type=float, default=SECONDS)
    parser.add_argument('--seed', type=int)
    options, rest = parser.parse_known_args()
    SECONDS, SEED = options.seconds, options.seed
    sys.argv[1:] = rest
    cli.main(SERVER)
