#!/usr/bin/env python3
"""kill -9 of sluice, and of its target, at any moment of a restore in each mode: the result says so,
`doctor` names what is left, and running it again, or going on with it, finishes the job.

  restore_kill_test.py [--rounds N] [--seed S] [unittest arguments]

2 rounds of each mode and victim unless told. The seed is printed; the moments also depend on how fast
the machine is.
"""

import argparse
import collections
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import feed_test  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402

SERVERS = ('redis70', 'valkey91')
OTHER_EVERY = 5  # rounds, of which one is with the second server
ROUNDS = 2
SEED = None
# More than what stands between two notes of how far a restore is.
KEYS, KEY_BYTES, LONG_BYTES = 10_000, 10_000, 3 << 20
# Makes a restore take about a second: of commands, and of a load.
RATE, LOAD_DELAY_US = '90MB', 60
AOF = ('--appendonly', 'yes')


class Data:
    """What is restored: the backup of a server that is gone again, and what that one said of it."""

    def __init__(self, name, repository):
        self.repository = repository
        with servers.Server(name) as source:
            with source.client() as client:
                fill.fill(client, source.flavor, source.version, scale=0.1)
                r = random.Random(1)
                client.pipeline(('SET', f'kill:{i:06}', r.randbytes(KEY_BYTES)) for i in range(KEYS))
                client.call('SET', 'long', r.randbytes(LONG_BYTES))
                self.keys = sum(client.keyspace().values())
            run = repository.backup(source.uri(), '--name', name)
            if run.code != cli.DONE:
                raise AssertionError(run)
            self.id = run.json['id']
            self.digest = source.digest()


