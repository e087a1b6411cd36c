#!/usr/bin/env python3
"""kill -9, SIGTERM and SIGINT at any moment of a backup: what was listed stays whole, what was not
finished is never listed, and the next run clears it away. Rows A1, A8, A9, A11 and A12 of
docs/reliability.md.

  kill_test.py [--rounds N] [--seed S] [unittest arguments]     50 rounds unless told

The seed is printed; the moments also depend on how fast the machine is.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fake  # noqa: E402

SERVER = 'redis70'
ROUNDS = 50
SEED = None
DATA_BYTES = 12 << 20
VERIFY_EVERY = 10
# The source forks at once; without disk it waits for a timer of a second.
DISK = ('--repl-diskless-sync', 'no', '--rdbcompression', 'no')


def fill(client, keys, size, seed=1):
    r = random.Random(seed)
    client.pipeline(('SET', f'k{i:06}', r.randbytes(size)) for i in range(keys))


class Kill(cli.Case):
    def start(self, repository, source, *options):
        return subprocess.Popen(repository.command('backup', source.uri(), '--name', 'killed',
                                                   *options),
                                env=cli.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, child, how):
        if child.poll() is None:
            child.send_signal(how)
        out, err = child.communicate(timeout=30)
        return cli.Run(('backup',), child.returncode, out.decode(), err.decode())

    @staticmethod
    def wait_for(condition, child, pause=0.01, seconds=60):
        """False when the child ended before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            if child.poll() is not None:
                return False
            time.sleep(pause)
        raise AssertionError('waited in vain')

    @staticmethod
    def files(repository, pattern):
        try:
            return set(repository.path.glob(pattern))
        except FileNotFoundError:  # a directory went while it was read
            return set()

    def test_A1_kill_9(self):
        """Mutation: leftovers of a dead writer that are not cleared; a HEAD that says committed
        before the manifest is on the disk."""
        seed = SEED if SEED is not None else random.randrange(1 << 32)
        print(f'kill_test: seed {seed}, {ROUNDS} rounds', flush=True)
        r = random.Random(seed)
        source = self.server(SERVER, DISK)
        fill(self.client(source), 4096, DATA_BYTES // 4096)
        repository = self.repository()
        times = []
        for _ in range(2):
            began = time.monotonic()
            self.assert_done(repository.backup(source.uri(), '--name', 'killed'))
            times.append(time.monotonic() - began)
        known = set(repository.ids())
        self.assertEqual(len(known), 2)

        whole = min(times)
        ended = {'killed': 0, 'done': 0, 'done though killed': 0, 'left something': 0}
        for n in range(ROUNDS):
            manifests = self.files(repository, 'instances/*/*/manifest*')
            child = self.start(repository, source)
            if n % 3 == 2:  # around the commit
                self.wait_for(
                    lambda: self.files(repository, 'instances/*/*/manifest*') - manifests, child,
                    pause=0)
                time.sleep(r.choice((0, 0, r.uniform(0, 0.01))))
            else:
                time.sleep(r.uniform(0, whole))
            run = self.end(child, signal.SIGKILL)
            self.assertIn(run.code, (-signal.SIGKILL, cli.DONE), f'round {n}: {run}')
            listed = repository.list()
            ids = {backup['id'] for backup in listed}
            self.assertLessEqual(known, ids, f'round {n}: a backup is gone')
            self.assertLessEqual(len(ids - known), 1, f'round {n}')
            for backup in listed:
                self.assertIsNone(backup['damage'], f'round {n}')
                self.assertEqual(backup['keys'], 4096, f'round {n}')
            if run.code == cli.DONE:
                self.assertIn(run.json['id'], ids, f'round {n}')
                ended['done'] += 1
            else:
                ended['done though killed' if ids - known else 'killed'] += 1
            ended['left something'] += bool(repository.strays()) if n % 5 == 0 else 0
            known = ids
            if n % VERIFY_EVERY == VERIFY_EVERY - 1:
                verified = self.assert_done(repository.run('verify', '--all'))
                self.assertEqual({v['id'] for v in verified}, known)
        print(f'kill_test: one backup took {min(times):.2f} to {max(times):.2f} s; {ended}',
              flush=True)
        self.assertGreater(ended['killed'], ROUNDS // 4)

        backup = self.assert_done(repository.backup(source.uri(), '--name', 'killed'))
        self.assertEqual(repository.strays(), [])
        self.assertEqual(set(repository.ids()), known | {backup['id']})
        self.assert_done(repository.run('verify', '--all'))

    def stalled(self, repository):
        """A backup that has received 144 MiB and waits for more; in stream layout, which stores what
        comes. The first pack of 64 MiB got its name at the latest when the second was full."""
        source = fake.Fake(fake.then_stall(fake.rdb_head(), 144 << 20))
        self.addCleanup(source.__exit__)
        child = self.start(repository, source, '--layout', 'stream')
        self.addCleanup(child.__exit__, None, None, None)
        self.addCleanup(child.kill)
        self.assertTrue(self.wait_for(lambda: source.snapshot.sent.is_set() and
                                      self.files(repository, 'packs/*/*'), child))
        return child, source

    def test_the_next_run_tells_what_it_cleared(self):
        other = self.server(SERVER, DISK)
        self.client(other).call('SET', 'k', 'v')
        repository = self.repository()
        self.end(self.stalled(repository)[0], signal.SIGKILL)
        self.assertEqual(repository.list(), [])
        self.assertNotEqual(repository.strays(), [])
        # Another instance's run clears it as well.
        run = repository.backup(other.uri(), '--name', 'other')
        self.assert_done(run)
        self.assertRegex(run.err, r'^sluice: cleared what 1 interrupted backup\(s\) had left: '
                         r'[1-9]\d* pack\(s\), [1-9]\d* bytes\n$')
        self.assertEqual(repository.strays(), [])
        run = repository.backup(other.uri(), '--name', 'other')
        self.assertEqual((run.code, run.err), (cli.DONE, ''))

    def test_one_writer_an_instance(self):
        """A second backup of the same instance is refused and does the first no harm."""
        other = self.server(SERVER, DISK)
        self.client(other).call('SET', 'k', 'v')
        repository = self.repository()
        child, _ = self.stalled(repository)
        self.assert_refused(repository.backup(other.uri(), '--name', 'killed'), 'busy',
                            str(child.pid))
        beside = self.assert_done(repository.backup(other.uri(), '--name', 'beside'))
        self.assertEqual(repository.ids(), [beside['id']])
        self.assert_refused(self.end(child, signal.SIGTERM), 'cancelled', exit_code=cli.TERMINATED)
        self.assertEqual(repository.ids(), [beside['id']])
        self.assertEqual(repository.strays(), [])
        self.assert_done(repository.backup(other.uri(), '--name', 'killed'))
        self.assert_done(repository.run('verify', '--all'))

    def stopped(self, how, code):
        repository = self.repository()
        silent = fake.Fake(replies={'INFO': None})
        self.addCleanup(silent.__exit__)
        saving = fake.Fake(lambda send, closing: closing.wait())
        self.addCleanup(saving.__exit__)
        for moment in ('connecting', 'the source saves', 'receiving'):
            if moment == 'receiving':
                child, _ = self.stalled(repository)
            else:
                child = self.start(repository, silent if moment == 'connecting' else saving)
                time.sleep(0.7)
            began = time.monotonic()
            run = self.end(child, how)
            self.assertLess(time.monotonic() - began, 5, moment)
            self.assert_refused(run, 'cancelled', 'stopped', exit_code=code)
            self.assertEqual(repository.list(), [], moment)
            self.assertEqual(repository.strays(), [], moment)

    def test_A11_killed_with_writes_in_flight_and_run_again_at_once(self):
        """The lock of a killed writer can be held a moment longer, while its I/O is in flight.
        Mutation: the second that a writer waits for the lock of one that is not there any more."""
        other = self.server(SERVER, DISK)
        self.client(other).call('SET', 'k', 'v')
        repository = self.repository()
        for _ in range(3):
            child, _ = self.stalled(repository)
            child.kill()  # not waited for
            run = repository.backup(other.uri(), '--name', 'killed')
            self.assert_done(run)
            self.end(child, signal.SIGKILL)
            self.assertEqual(repository.strays(), [])
            self.assert_done(repository.run('verify', '--all'))

    def test_A12_a_storm_of_signals(self):
        """One that asks to stop among many that do not: it ends as ever. Many that do: the second ends
        it at once, and the next run clears what is left.
        Mutation: a handler that locks, allocates or logs."""
        for how, code in ((signal.SIGTERM, cli.TERMINATED), (signal.SIGINT, cli.INTERRUPTED)):
            for storm in ((signal.SIGWINCH, signal.SIGCONT), (how,)):
                repository = self.repository()
                child, _ = self.stalled(repository)
                child.send_signal(how)
                began = time.monotonic()
                while child.poll() is None and time.monotonic() < began + 10:
                    for number in storm:
                        child.send_signal(number)
                self.assertLess(time.monotonic() - began, 5)
                run = self.end(child, how)
                self.assertEqual(repository.list(), [])
                if storm == (how,):
                    self.assertIn(run.code, (code, -how))
                else:
                    self.assert_refused(run, 'cancelled', 'stopped', exit_code=code)
                    self.assertEqual(repository.strays(), [])
                other = self.server(SERVER, DISK)
                self.assert_done(repository.backup(other.uri(), '--name', 'killed'))
                self.assertEqual(repository.strays(), [])

    def test_A9_out_of_memory(self):
        """In a group of 512 MiB a backup of 400 MB works. In one of 256 MiB, where the default budget
        leaves nothing for the program itself, it works or is killed by the kernel; in one of 8 MiB it
        is killed. What was not done is not listed, and the next run works.
        Mutation: those of A1."""
        source = self.server(SERVER, DISK)
        fill(self.client(source), 100_000, 4096)
        repository = self.repository()
        known = []
        for limit, codes in ((512 << 20, (cli.DONE,)), (256 << 20, (cli.DONE, -signal.SIGKILL)),
                             (8 << 20, (-signal.SIGKILL,))):
            run = self.in_group(limit, repository, source)
            self.assertIn(run.code, codes, f'{limit} bytes: {run}')
            known += [run.json['id']] if run.code == cli.DONE else []
            self.assertEqual(repository.ids(), known)
            print(f'kill_test: a group of {limit >> 20} MiB: exit {run.code}', flush=True)
        known.append(self.assert_done(repository.backup(source.uri(), '--name', 'killed'))['id'])
        self.assertEqual(repository.strays(), [])
        self.assertEqual(repository.ids(), known)
        self.assert_done(repository.run('verify', '--all'))

    def in_group(self, limit, repository, source):
        """Backs up as the only process of a memory group of so many bytes, without swap."""
        root = pathlib.Path('/sys/fs/cgroup')
        second = (root / 'cgroup.controllers').exists()
        group = (root if second else root / 'memory') / f'sluice-test-{os.getpid()}'
        try:
            group.mkdir()
        except OSError as refused:
            self.skipTest(f'no group of processes can be made: {refused}')
        self.addCleanup(lambda: group.exists() and group.rmdir())
        try:
            (group / ('memory.max' if second else 'memory.limit_in_bytes')).write_text(str(limit))
            for name in ('memory.swap.max', 'memory.swappiness'):
                if (group / name).exists():
                    (group / name).write_text('0')
        except OSError as refused:
            self.skipTest(f'no limit of memory can be set: {refused}')
        child = subprocess.Popen(
            ['sh', '-c', f'echo $$ > {group}/cgroup.procs && exec "$@"', 'sh',
             *repository.command('backup', source.uri(), '--name', 'killed')],
            env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = child.communicate(timeout=120)
        group.rmdir()
        return cli.Run(('backup',), child.returncode, out.decode(), err.decode())

    def test_A8_sigterm(self):
        """Mutation: the handler of SIGTERM; abandon() after it."""
        self.stopped(signal.SIGTERM, cli.TERMINATED)

    def test_A8_sigint(self):
        self.stopped(signal.SIGINT, cli.INTERRUPTED)

    def test_A8_sigterm_during_a_restore(self):
        """Stops soon; the ledger tells how far it got."""
        source, target = self.server(SERVER, DISK), self.server(SERVER)
        fill(self.client(source), 4096, 16 << 10)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        here = self.client(target)
        child = subprocess.Popen(repository.command('restore', 'LATEST', target.uri()),
                                 env=cli.environment(), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.assertTrue(self.wait_for(lambda: here.call('DBSIZE') > 0, child), 'it ended too early')
        began = time.monotonic()
        run = self.end(child, signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 5)
        if run.code == cli.DONE:
            self.skipTest('the restore was done before the signal came')
        self.assertEqual(run.code, cli.TERMINATED, run)
        self.assert_balanced(run.json)
        self.assertEqual(run.error, 'cancelled')
        self.assertEqual(run.err.count('\n'), 1, run)
        self.assertIn('--resume', run.err)
        self.assertLessEqual(run.json['written'], here.call('DBSIZE'))
        again = repository.restore('LATEST', target.uri(), '--on-conflict', 'replace')
        self.assert_balanced(self.assert_done(again))
        self.assertEqual(source.digest(), target.digest())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seed', type=int)
    options, rest = parser.parse_known_args()
    ROUNDS, SEED = options.rounds, options.seed
    sys.argv[1:] = rest
    cli.main(SERVER)
