#!/usr/bin/env python3
"""sluice as the primary of the servers that it restores into, and of those that come by themselves.

  feed_test.py [--rounds N] [--seed S] [unittest arguments]     10 kills unless told

The seed is printed; the moments of a kill also depend on how fast the machine is.
"""

import argparse
import contextlib
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
ROUNDS = 10
SEED = None


def settings(client):
    """All that CONFIG GET says, but what changes by itself."""
    reply = client.call('CONFIG', 'GET', '*')
    pairs = dict(zip(reply[::2], reply[1::2]))
    return {name: value for name, value in pairs.items()
            if name not in (b'slaveof', b'replicaof', b'oom-score-adj')}


class Feeding(cli.Case):
    def restore(self, repository, target, *args, **how):
        return repository.restore('LATEST', target.uri(), '--mode', 'feed', *args, **how)

    def start(self, *command):
        child = subprocess.Popen(command, env=cli.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, child, signal.SIGKILL)
        return child

    @staticmethod
    def end(child, how):
        if child.poll() is None:
            child.send_signal(how)
        out, err = child.communicate(timeout=60) if not child.stdout.closed else (b'', b'')
        return cli.Run((), child.returncode, out.decode(), err.decode())

    def wait(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, 'waited in vain')
            time.sleep(0.01)

    def notes(self, repository):
        folder = repository.path / 'feeds'
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []

    def assert_free(self, repository, client, before):
        """Nothing of ours is left."""
        self.assertEqual(client.info('replication')['role'], 'master')
        self.assertEqual(settings(client), before)
        self.assertEqual(self.notes(repository), [])

    def assert_ledger(self, result):
        for ledger in (result, *result['by_type'].values()):
            self.assertEqual(ledger['read'], sum(ledger[part] for part in cli.LEDGER))


class Contents(Feeding):
    """What is fed, each server into another of its kind; matrix_test.py has all pairs."""

    def test_all_but_what_has_expired(self):
        for name, there in servers.available().items():
            if not there:
                continue
            with (self.subTest(server=name), servers.Server(name) as source,
                  servers.Server(name) as target, cli.Repository() as repository):
                with source.client() as client:
                    counts = fill.fill(client, source.flavor, source.version, scale=0.1)
                    client.call('SET', 'gone', 'soon', 'PX', 1)
                    client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
                    client.call('SET', 'soon', 'gone', 'PX', 300)
                    self.assert_done(repository.backup(source.uri()))
                time.sleep(0.3)
                self.pair(repository, source, target, sum(counts.values()))

    def pair(self, repository, source, target, keys):
        there, here = self.client(source), self.client(target)
        before = settings(here)
        result = self.assert_done(self.restore(repository, target, '--flush', '--yes'))
        self.assert_ledger(result)
        self.assert_free(repository, here, before)
        self.assertIs(result['verified'], True)
        self.assertEqual(result['mode'], 'feed')
        self.assertGreaterEqual(result['expired'], 1)
        self.assertEqual(result['read'], keys + result['expired'])
        there.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
        self.wait(lambda: sum(there.keyspace().values()) == keys)
        self.assertEqual(source.digest(), target.digest())
        if source.version >= (7, 0):
            self.assertEqual(*(sorted(map(repr, c.call('FUNCTION', 'LIST', 'WITHCODE')))
                               for c in (there, here)))


