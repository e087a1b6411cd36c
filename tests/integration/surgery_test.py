#!/usr/bin/env python3
"""Chosen keys, with other names, databases and expiries: each filter against a model, and dry runs
against what the real run then does."""

import binascii
import pathlib
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402

HOUR_MS = 3_600_000
# What a dry run may send.
READ_ONLY = {'info', 'select', 'exists', 'config|get', 'auth', 'hello', 'client|setname', 'ping',
             'client|setinfo', 'function|list', 'config', 'client'}


def slot(key):
    """Of a cluster: CRC16 (XMODEM) of the tag, or of all."""
    begin = key.find(b'{')
    if begin >= 0:
        end = key.find(b'}', begin + 1)
        if end > begin + 1:
            key = key[begin + 1:end]
    return binascii.crc_hqx(key, 0) % 16384


def dataset(client):
    """{(db, key): (type, PEXPIRETIME or None, DEBUG DIGEST-VALUE)}; Redis 7.0 or newer."""
    out = {}
    for db in client.keyspace():
        client.call('SELECT', db)
        keys = client.call('KEYS', '*')
        types = client.pipeline([('TYPE', key) for key in keys])
        times = client.pipeline([('PEXPIRETIME', key) for key in keys])
        values = client.pipeline([('DEBUG', 'DIGEST-VALUE', key) for key in keys])
        for key, kind, at, value in zip(keys, types, times, values):
            out[db, key] = (kind, at if at >= 0 else None, value[0])
    client.call('SELECT', 0)
    return out


def settings(client):
    """Of the server; it tells them in any order."""
    told = client.call('CONFIG', 'GET', '*')
    return dict(zip(told[::2], told[1::2]))


def written_commands(client):
    """Commands called so far that the server does not call read-only."""
    stats = client.info('commandstats')
    return {name.removeprefix('cmdstat_') for name in stats} - READ_ONLY