class RestoreKill(feed_test.Feeding):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(SEED)
        cls.repo = cli.Repository()
        cls.data = {name: Data(name, cls.repo) for name in SERVERS}

    @classmethod
    def tearDownClass(cls):
        cls.repo.__exit__()

    def target(self, name, args):
        """It comes back at its port."""
        port = servers.free_port()
        return self.server(name, args, port=lambda: port)

    def options(self, name, target, mode):
        return self.data[name].id, target.uri(), '--mode', mode

    def begin(self, name, target, mode):
        """A restore that takes its time."""
        if mode == 'feed':
            with target.client() as client:
                client.config('key-load-delay', LOAD_DELAY_US)
                client.config('loading-process-events-interval-bytes', 65536)
        slow = () if mode == 'feed' else ('--rate', RATE)
        return self.start(*self.repo.command('restore', *self.options(name, target, mode), *slow))

    def again(self, name, target, mode, *how):
        return self.repo.run('restore', *self.options(name, target, mode), *how)

    def whole_seconds(self, name, mode):
        with servers.Server(name) as target:
            began = time.monotonic()
            child = self.begin(name, target, mode)
            result = self.assert_done(self.end(child, 0))
            seconds = time.monotonic() - began
            self.assertIs(result['verified'], True, result)
            self.assertEqual(target.digest(), self.data[name].digest)
        return seconds

    def settle(self, target):
        with target.client() as client:
            client.config('key-load-delay', 0)
            self.wait(lambda: client.info('persistence')['loading'] == '0')

    def held(self, name, target):
        """What the target holds: whole, empty or part."""
        with target.client() as client:
            keys = sum(client.keyspace().values())
        if keys == 0:
            return 'empty'
        return 'whole' if target.digest() == self.data[name].digest else 'part'

    def doctor(self, target, *args):
        """(what it says of restores into the target, the run)."""
        run = self.repo.run('doctor', target.uri(), *args)
        return [f for f in run.json['findings'] if f['about'] in ('feed', 'restore')], run

    def is_attached(self, target):
        with target.client() as client:
            return client.info('replication')['role'] == 'slave'

    # After the kill.

    def check_doctor(self, name, target, mode, held, seen):
        """A target that holds a part, or waits for us, is not called healthy."""
        attached = self.is_attached(target)
        seen['attached'] += attached
        findings, run = self.doctor(target)
        named = any(f['level'] == 'fail' for f in findings)
        if held != 'part' and not attached:
            return
        self.assertTrue(named, run)
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertTrue(all(f['remedy'] for f in findings), run)

    def check_result(self, name, target, run, held):
        """Of a restore whose target was killed. True when it had been done before."""
        if run.code == cli.DONE:
            self.assertIs(run.json['verified'], True, run)
            return True
        self.assertIn(run.code, (cli.FAILED, cli.DIFFERENT), run)
        self.assertNotIn('fault of sluice', run.out + run.err)
        result = run.json
        if run.code == cli.DIFFERENT:  # it was back before it was to be read
            self.assertIs(result['verified'], False, run)
            self.assertNotEqual(held, 'whole', run)
        else:
            self.assertTrue(result['error']['code'], run)
            self.assertTrue(result['error']['message'], run)
        if 'read' in result:
            self.assertIsNot(result['verified'], True, run)
            self.assert_ledger(result)
        return False

    def finish(self, name, target, mode, number, seen):
        """Runs it again, after which nothing tells of the kill."""
        before = self.held(name, target)
        if mode == 'feed':
            run = self.feed_again(name, target, before, number, seen)
        elif number % 4 < 2:
            run = self.resume(name, target, mode, before, seen)
        else:
            how = ('--flush', '--yes') if number % 4 == 3 else ('--on-conflict', 'replace')
            run = self.again(name, target, mode, *how)
        result = self.assert_done(run)
        self.assert_ledger(result)
        if '--on-conflict' not in run.args or before == 'empty':
            self.assertIs(result['verified'], True, run)
        self.assertEqual(self.held(name, target), 'whole', run)
        self.assertFalse(self.is_attached(target))
        findings, run = self.doctor(target)
        self.assertEqual([f for f in findings if f['level'] != 'ok'], [], run)
        self.assertEqual(self.notes(self.repo), [])

    def notes(self, repository):
        return [p.name for shelf in ('feeds', 'restores')
                for p in sorted((repository.path / shelf).glob('*'))]

    def feed_again(self, name, target, before, number, seen):
        if number % 3 == 0:
            self.repair(name, target, before, seen)
        run = self.again(name, target, 'feed')
        if run.code == cli.FAILED and run.error == 'target_not_empty':
            seen['emptied'] += 1
            run = self.again(name, target, 'feed', '--flush', '--yes')
        return run

    def resume(self, name, target, mode, before, seen):
        """One that was killed before the first key, or after the last, has nothing to go on with."""
        run = self.again(name, target, mode, '--resume')
        if run.code == cli.USAGE and run.error == 'nothing_to_resume' and before != 'part':
            return self.again(name, target, mode, '--on-conflict', 'replace')
        seen['resumed'] += 1
        seen['resumed in the midst'] += run.json['resumed_keys'] > 0
        return run

    def repair(self, name, target, before, seen):
        findings, run = self.doctor(target, '--repair')
        seen['repaired'] += bool(findings)
        self.assertFalse(self.is_attached(target), run)
        if self.held(name, target) == 'part':
            self.assertIn('fail', [f['level'] for f in findings], run)
        for finding in findings:
            if finding['level'] == 'ok' and before != 'whole':
                self.assertNotIn('acknowledged', finding['text'])

    # The rounds.

    def one_round(self, name, mode, victim, whole, number, seen):
        target = self.target(name, AOF if number % 2 else ())
        with target.client() as client:
            before = feed_test.settings(client)
        child = self.begin(name, target, mode)
        # Every third time near the end, where it is proven and the target is set free.
        time.sleep(whole * (self.random.uniform(0.7, 1.05) if number % 3 == 2
                            else self.random.random()))
        done = self.kill(child, target, victim, seen, name)
        held = self.held(name, target)
        seen['done'] += done
        seen[held] += 1
        self.check_doctor(name, target, mode, held, seen)
        self.finish(name, target, mode, number, seen)
        with target.client() as client:
            self.assertEqual(feed_test.settings(client), before)
        target.stop()

    def kill(self, child, target, victim, seen, name):
        """True when the restore had been done before."""
        if victim == 'sluice':
            run = self.end(child, signal.SIGKILL)
            self.assertIn(run.code, (-signal.SIGKILL, cli.DONE), run)
            self.settle(target)
            return run.code == cli.DONE
        target.kill()
        at_once = self.random.random() < 0.5
        if at_once:
            target.start()
        run = self.end(child, 0)
        if not at_once:
            target.start()
        seen['back at once'] += at_once
        seen[run.json.get('error', {}).get('code') if run.json.get('error') else
             f'exit code {run.code}'] += 1
        return self.check_result(name, target, run, self.held(name, target))

    def rounds(self, mode, victim):
        whole = {name: self.whole_seconds(name, mode) for name in SERVERS}
        seen = collections.Counter()
        for number in range(ROUNDS):
            name = SERVERS[number % OTHER_EVERY == 1]
            with self.subTest(round=number, server=name, mode=mode, victim=victim):
                self.one_round(name, mode, victim, whole[name], number, seen)
        took = ', '.join(f'{name} {seconds:.1f} s' for name, seconds in whole.items())
        print(f'restore_kill_test: {mode}, kills of {victim}: {dict(seen)}; whole: {took}',
              flush=True)
        self.assertLess(seen['done'], max(ROUNDS, 4) * 3 // 4)


def _add_test(mode, victim):
    setattr(RestoreKill, f'test_{mode}_{victim}', lambda self: self.rounds(mode, victim))


for _mode in ('restore', 'commands', 'feed'):
    for _victim in ('sluice', 'target'):
        _add_test(_mode, _victim)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    options, rest = parser.parse_known_args()
    ROUNDS, SEED = options.rounds, options.seed
    print(f'restore_kill_test: seed {SEED}, {ROUNDS} rounds of each', flush=True)
    sys.argv[1:] = rest
    cli.main(*SERVERS)