class Restoring(Feeding):
    def filled(self, scale=0.1, **how):
        source = self.server(SERVER, **how)
        fill.fill(self.client(source), source.flavor, source.version, scale=scale)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        return source, repository

    def test_ways_to_load(self):
        source, repository = self.filled()
        for way in ('disabled', 'on-empty-db', 'swapdb'):
            with self.subTest(way=way), servers.Server(SERVER) as target:
                client = self.client(target)
                client.config('repl-diskless-load', way)
                before = settings(client)
                result = self.assert_done(self.restore(repository, target))
                self.assertIs(result['verified'], True)
                self.assert_free(repository, client, before)
                self.assertEqual(source.digest(), target.digest())

    def test_stream_layout_and_no_proof(self):
        source = self.server(SERVER)
        fill.fill(self.client(source), source.flavor, source.version, scale=0.1)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri(), '--layout', 'stream'))
        target = self.server(SERVER)
        result = self.assert_done(self.restore(repository, target, '--no-verify'))
        self.assertIsNone(result['verified'])
        self.assertEqual(source.digest(), target.digest())

    def test_masterauth_of_the_target(self):
        source, repository = self.filled(password='secret')
        target = self.server(SERVER, ('--masterauth', 'whatever'), password='secret')
        self.assert_done(self.restore(repository, target, '--listen', '127.0.0.1'))
        self.assertEqual(source.digest(), target.digest())

    def test_an_append_only_file_that_is_still_written(self):
        _, repository = self.filled()
        target = self.server(SERVER, ('--appendonly', 'yes'))
        client = self.client(target)
        for delay_us, noted in ((2000, True), (0, False)):
            client.config('rdb-key-save-delay', delay_us)
            result = self.assert_done(self.restore(repository, target, '--flush', '--yes',
                                                   '--no-verify'))
            self.assertEqual('append-only' in ' '.join(result['notes']), noted or
                             client.info('persistence')['aof_rewrite_in_progress'] == '1', result)
            client.config('rdb-key-save-delay', 0)
            self.wait(lambda: client.info('persistence')['aof_rewrite_in_progress'] == '0')

    def test_refusals_leave_the_target_alone(self):
        _, repository = self.filled()
        folder = cli.certificates(self)
        tls = ('--tls-port', servers.free_port(), '--tls-cert-file', folder / 'server.crt',
               '--tls-key-file', folder / 'server.key', '--tls-ca-cert-file', folder / 'ca.crt',
               '--tls-replication', 'yes')
        cases = (
            ((), lambda c: c.call('SET', 'mine', '1'), 'target_not_empty', ('1 key',)),
            ((), lambda c: c.call('FUNCTION', 'LOAD', "#!lua name=l\nredis.register_function('f',"
                                  'function() return 1 end)'),
             'target_not_empty', ('function libraries',)),
            (('--databases', '8'), None, 'target_unsuitable', ('database 15', '--databases 16')),
            (('--cluster-enabled', 'yes'), None, 'target_unsuitable', ('cluster', '--mode restore')),
            (('--replicaof', '127.0.0.1', str(servers.free_port())), None, 'target_unsuitable',
             ('replica',)),
            (tls, None, 'target_unsuitable', ('tls-replication',)),
        )
        for args, prepare, code, words in cases:
            with self.subTest(code=code, words=words), servers.Server(SERVER, args) as target:
                client = self.client(target)
                if prepare:
                    prepare(client)
                before = settings(client), client.info('replication')['role'], target.digest()
                self.assert_refused(self.restore(repository, target), code, *words)
                after = settings(client), client.info('replication')['role'], target.digest()
                self.assertEqual(before, after)
                self.assertEqual(self.notes(repository), [])

    def test_brings_all_or_nothing(self):
        _, repository = self.filled()
        target = self.server(SERVER)
        for option in (('--match', 'a*'), ('--dry-run',), ('--add-prefix', 'x'), ('--ttl', 'drop')):
            run = self.restore(repository, target, *option)
            self.assert_refused(run, 'bad_option', 'mode feed', exit_code=cli.USAGE)
        self.assertEqual(self.client(target).keyspace(), {})

    def test_a_user_who_may_not_do_it(self):
        _, repository = self.filled()
        target = self.server(SERVER)
        client = self.client(target)
        client.call('ACL', 'SETUSER', 'some', 'on', '>pw', '~*', '+@all', '-replicaof')
        before = settings(client)
        uri = f'redis://some:pw@127.0.0.1:{target.port}'
        run = repository.restore('LATEST', uri, '--mode', 'feed')
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertEqual(run.json['error']['code'], 'no_permission', run)
        self.assert_ledger(run.json)
        self.assertEqual(run.json['written'], 0)
        self.assert_free(repository, client, before)

    def test_only_the_target_is_served(self):
        """A stranger of the same address asks all the time, and gets nothing."""
        source, repository = self.filled(scale=1)
        target = self.server(SERVER)
        client = self.client(target)
        client.config('key-load-delay', 100)
        port = servers.free_port()
        child = self.start(*repository.command('restore', 'LATEST', target.uri(), '--mode', 'feed',
                                               '--listen', f'127.0.0.1:{port}'))
        told = b''
        while child.poll() is None:
            with contextlib.suppress(OSError):
                with socket.create_connection(('127.0.0.1', port), timeout=0.2) as stranger:
                    stranger.sendall(b'PING\r\nREPLCONF listening-port 1\r\nPSYNC ? -1\r\n')
                    while part := stranger.recv(65536):
                        told += part
        client.config('key-load-delay', 0)
        self.assert_done(self.end(child, signal.SIGKILL))
        self.assertNotIn(b'FULLRESYNC', told)
        self.assertEqual(source.digest(), target.digest())