class Surgery(cli.Case):
    def pair(self, name='redis70', scale=0.1):
        """A source that is full, its dataset, a backup of it, an empty target."""
        source = self.server(name)
        there = self.client(source)
        fill.fill(there, source.flavor, source.version, scale=scale)
        there.call('SET', b'acct:1', 'a')
        there.call('SET', b'acct:22', 'b')
        there.call('SET', b'us\x00er\xff\n:3', 'c')
        there.call('HSET', b'{user}:h', 'f', 'v')
        there.call('SET', b'with "quotes" and \\', 'd')
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        return source, dataset(there), repository, self.server(name)

    def restored(self, repository, target, *options, code=cli.DONE):
        """The result of a restore into the emptied target, proven, and what the target holds."""
        run = repository.restore('LATEST', target.uri(), '--flush', '--yes', *options)
        result = self.assert_done(run, code)
        self.assert_balanced(result)
        if code == cli.DONE:
            self.assertIs(result['verified'], True, run)
        return result, dataset(self.client(target))

    def assert_holds(self, held, model):
        """assertEqual() of datasets takes a minute to print what differs."""
        if held != model:
            wrong = [name for name in held.keys() | model.keys()
                     if held.get(name) != model.get(name)]
            self.fail(f'{len(wrong)} keys differ: ' + '; '.join(
                f'{name}: {held.get(name)} instead of {model.get(name)}' for name in wrong[:5]))

    def test_each_filter_and_its_exclusion(self):
        _, whole, repository, target = self.pair()
        keys = sorted({key for _, key in whole})
        listed = keys[::7] + [b'us\x00er\xff\n:3', b'with "quotes" and \\', b'absent']
        file = pathlib.Path(tempfile.mkstemp(prefix='sluice-keys-')[1])
        self.addCleanup(file.unlink)
        file.write_bytes(b'\n'.join(escaped(key) for key in listed))
        cases = {
            ('match', 'acct:*'): lambda db, key, kind: key.startswith(b'acct:'),
            ('match', '*[0-3]?'): lambda db, key, kind: re.search(rb'[0-3].\Z', key, re.S),
            ('match-regex', '^acct:'): lambda db, key, kind: key.startswith(b'acct:'),
            ('match-regex', '[0-9]{3}'): lambda db, key, kind: re.search(rb'[0-9]{3}', key),
            ('match-regex', r'\x00'): lambda db, key, kind: b'\0' in key,
            ('type', 'hash'): lambda db, key, kind: kind == 'hash',
            ('type', 'stream'): lambda db, key, kind: kind == 'stream',
            ('db', '7'): lambda db, key, kind: db == 7,
            ('slot', '0-8191'): lambda db, key, kind: slot(key) < 8192,
            ('slot', '5474'): lambda db, key, kind: slot(key) == 5474,
            ('key-file', file): lambda db, key, kind: key in listed,
        }
        for (option, value), holds in cases.items():
            for dashes, wanted in (('--', True), ('--no-', False)):
                with self.subTest(option=dashes + option, value=value):
                    model = {name: record for name, record in whole.items()
                             if bool(holds(*name, record[0])) == wanted}
                    result, held = self.restored(repository, target, dashes + option, value)
                    self.assert_holds(held, model)
                    self.assertEqual(result['written'], len(model))
                    self.assertEqual(result['read'] + result['unread'], len(whole))
                    self.assertEqual(result['filtered'], result['read'] - len(model))

    def test_filters_together(self):
        _, whole, repository, target = self.pair()
        _, held = self.restored(repository, target, '--type', 'string', '--type', 'list', '--db', 0,
                                '--no-match', '*1*', '--no-match-regex', '^ac', '--slot', '0-9999')
        self.assert_holds(held, {
            (db, key): record for (db, key), record in whole.items()
            if db == 0 and record[0] in ('string', 'list') and b'1' not in key
            and not key.startswith(b'ac') and slot(key) < 10000})
        # Names of several options: any of them.
        _, held = self.restored(repository, target, '--match', 'acct:1', '--match-regex', '^acct:2')
        self.assertEqual({key for _, key in held}, {b'acct:1', b'acct:22'})

    def test_stream_layout_gives_the_same(self):
        source, whole, repository, target = self.pair()
        self.assert_done(repository.backup(source.uri(), '--layout', 'stream', '--name', 's'))
        result, held = self.restored(repository, target, '--match', 'ac*')
        self.assert_holds(held, {name: record for name, record in whole.items()
                                if name[1].startswith(b'ac')})
        self.assertEqual((result['unread'], result['runs_skipped']), (0, 0))
        self.assertEqual(result['read'], len(whole))

    def test_functions_come_when_no_key_is_chosen_or_asked_for(self):
        _, whole, repository, target = self.pair()
        libraries = lambda: len(self.client(target).call('FUNCTION', 'LIST'))
        for options, count in (((), 2), (('--match', 'acct:*'), 0), (('--no-type', 'hash'), 0),
                               (('--match', 'acct:*', '--functions'), 2), (('--map-db', '0:3'), 2),
                               (('--ttl', 'drop', '--add-prefix', 'x'), 2)):
            with self.subTest(options):
                result, _ = self.restored(repository, target, *options,
                                          code=cli.DONE if '--map-db' not in options else 0)
                self.assertEqual((result['functions'], libraries()), (count, count))
                self.assertEqual(any('function' in note for note in result['notes']), count == 0)

    def test_databases_and_prefix(self):
        _, whole, repository, target = self.pair()
        mapping = {0: 9, 7: 0, 15: 15}
        _, held = self.restored(repository, target, '--map-db', '0:9', '--map-db', '7:0',
                                '--add-prefix', 'old:')
        self.assert_holds(held, {(mapping.get(db, db), b'old:' + key): record
                                for (db, key), record in whole.items()})
        # Into databases that the target does not have: each key is named.
        result, held = self.restored(repository, target, '--map-db', '7:99', code=cli.INCOMPLETE)
        lost = sum(db == 7 for db, _ in whole)
        self.assertEqual((result['failed'], len(held)), (lost, len(whole) - lost))
        self.assertIn('SELECT 99', result['failures'][0]['message'])

    def test_databases_that_go_to_one(self):
        source, target = self.server('redis70'), self.server('redis70')
        client = self.client(source)
        for db in (0, 3):
            client.call('SELECT', db)
            for i in range(100 * (db + 1)):
                client.call('SET', f'k{i}', f'db{db}')
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        for policy, where, mode in (('refuse', 'failed', 'auto'), ('skip', 'skipped', 'auto'),
                                    ('refuse', 'failed', 'commands'),
                                    ('skip', 'skipped', 'commands')):
            with self.subTest(policy, mode=mode):
                options = ('--map-db', '3:0', '--on-conflict', policy, '--mode', mode)
                plan = repository.restore('LATEST', target.uri(), '--flush', '--dry-run', *options)
                result, held = self.restored(repository, target, *options, code=cli.INCOMPLETE)
                self.assertEqual((result['written'], result[where]), (400, 100))
                self.assertEqual(len(held), 400)
                self.assertEqual(self.client(target).call('GET', 'k7'), b'db0')
                self.assertTrue(any('databases' in note for note in result['notes']))
                self.assert_same_ledger(plan.json, result)
        run = repository.restore('LATEST', target.uri(), '--flush', '--yes', '--map-db', '3:0',
                                 '--on-conflict', 'replace')
        self.assert_refused(run, 'bad_option', 'lost', exit_code=cli.USAGE)
        self.assertEqual(self.client(target).call('DBSIZE'), 400)  # it was not emptied either
        # One database alone loses nothing.
        _, held = self.restored(repository, target, '--db', 3, '--map-db', '3:0',
                                '--on-conflict', 'replace')
        self.assertEqual(len(held), 400)

    def cloned(self, source, target, *options, code=cli.DONE):
        """As restored(), without a backup."""
        run = cli.sluice('clone', '--json', source.uri(), target.uri(), '--flush', '--yes', *options)
        result = self.assert_done(run, code)
        self.assert_balanced(result)
        return result, dataset(self.client(target))

    def test_a_clone_takes_the_same_keys(self):
        source, whole, repository, target = self.pair()
        for options in (('--match', 'acct:*'), ('--no-match-regex', '[0-9]{2}'), ('--type', 'hash'),
                        ('--db', 7), ('--slot', '0-8191', '--no-type', 'string'),
                        ('--map-db', '7:3', '--add-prefix', 'copy:', '--db', 7), ('--ttl', 'drop')):
            with self.subTest(options=options):
                restored, model = self.restored(repository, target, *options)
                cloned, held = self.cloned(source, target, *options)
                self.assert_holds(held, model)
                self.assertIs(cloned['verified'], True)
                self.assertEqual(cloned['digest'], restored['digest'])
                self.assertEqual(cloned['read'], len(whole))
                self.assertEqual((cloned['written'], cloned['filtered']),
                                 (len(model), len(whole) - len(model)))
                self.assertEqual(cloned['functions'], restored['functions'])
        result, _ = self.cloned(source, target, '--match', 'acct:*')
        self.assertEqual(result['functions'], 0)
        self.assertTrue(any('--functions' in note for note in result['notes']), result)
        result, _ = self.cloned(source, target, '--match', 'acct:*', '--functions')
        self.assertGreater(result['functions'], 0)

    def test_a_clone_of_databases_that_go_to_one(self):
        source, _, _, target = self.pair()
        options = ('--map-db', '1:0', '--db', 0, '--db', 1)
        run = cli.sluice('clone', '--json', source.uri(), target.uri(), '--on-conflict', 'replace',
                         *options)
        self.assert_refused(run, 'bad_option', 'lost', exit_code=cli.USAGE)
        self.assertEqual(self.client(target).keyspace(), {})
        result, _ = self.cloned(source, target, *options, code=cli.INCOMPLETE)
        self.assertIn('BUSYKEY', result['failures'][0]['message'])
        self.assertTrue(any('several of the databases' in note for note in result['notes']), result)

    def test_a_clone_says_what_it_would_do_and_writes_nothing(self):
        source, _, _, target = self.pair()
        client = self.client(target)
        client.call('SET', 'acct:1', 'mine')
        for options in ((), ('--match', 'acct:*'), ('--no-type', 'hash', '--add-prefix', 'p:')):
            with self.subTest(options=options):
                before = client.call('DEBUG', 'DIGEST')
                client.call('CONFIG', 'RESETSTAT')
                args = (source.uri(), target.uri(), '--on-conflict', 'skip', *options)
                planned = cli.sluice('clone', '--json', '--dry-run', *args).json
                self.assert_balanced(planned)
                self.assertEqual(written_commands(client) - {'config|resetstat'}, set())
                self.assertEqual(client.call('DEBUG', 'DIGEST'), before)
                self.assertTrue(planned['dry_run'])
                self.assertEqual(planned['plan']['added'], planned['written'])
                self.assertGreater(planned['plan']['memory_bytes'], 0)
                other = self.server('redis70')
                with other.client() as there:
                    there.call('SET', 'acct:1', 'mine')
                done = cli.sluice('clone', '--json', source.uri(), other.uri(), *args[2:]).json
                self.assert_same_ledger(planned, done)
        self.assert_refused(
            cli.sluice('clone', '--json', '--dry-run', source.uri(), target.uri()),
            'target_not_empty')

    def test_what_a_clone_does_not_do(self):
        source, target = self.server('redis70'), self.server('redis70')

        def refused(code, *options):
            self.assert_refused(cli.sluice('clone', '--json', source.uri(), target.uri(), *options),
                                code, exit_code=cli.USAGE)

        for options in (('--match', 'a*'), ('--map-db', '1:0'), ('--add-prefix', 'p:'),
                        ('--ttl', 'drop')):
            refused('bad_option', '--follow', *options)
            refused('bad_option', '--cutover', *options)
        refused('bad_option', '--dry-run', '--follow')
        refused('bad_option', '--slot', '99999')
        refused('bad_option', '--ttl', 'never')

    def test_policies_hold_with_filters(self):
        _, whole, repository, target = self.pair()
        client = self.client(target)
        client.call('SET', 'acct:1', 'mine')
        client.call('SET', 'other', 'mine')
        self.assert_refused(repository.restore('LATEST', target.uri(), '--match', 'acct:*'),
                            'target_not_empty')
        result = self.assert_done(
            repository.restore('LATEST', target.uri(), '--match', 'acct:*', '--db', 0,
                               '--on-conflict', 'skip'), cli.INCOMPLETE)
        self.assertEqual((result['skipped'], client.call('GET', 'acct:1')), (1, b'mine'))
        result = self.assert_done(
            repository.restore('LATEST', target.uri(), '--match', 'acct:*', '--db', 0,
                               '--on-conflict', 'replace'))
        self.assertEqual((result['written'], client.call('GET', 'acct:1')), (2, b'a'))
        self.assertEqual(client.call('GET', 'other'), b'mine')

    def test_wrong_options(self):
        _, _, repository, target = self.pair(scale=0.01)
        for options in (('--match-regex', '('), ('--type', 'hahs'), ('--slot', '5-4'),
                        ('--slot', '0-16384'), ('--slot', 'x'), ('--map-db', '3'),
                        ('--map-db', '3:1', '--map-db', '3:2'), ('--ttl', 'never'),
                        ('--ttl', 'shift=x'), ('--key-file', '/nonexistent')):
            with self.subTest(options):
                run = repository.restore('LATEST', target.uri(), *options)
                self.assertEqual((run.code, len(run.err.splitlines())), (cli.USAGE, 1), run)
        self.assertEqual(self.client(target).call('DBSIZE'), 0)

    # Expiries.

    def test_ttl_modes_of_keys(self):
        source, whole, repository, target = self.pair()
        _, held = self.restored(repository, target, '--ttl', 'shift=2h')
        self.assert_holds(held, {name: (kind, at and at + 2 * HOUR_MS, value)
                                 for name, (kind, at, value) in whole.items()})
        _, held = self.restored(repository, target, '--ttl', 'shift=-30m')
        self.assert_holds(held, {name: (kind, at and at - HOUR_MS // 2, value)
                                 for name, (kind, at, value) in whole.items()})
        # The digest of a value says whether it expires.
        client = self.client(source)
        for db, key in whole:
            client.call('SELECT', db)
            client.call('PERSIST', key)
        _, held = self.restored(repository, target, '--ttl', 'drop')
        self.assert_holds(held, dataset(client))

    def test_shift_gives_keys_the_time_they_had_left(self):
        source, target = self.server('redis70'), self.server('redis70')
        client = self.client(source)
        client.call('SET', 'short', 'v', 'PX', 2500)
        client.call('SET', 'long', 'v', 'EX', 1000)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        while client.call('EXISTS', 'short'):
            time.sleep(0.05)
        result, held = self.restored(repository, target)
        self.assertEqual((result['expired'], result['written']), (1, 1))
        result, held = self.restored(repository, target, '--ttl', 'shift')
        self.assertEqual((result['expired'], result['written']), (0, 2))
        left = self.client(target).call('PTTL', 'long')
        self.assertGreater(left, 990_000)
        self.assertLessEqual(left, 1_001_500)  # ctime is in whole seconds

    def field_times(self, name, *options):
        """Fields of small, large and huge hashes, and when they expire there, restored."""
        source, target = self.server(name), self.server(name)
        client = self.client(source)
        far = fill.FAR
        sizes = {'small': 20, 'large': 2000, 'huge': 30_000}
        for key, size in sizes.items():
            value = 'v' * (50 if key == 'huge' else 5)
            for begin in range(0, size, 1000):
                fields = [f'field:{i}' for i in range(begin, min(begin + 1000, size))]
                client.call('HSET', key, *(x for f in fields for x in (f, value)))
                timed = fields[::2]
                client.call('HPEXPIREAT', key, far + begin, 'FIELDS', len(timed), *timed)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        result = self.assert_done(repository.restore('LATEST', target.uri(), *options))
        self.assertIs(result['verified'], True, result)
        here = self.client(target)
        times = {}
        for key, size in sizes.items():
            self.assertEqual(here.call('HLEN', key), size)
            for begin in range(0, size, 1000):
                fields = [f'field:{i}' for i in range(begin, min(begin + 1000, size))]
                at = here.call('HPEXPIRETIME', key, 'FIELDS', len(fields), *fields)
                times.update(((key, begin, i), when) for i, when in enumerate(at))
            self.assertEqual(here.call('HGET', key, 'field:7'),
                             client.call('HGET', key, 'field:7'))
        return times, source, target

    def test_ttl_modes_of_fields(self):
        for name in ('redis80', 'redis86', 'valkey91'):
            with self.subTest(name):
                times, source, target = self.field_times(name)
                self.assertEqual(source.digest(), target.digest())
                self.assertEqual({at for (_, _, i), at in times.items() if i % 2}, {-1})
                moved, _, _ = self.field_times(name, '--ttl', 'shift=2h')
                self.assertEqual(moved, {key: at if at < 0 else at + 2 * HOUR_MS
                                         for key, at in times.items()})
                dropped, _, target = self.field_times(name, '--ttl', 'drop')
                self.assertEqual(set(dropped.values()), {-1})
                # It goes on working, and survives the server's own files.
                here = self.client(target)
                here.call('HPEXPIREAT', 'small', fill.FAR, 'FIELDS', 1, 'field:3')
                before = target.digest()
                here.call('DEBUG', 'RELOAD')
                self.assertEqual(target.digest(), before)

    # Reading little.

    def large(self, keys=60_000):
        source, target = self.server('redis70'), self.server('redis70')
        client = self.client(source)
        values = random.Random(1)
        client.pipeline([('SET', f'key:{i}', values.randbytes(300)) for i in range(keys)])
        client.call('SELECT', 3)
        client.call('SET', 'there', 'v')
        client.call('SELECT', 0)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        chunks = repository.run('show', 'LATEST').json['chunks']
        self.assertGreater(chunks, 40)
        return repository, target, chunks, keys + 1

    def test_only_what_is_needed_is_read(self):
        repository, target, chunks, keys = self.large()
        with tempfile.NamedTemporaryFile('w') as file:
            file.write('key:77\nkey:123\n"key:59999"\nnone\n')
            file.flush()
            for options, written, most in (
                    (('--match', 'key:123*'), 111, 6), (('--match', 'key:4321'), 1, 3),
                    (('--match-regex', '^key:55[0-9]$'), 10, 5), (('--db', 3), 1, 3),
                    (('--no-db', 0), 1, 3), (('--no-match', 'key:*'), 1, 3),
                    (('--key-file', file.name), 3, 7), (('--match', 'none'), 0, 3)):
                with self.subTest(options):
                    result, held = self.restored(repository, target, *options)
                    self.assertEqual((result['written'], len(held)), (written, written))
                    self.assertLessEqual(result['chunks_read'], most)
                    self.assertEqual(result['read'] + result['unread'], keys)
                    self.assertGreaterEqual(result['chunks_read'] + result['runs_skipped'], chunks)
        result, _ = self.restored(repository, target)
        self.assertEqual((result['chunks_read'], result['unread']), (chunks, 0))

    def test_a_cluster_node_is_read_by_slot(self):
        source = self.server('redis70', ('--cluster-enabled', 'yes'))
        client = self.client(source)
        client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
        while client.call('CLUSTER', 'INFO').find(b'cluster_state:ok') < 0:
            time.sleep(0.05)
        client.pipeline([('SET', f'k:{i}', 'v' * 300) for i in range(30_000)])
        client.pipeline([('SET', f'{{tag}}:{i}', 'v' * 300) for i in range(500)])
        repository, target = self.repository(), self.server('redis70')
        self.assert_done(repository.backup(source.uri()))
        names = [f'k:{i}'.encode() for i in range(30_000)] + \
            [f'{{tag}}:{i}'.encode() for i in range(500)]
        for options, holds, most in (
                (('--slot', '100-200'), lambda key: 100 <= slot(key) <= 200, 5),
                (('--no-slot', '0-16000'), lambda key: slot(key) > 16000, 6),
                (('--match', '{tag}:*'), lambda key: key.startswith(b'{tag}'), 5),
                (('--match', 'k:777'), lambda key: key == b'k:777', 3),
                (('--match', 'k:777*'), lambda key: key.startswith(b'k:777'), 1000)):
            with self.subTest(options):
                result, held = self.restored(repository, target, *options)
                self.assertEqual({key for _, key in held}, {key for key in names if holds(key)})
                self.assertLessEqual(result['chunks_read'], most)

    # Dry runs.

    def assert_same_ledger(self, plan, result):
        for name in ('read', 'by_type', 'unread', 'runs_skipped', 'functions', *cli.LEDGER):
            self.assertEqual(plan[name], result[name], name)
        self.assertEqual((plan['dry_run'], result['dry_run']), (True, False))
        self.assertEqual(plan['plan']['added'] + plan['plan']['replaced'], plan['written'])

    def test_a_dry_run_writes_nothing_and_says_what_happens(self):
        for name in ('redis70', 'redis80', 'valkey91'):
            with self.subTest(name):
                self.dry_runs(name)

    def dry_runs(self, name):
        source, whole, repository, target = self.pair(name)
        client = self.client(target)
        dry = ('--dry-run',)
        for setup, options in (
                ((), ()), ((), ('--type', 'hash', '--add-prefix', 'x')),
                ((('SET', 'acct:1', 'x'), ('RPUSH', 'acct:22', 'y'), ('SET', 'mine', 'z')),
                 ('--on-conflict', 'replace', '--match', 'acct*')),
                ((('SET', 'acct:1', 'x'),), ('--on-conflict', 'skip', '--db', 0)),
                ((('SET', 'acct:1', 'x'),), ('--map-db', '7:99', '--on-conflict', 'skip'))):
            with self.subTest(options):
                client.call('FLUSHALL')
                client.call('FUNCTION', 'FLUSH')
                for command in setup:
                    client.call(*command)
                before = (target.digest(), settings(client))
                offset = client.info('replication')['master_repl_offset']
                client.call('CONFIG', 'RESETSTAT')
                plan = repository.restore('LATEST', target.uri(), *options, *dry)
                self.assertEqual(written_commands(client) - {'config|resetstat', 'debug'}, set())
                self.assertEqual(client.info('replication')['master_repl_offset'], offset)
                self.assertEqual((target.digest(), settings(client)), before)
                self.assertIsNone(plan.json['verified'])
                self.assert_balanced(plan.json)

                existing = set(dataset(client))
                run = repository.restore('LATEST', target.uri(), *options)
                self.assertEqual(plan.code, run.code)
                self.assert_same_ledger(plan.json, run.json)
                written = plan.json['plan']
                self.assertEqual(written['added'], len(set(dataset(client)) - existing))
                for kind, writes in written['by_type'].items():
                    self.assertEqual(writes['added'] + writes['replaced'],
                                     run.json['by_type'][kind]['written'])

    def test_a_dry_run_does_not_flush(self):
        _, whole, repository, target = self.pair()
        client = self.client(target)
        client.call('SET', 'acct:1', 'mine')
        plan = self.assert_done(repository.restore('LATEST', target.uri(), '--flush', '--dry-run'))
        self.assertEqual((plan['plan']['added'], plan['plan']['replaced']), (len(whole), 0))
        self.assertEqual(client.call('GET', 'acct:1'), b'mine')
        self.assert_refused(repository.restore('LATEST', target.uri(), '--dry-run'),
                            'target_not_empty')

    def test_a_dry_run_says_how_much_memory_it_takes(self):
        repository, target, _, keys = self.large()
        client = self.client(target)
        plan = self.assert_done(repository.restore('LATEST', target.uri(), '--dry-run'))['plan']
        self.assertIs(plan['fits'], True)
        used = int(client.info('memory')['used_memory'])
        self.assert_done(repository.restore('LATEST', target.uri(), '--no-verify'))
        took = int(client.info('memory')['used_memory']) - used
        said = plan['memory_bytes'] + plan['table_memory_bytes']
        self.assertLess(abs(said - took) / took, 0.1, (said, took))
        client.call('FLUSHALL')
        client.call('CONFIG', 'SET', 'maxmemory', 10_000_000)
        run = repository.restore('LATEST', target.uri(), '--dry-run')
        self.assertIs(run.json['plan']['fits'], False)
        self.assertTrue(any('does not fit' in note for note in run.json['notes']))
        self.assertEqual(client.call('DBSIZE'), 0)

    # Export and diff.

    def test_export_of_chosen_keys(self):
        source, whole, repository, target = self.pair()
        holds = lambda db, key: db == 0 and key.startswith(b'ac')
        chosen = sum(holds(*name) for name in whole)
        with tempfile.TemporaryDirectory() as folder:
            file = f'{folder}/whole.rdb'
            self.assert_done(repository.run('export', 'LATEST', '--format', 'rdb', '-o', file))
            texts = []
            for place in ('LATEST', file, source.uri()):
                out = f'{folder}/out'
                result = self.assert_done(repository.run('export', place, '-o', out, '--db', 0,
                                                         '--match', 'ac*'))
                self.assertEqual(result['keys'], chosen)
                self.assertEqual(result['keys'] + result['filtered'] + result['unread'], len(whole))
                texts.append(sorted(pathlib.Path(out).read_text().splitlines()))
                self.assertEqual(len(texts[-1]), chosen)
            self.assertEqual(texts[0], texts[1])
            self.assertEqual(texts[0], texts[2])
            part = f'{folder}/part.rdb'
            self.assert_done(repository.run('export', 'LATEST', '--format', 'rdb', '-o', part,
                                            '--db', 0, '--match', 'ac*'))
            loaded = self.server('redis70', rdb=part)
            client = self.client(loaded)
            self.assert_holds(dataset(client), {name: record for name, record in whole.items()
                                                if holds(*name)})
            self.assertEqual(client.call('FUNCTION', 'LIST'), [])

    def test_diff_of_chosen_keys(self):
        source, whole, repository, _ = self.pair()
        client = self.client(source)
        client.call('SET', 'acct:1', 'other')
        client.call('DEL', 'acct:22')
        client.call('RPUSH', 'list:new', 'x')
        self.assert_done(repository.backup(source.uri(), '--name', 'later'))
        first, second = repository.ids()
        for options, lines in ((('--match', 'acct*'), 2), (('--type', 'list'), 1),
                               (('--no-match-regex', '^acct:1$'), 2), (('--db', 7), 0),
                               (('--key-file', self.key_file('acct:22')), 1)):
            with self.subTest(options):
                run = repository.run('diff', first, second, *options)
                self.assertEqual(run.code, cli.DIFFERENT if lines else cli.DONE, run)
                self.assertEqual(len(run.out.splitlines()), lines + 1)

    def key_file(self, *lines):
        file = pathlib.Path(tempfile.mkstemp(prefix='sluice-keys-')[1])
        self.addCleanup(file.unlink)
        file.write_text('\n'.join(lines))
        return file


def escaped(key):
    """As messages show a key."""
    out = bytearray()
    for byte in key:
        if byte in b'"\\':
            out += b'\\' + bytes([byte])
        elif 0x20 <= byte < 0x7f:
            out.append(byte)
        else:
            out += b'\\x%02x' % byte
    return bytes(out) or b'""'


if __name__ == '__main__':
    cli.main('redis70', 'redis80', 'redis86', 'valkey91')