class Broken(Feeding):
    """A backup whose load takes a while."""

    KEYS = 30_000

    def setUp(self):
        self.source = self.server(SERVER)
        with self.source.client() as client:
            r = random.Random(1)
            client.pipeline(('SET', f'k{i:06}', r.randbytes(300)) for i in range(self.KEYS))
        self.repo = self.repository()
        self.assert_done(self.repo.backup(self.source.uri()))

    def slow(self, name=SERVER):
        """A target that takes some seconds to load, and what its settings are then."""
        target = self.server(name)
        client = self.client(target)
        client.config('key-load-delay', 50)  # us
        client.config('loading-process-events-interval-bytes', 65536)
        return target, client, settings(client)

    def begin(self, target, *args):
        return self.start(*self.repo.command('restore', 'LATEST', target.uri(), '--mode', 'feed',
                                             *args))

    def loading(self, client):
        with contextlib.suppress(resp.ReplyError):
            return client.info('persistence').get('loading') == '1'
        return True

    def test_stopped_by_a_signal(self):
        for how, code in ((signal.SIGTERM, cli.TERMINATED), (signal.SIGINT, cli.INTERRUPTED)):
            for way in ('on-empty-db', 'disabled'):
                with self.subTest(how=how, way=way):
                    target, client, _ = self.slow()
                    client.config('repl-diskless-load', way)
                    before = settings(client)
                    child = self.begin(target)
                    self.wait(lambda: self.loading(client) or child.poll() is not None)
                    run = self.end(child, how)
                    self.assertEqual(run.code, code, run)
                    self.assert_ledger(run.json)
                    self.assertEqual(run.json['written'], 0)
                    self.assert_free(self.repo, client, before)
                    self.assertEqual(client.keyspace(), {})
                    client.config('key-load-delay', 0)
                    self.assert_done(self.restore(self.repo, target))
                    self.assertEqual(self.source.digest(), target.digest())

    def test_target_dies(self):
        target, client, _ = self.slow()
        child = self.begin(target)
        self.wait(lambda: self.loading(client) or child.poll() is not None)
        target.kill()
        run = self.end(child, 0)
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertIsNotNone(run.json['error'], run)
        self.assertIn('--repair', run.json['error']['message'])
        self.assertEqual(run.json['written'], 0)
        target.start()
        self.assert_done(self.restore(self.repo, target))
        self.assertEqual(self.source.digest(), target.digest())

    def test_told_otherwise_meanwhile(self):
        target, client, before = self.slow()
        child = self.begin(target)
        self.wait(lambda: client.info('replication')['role'] == 'slave')
        while True:
            with contextlib.suppress(resp.ReplyError):
                client.call('REPLICAOF', 'NO', 'ONE')
                break
        run = self.end(child, 0)
        if run.code != cli.DONE:  # else it was done before
            self.assertEqual(run.code, cli.FAILED, run)
            self.assertEqual(client.info('replication')['role'], 'master')
            self.assertEqual(settings(client), before)

    def test_kill_9(self):
        """Doctor names what is left, and the same command again finishes the job."""
        r = random.Random(SEED)
        seen = {'note': 0, 'attached': 0, 'repaired': 0, 'none': 0}
        for number in range(ROUNDS):
            with self.subTest(round=number):
                target, client, before = self.slow()
                client.config('key-load-delay', r.choice((0, 10, 50)))
                before = settings(client)
                child = self.begin(target)
                time.sleep(r.uniform(0, 1.5 if number % 2 else 0.4))
                killed = self.end(child, signal.SIGKILL).code != cli.DONE
                self.check_after_kill(target, client, before, killed, seen, number)
        print(f'kills: {seen}', file=sys.stderr)

    def doctor(self, target, *args):
        run = self.repo.run('doctor', target.uri(), *args)
        return run, [f for f in run.json['findings'] if f['about'] == 'feed']

    def check_after_kill(self, target, client, before, killed, seen, number):
        self.wait(lambda: not self.loading(client))
        attached = client.info('replication')['role'] == 'slave'
        if not self.notes_of(target):
            seen['none'] += 1
            self.assertFalse(attached)
            if not killed:
                self.assertEqual(self.source.digest(), target.digest())
                return
        else:
            seen['note'] += 1
            seen['attached'] += attached
            run, findings = self.doctor(target)
            self.assertEqual([f['level'] for f in findings], ['fail'], run)
            self.assertEqual(run.code, cli.FAILED)
            self.assertIn('--repair', findings[0]['remedy'])
            if number % 3 == 0:
                seen['repaired'] += 1
                run, findings = self.doctor(target, '--repair')
                self.assertEqual([f['level'] for f in findings], ['ok'], run)
                self.assert_free(self.repo, client, before)
                self.assertIn(sum(client.keyspace().values()), (0, self.KEYS))
                client.call('FLUSHALL')
        client.config('key-load-delay', 0)
        self.assert_done(self.restore(self.repo, target))
        self.assertEqual(self.source.digest(), target.digest())
        self.assertEqual(client.info('replication')['role'], 'master')
        self.assertEqual(self.notes(self.repo), [])
        self.assertEqual(settings(client), before)
        self.assertEqual(self.doctor(target)[1], [])

    def notes_of(self, target):
        return [n for n in self.notes(self.repo) if n == f'127.0.0.1-{target.port}']

    def test_only_one_at_a_time(self):
        target, client, _ = self.slow()
        child = self.begin(target)
        self.wait(lambda: self.loading(client) or child.poll() is not None)
        self.assert_refused(self.restore(self.repo, target), 'busy', 'another restore')
        _, findings = self.doctor(target)
        self.assertEqual([f['level'] for f in findings], ['ok'])
        client.config('key-load-delay', 0)
        self.assert_done(self.end(child, 0))


class Serving(Feeding):
    """sluice feed."""

    def setUp(self):
        self.source = self.server(SERVER)
        fill.fill(self.client(self.source), self.source.flavor, self.source.version, scale=0.1)
        self.repo = self.repository()
        self.assert_done(self.repo.backup(self.source.uri()))
        self.port = servers.free_port()

    def serve(self, *args):
        child = self.start(*self.repo.command('feed', 'LATEST', '--listen',
                                              f'127.0.0.1:{self.port}', *args))

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(('127.0.0.1', self.port)) == 0

        self.wait(listens)
        return child

    def attach(self, name=SERVER, *args):
        replica = self.server(name, args)
        self.client(replica).call('REPLICAOF', '127.0.0.1', self.port)
        return replica

    def is_up(self, replica):
        with replica.client() as client:
            return client.info('replication').get('master_link_status') == 'up'

    def test_serves_all_who_know_the_password(self):
        with open(self.repo.path.parent / 'password', 'w') as file:
            file.write('tide\n')
        child = self.serve('--password-file', file.name)
        good = [self.attach(name, '--masterauth', 'tide') for name in ('redis70', 'redis80')]
        bad = [self.attach(SERVER, '--masterauth', 'wrong'), self.attach(SERVER)]
        for replica in good:
            self.wait(lambda: self.is_up(replica))
        self.assertEqual(self.source.digest(), good[0].digest())
        time.sleep(1)
        for replica in bad:
            self.assertFalse(self.is_up(replica))
            self.assertEqual(self.client(replica).keyspace(), {})
        result = self.assert_done(self.end(child, signal.SIGTERM))
        self.assertEqual(result['served'], 2, result)
        self.assertGreaterEqual(result['refused'], 2)
        self.assertEqual([r['complete'] for r in result['replicas']], [True, True])
        self.assertEqual({r['bytes'] for r in result['replicas']}, {result['bytes']})
        self.assertNotIn('tide', str(result))

    def test_once(self):
        child = self.serve('--no-password', '--once')
        replica = self.attach()
        result = self.assert_done(self.end(child, 0))
        self.assertEqual(result['served'], 1)
        self.assertEqual(self.source.digest(), replica.digest())

    def test_another_version(self):
        child = self.serve('--no-password', '--once', '--rdb-version', '9')
        replica = self.attach('redis60')
        result = self.assert_done(self.end(child, 0), cli.INCOMPLETE)
        self.assertEqual(result['rdb_version'], 9)
        self.assertTrue(result['failures'])
        self.assertTrue(result['losses'])
        self.assertGreater(sum(self.client(replica).keyspace().values()), 1000)

    def test_says_what_it_needs(self):
        run = self.repo.run('feed', 'LATEST', '--listen', '127.0.0.1')
        self.assert_refused(run, 'no_password', '--no-password', exit_code=cli.USAGE)
        run = self.repo.run('feed', 'LATEST', '--listen', '127.0.0.1:x', '--no-password')
        self.assert_refused(run, 'bad_option', '--listen', exit_code=cli.USAGE)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            run = self.repo.run('feed', 'LATEST', '--no-password', '--listen',
                                f'127.0.0.1:{taken.getsockname()[1]}')
            self.assert_refused(run, 'cannot_listen')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    options, rest = parser.parse_known_args()
    ROUNDS, SEED = options.rounds, options.seed
    print(f'seed {SEED}', file=sys.stderr)
    sys.argv[1:] = rest
    cli.main(SERVER)
