#!/usr/bin/env python3
"""Backs a real server up and restores it into another of the same version: nothing may differ.

  roundtrip_test.py NAME [unittest arguments]     NAME: a server of the matrix, e.g. redis70
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

NAME = ''  # set by the command line
DISKLESS = ('--repl-diskless-sync', 'yes')
DISK = ('--repl-diskless-sync', 'no')  # starts at once; diskless waits for a timer of a second
SECRET = 'tide-and-sluice-4711'


def all_keys(client):
    """{db: [key, ...]}, sorted."""
    out = {}
    for db in sorted(client.keyspace()):
        client.call('SELECT', db)
        out[db] = sorted(client.call('KEYS', '*'))
    client.call('SELECT', 0)
    return out


def each_key(client, keys, *command):
    """The reply to `command key` for every key: {(db, key): reply}; errors are kept as text."""
    out = {}
    for db, names in keys.items():
        client.call('SELECT', db)
        replies = client.pipeline(((*command, name) for name in names), errors='return')
        out.update(((db, name), str(reply) if isinstance(reply, resp.ReplyError) else reply)
                   for name, reply in zip(names, replies))
    client.call('SELECT', 0)
    return out


def as_backup_types(counts):
    """How sluice names what the server counts: a vector set is a module's value to the format."""
    names = {'vectorset': 'module'}
    return {names.get(name, name): count for name, count in counts.items()}


class RoundTrip(cli.Case):
    def full(self, *args, scale=0.1):
        server = self.server(NAME, args or DISK)
        client = self.client(server)
        counts = fill.fill(client, server.flavor, server.version, scale=scale)
        return server, client, counts

    def assert_same(self, source, target, there, here):
        """Everything a client can see."""
        self.assertEqual(source.digest(), target.digest())
        self.assertEqual(there.keyspace(), here.keyspace())
        keys = all_keys(there)
        self.assertEqual(keys, all_keys(here))
        self.assert_same_expiries(keys, there, here)
        types = each_key(there, keys, 'TYPE')
        self.assertEqual(types, each_key(here, keys, 'TYPE'))
        # DEBUG DIGEST looks at the entries of a stream only.
        streams = {db: [k for k in names if types[db, k] == 'stream'] for db, names in keys.items()}
        for db, names in streams.items():
            for name in names:
                with self.subTest(stream=name, db=db):
                    self.assertEqual(self.stream(there, db, name), self.stream(here, db, name))
        if fill._Filler(there, source.version, 0).has('FUNCTION'):
            libraries = [sorted(map(repr, c.call('FUNCTION', 'LIST', 'WITHCODE')))
                         for c in (there, here)]
            self.assertEqual(*libraries)
            self.assertEqual(len(libraries[0]), 2)

    @staticmethod
    def stream(client, db, name):
        client.call('SELECT', db)
        flat = client.call('XINFO', 'STREAM', name, 'FULL', 'COUNT', 0)
        client.call('SELECT', 0)
        info = dict(zip(flat[::2], flat[1::2]))
        for key in (b'radix-tree-keys', b'radix-tree-nodes'):  # depend on how it was built
            info.pop(key, None)
        return info

    def assert_same_expiries(self, keys, there, here):
        has = fill._Filler(there, (), 0).has
        if has('PEXPIRETIME'):
            before = each_key(there, keys, 'PEXPIRETIME')
            self.assertEqual(before, each_key(here, keys, 'PEXPIRETIME'))
        else:
            before, after = (each_key(c, keys, 'PTTL') for c in (there, here))
            for key, left in before.items():
                self.assertEqual(left < 0, after[key] < 0, key)
                self.assertAlmostEqual(left, after[key], delta=30_000, msg=str(key))
        self.assertGreater(sum(when > 0 for when in before.values()), 100)
        if not has('HPEXPIRETIME'):
            return
        hashes = [k for k in keys[0] if k.startswith(b'hash:ttl:')]
        self.assertGreater(len(hashes), 5)
        for key in hashes:
            fields = sorted(there.call('HKEYS', key))
            command = ('HPEXPIRETIME', key, 'FIELDS', len(fields), *fields)
            self.assertEqual(there.call(*command), here.call(*command), key)

    def assert_backup(self, backup, source, counts):
        self.assertEqual(backup['keys'], sum(counts.values()))
        self.assertEqual(backup['types'], as_backup_types(counts))
        # The scheme is shown as redis whatever it was, and a password as stars.
        self.assertRegex(backup['source']['uri'],
                         rf'^redis://(tide:\*+@)?127\.0\.0\.1:{source.port}/0$')
        self.assertEqual(backup['source']['server'], source.flavor)
        self.assertEqual(backup['source']['version'], '.'.join(map(str, source.version)))
        self.assertGreater(backup['source']['rdb_version'], 0)
        self.assertRegex(backup['source']['replid'], '^[0-9a-f]{40}$')
        # Chunks are stored as they are when compression falls behind.
        self.assertGreater(backup['raw_bytes'] * 1.1, backup['stored_bytes'])
        self.assertGreater(backup['stored_bytes'], 0)
        for when in ('started_at', 'finished_at'):
            self.assertRegex(backup[when], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$')
        self.assertLessEqual(backup['started_at'], backup['finished_at'])
        for field in ('id', 'instance', 'repo', 'layout', 'parent', 'new_bytes', 'digest',
                      'seconds'):
            self.assertIn(field, backup)

    def assert_restored(self, result, backup, counts, functions):
        self.assertEqual(result['backup'], backup['id'])
        self.assert_balanced(result)
        self.assertEqual(result['read'], backup['keys'])
        self.assertEqual(result['written'], backup['keys'])
        self.assertEqual({name: ledger['written'] for name, ledger in result['by_type'].items()},
                         as_backup_types(counts))
        self.assertEqual((result['functions'], result['functions_failed']), (functions, 0))
        self.assertIsNone(result['error'])
        self.assertGreater(result['raw_bytes'], 0)

    def all_the_way(self, sync, said):
        """Backup, list, show, verify, restore. `said`: what the source logs of the transfer."""
        source, there, counts = self.full(*sync, scale=1)
        functions = len(there.call('FUNCTION', 'LIST')) if source.version >= (7, 0) else 0
        before = source.digest()
        repository = self.repository()
        run = repository.backup(source.uri(), '--name', 'first')
        backup = self.assert_done(run)
        self.assertEqual(run.err, '')
        self.assertIn(said, source.log())
        self.assertEqual(before, source.digest())
        self.assert_backup(backup, source, counts)

        [listed] = repository.list()
        self.assertEqual(listed['id'], backup['id'])
        shown = self.assert_done(repository.run('show', 'first@LATEST'))
        self.assertEqual({name: shown[name] for name in backup}, backup)
        self.assertEqual(shown['functions'], functions)
        self.assertEqual({int(db): n for db, n in shown['databases'].items()}, there.keyspace())
        self.assertGreater(shown['chunks'], 0)
        self.assertIn([f'{source.flavor}-ver', backup['source']['version']], shown['aux'])
        [verified] = self.assert_done(repository.run('verify', '--all'))
        self.assertEqual((verified['ok'], verified['keys'], verified['digest']),
                         (True, backup['keys'], backup['digest']))

        target = self.server(NAME)
        here = self.client(target)
        run = repository.restore('LATEST', target.uri())
        self.assert_restored(self.assert_done(run), backup, counts, functions)
        self.assertEqual(run.err, '')
        self.assert_same(source, target, there, here)
        self.assertEqual(repository.strays(), [])

    def test_disk_based(self):
        """The source saves to its disk and says how long the file is."""
        self.all_the_way(DISK, 'target: disk')

    def test_diskless(self):
        """The source writes to the socket and ends with a mark."""
        self.all_the_way(DISKLESS, 'replicas sockets')

    def test_backup_list_and_show_agree(self):
        source, _, _ = self.full()
        repository = self.repository()
        backup = self.assert_done(repository.backup(source.uri()))
        shown = self.assert_done(repository.run('show', backup['id']))
        self.assertEqual({name: shown[name] for name in backup}, backup)
        self.assertEqual(repository.list(), [backup])
        name = f'{backup["instance"]}@{backup["started_at"]}'
        at = self.assert_done(repository.run('show', name))
        self.assertEqual(at['id'], backup['id'])

    def test_an_empty_server(self):
        repository = self.repository()
        source, target = self.server(NAME, DISK), self.server(NAME)
        backup = self.assert_done(repository.backup(source.uri()))
        self.assertEqual((backup['keys'], backup['types']), (0, {}))
        self.assertEqual(backup['instance'], f'127.0.0.1-{source.port}')
        result = self.assert_done(repository.restore(backup['id'], target.uri()))
        self.assertEqual((result['read'], result['by_type']), (0, {}))
        [verified] = self.assert_done(repository.run('verify', backup['id']))
        self.assertTrue(verified['ok'])

    def test_people_get_text(self):
        source, _, counts = self.full()
        repository = self.repository()
        run = cli.sluice('backup', source.uri(), '--repo', repository.path)
        self.assertEqual((run.code, run.err), (cli.DONE, ''), run)
        number = f'{sum(counts.values()):,}'
        self.assertIn(number, run.out)
        target = self.server(NAME)
        for verb in (('list',), ('show', 'LATEST'), ('verify', '--all'),
                     ('restore', 'LATEST', target.uri())):
            run = cli.sluice(*verb, '--repo', repository.path)
            self.assertEqual((run.code, run.err), (cli.DONE, ''), run)
            self.assertIn(number, run.out, verb)

    def test_writes_during_the_backup_do_not_get_in(self):
        """The snapshot is of one moment: every key carries the number of its round."""
        source = self.server(NAME, DISKLESS)
        client = self.client(source)
        for n in range(0, 40_000, 10_000):
            client.pipeline(('SET', f'k{i:06}', 'a' * 100 + str(i)) for i in range(n, n + 10_000))
        client.call('SET', 'round', 0)
        repository = self.repository()
        with subprocess.Popen(repository.command('backup', source.uri()), env=cli.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            rounds = 0
            while child.poll() is None:
                rounds += 1
                client.call('EVAL', 'redis.call("SET", KEYS[1], ARGV[1])'
                            'redis.call("SET", KEYS[2], ARGV[1])', 2, 'k000000', 'k039999', rounds)
            self.assertEqual(child.returncode, 0, child.stderr.read())
        self.assertGreater(rounds, 0)
        target = self.server(NAME)
        self.assert_done(repository.restore('LATEST', target.uri()))
        here = self.client(target)
        self.assertEqual(here.keyspace(), {0: 40_001})
        first, last = here.call('MGET', 'k000000', 'k039999')
        if first.isdigit() or last.isdigit():
            self.assertEqual(first, last)

    # What only some settings put into a dump.

    def access_info(self, policy, attribute, values, delta):
        """Keys with known FREQ or IDLETIME, there and after the restore."""
        settings = ('--maxmemory-policy', policy, '--lfu-decay-time', '0')
        source, there, counts = self.full(*DISK, *settings)
        there.call('SET', 'pattern', 'v' * 100)
        payload = there.call('DUMP', 'pattern')
        known = {f'access:{n}': value for n, value in enumerate(values)}
        option = 'FREQ' if attribute == 'FREQ' else 'IDLETIME'
        there.pipeline(('RESTORE', key, 0, payload, option, value)
                       for key, value in known.items())
        repository = self.repository()
        backup = self.assert_done(repository.backup(source.uri(), '--access-info'))
        self.assertEqual(backup['keys'], sum(counts.values()) + len(known) + 1)

        target = self.server(NAME, settings)
        here = self.client(target)
        self.assert_balanced(self.assert_done(repository.restore('LATEST', target.uri())))
        # Asked before anything else touches the keys.
        before, after = ([c.call('OBJECT', attribute, key) for key in known] for c in (there, here))
        for was, now, value in zip(before, after, values):
            self.assertAlmostEqual(was, value, delta=delta)
            self.assertAlmostEqual(now, was, delta=delta)
        self.assert_same(source, target, there, here)

        plain = self.server(NAME)
        self.assert_balanced(self.assert_done(repository.restore('LATEST', plain.uri())))
        self.assertEqual(source.digest(), plain.digest())

    def test_lfu_policy(self):
        self.access_info('allkeys-lfu', 'FREQ', (0, 1, 5, 100, 254, 255), 0)

    def test_lru_policy(self):
        self.access_info('allkeys-lru', 'IDLETIME', (100, 5000, 20_000), 10)

    def test_scripts_of_redis_6(self):
        if servers.matrix.ready(NAME) and self.server(NAME).version >= (7, 0):
            self.skipTest('servers from 7.0 on do not replicate their script cache')
        source, target = self.server(NAME), self.server(NAME)
        sha = self.client(source).call('SCRIPT', 'LOAD', 'return "still here"')
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        self.assert_done(repository.restore('LATEST', target.uri()))
        self.assertEqual(self.client(target).call('EVALSHA', sha, 0), b'still here')

    # Getting in.

    def assert_secret_kept(self, *runs, repository):
        for run in runs:
            self.assertNotIn(SECRET, run.out + run.err)
        for path in repository.path.rglob('*'):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)

    def test_password(self):
        source = self.server(NAME, DISK, password=SECRET)
        self.client(source).call('SET', 'k', 'v')
        bare = f'redis://127.0.0.1:{source.port}'
        repository = self.repository()
        with tempfile.NamedTemporaryFile('w') as file:
            file.write(SECRET + '\n')
            file.flush()
            runs = [repository.backup(source.uri()),
                    repository.backup(bare, env={'SLUICE_SOURCE_AUTH': SECRET}),
                    repository.backup(bare, env={'VALKEYCLI_AUTH': SECRET}),
                    repository.backup(bare, env={'REDISCLI_AUTH': SECRET,
                                                 'SLUICE_TARGET_AUTH': 'wrong'}),
                    repository.backup(bare, '--source-password-file', file.name,
                                      env={'SLUICE_SOURCE_AUTH': 'wrong'})]
            for run in runs:
                self.assertEqual(self.assert_done(run)['keys'], 1)
            target = self.server(NAME, password=SECRET)
            bare = f'redis://127.0.0.1:{target.port}'
            for name in ('SLUICE_TARGET_AUTH', 'REDISCLI_AUTH'):
                runs.append(repository.restore('LATEST', bare, '--on-conflict', 'replace',
                                               env={name: SECRET}))
                self.assertEqual(self.assert_done(runs[-1])['written'], 1)
            runs.append(repository.restore('LATEST', bare, '--on-conflict', 'replace',
                                           '--target-password-file', file.name))
            self.assertEqual(self.assert_done(runs[-1])['written'], 1)
            runs.append(repository.restore('LATEST', target.uri(), '--flush', '--yes'))
            self.assertEqual(self.assert_done(runs[-1])['written'], 1)
        self.assert_secret_kept(*runs, repository=repository)

    def as_user(self, server, *permissions):
        self.client(server).call('ACL', 'SETUSER', 'tide', 'reset', 'on', f'>{SECRET}',
                                 *permissions)
        return f'redis://tide:{SECRET}@127.0.0.1:{server.port}'

    def test_acl_user_of_the_source(self):
        """+psync +replconf is what it takes. +info tells the version before the dump does, and
        without +ping the server counts refused commands."""
        source, _, counts = self.full()
        documented = ['+psync', '+replconf', '+ping', '+info']
        repository = self.repository()
        runs = [repository.backup(self.as_user(source, *documented))]
        self.assert_backup(self.assert_done(runs[0]), source, counts)
        for left_out in ('+ping', '+info'):
            rest = [p for p in documented if p != left_out]
            runs.append(repository.backup(self.as_user(source, *rest)))
            self.assert_backup(self.assert_done(runs[-1]), source, counts)
        runs.append(repository.backup(self.as_user(source, '+psync', '+replconf')))
        self.assert_backup(self.assert_done(runs[-1]), source, counts)
        for left_out in ('+psync', '+replconf'):
            rest = [p for p in documented if p != left_out]
            runs.append(repository.backup(self.as_user(source, *rest)))
            self.assert_refused(runs[-1], 'no_permission', 'ACL SETUSER', left_out)
        self.assertEqual(len(repository.list()), 4)
        self.assertEqual(repository.strays(), [])
        self.assert_secret_kept(*runs, repository=repository)

    def test_acl_user_of_the_target(self):
        source, there, counts = self.full()
        documented = ['~*', '+restore', '+select', '+info', '+config|get']
        if source.version >= (7, 0):
            documented.append('+function|load')
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        target = self.server(NAME)
        uri = self.as_user(target, *documented)
        runs = [repository.restore('LATEST', uri)]
        self.assert_balanced(self.assert_done(runs[0]))
        self.assert_same(source, target, there, self.client(target))
        flush = ['+flushall', '+function|flush'] if source.version >= (7, 0) else ['+flushall']
        uri = self.as_user(target, *documented, *flush)
        runs.append(repository.restore('LATEST', uri, '--flush', '--yes'))
        self.assert_balanced(self.assert_done(runs[-1]))
        self.assertEqual(source.digest(), target.digest())
        self.assert_secret_kept(*runs, repository=repository)

    # TLS.

    def test_tls(self):
        folder = cli.certificates(self)
        ca = ('--cacert', folder / 'ca.crt')
        repository = self.repository()
        for sync in (DISK, DISKLESS):
            source, uri = cli.tls_server(self, NAME, folder, 'no', *sync)
            there = self.client(source)
            counts = fill.fill(there, source.flavor, source.version, scale=0.1)
            backup = self.assert_done(repository.backup(uri, *ca))
            self.assertEqual(backup['keys'], sum(counts.values()))
            self.assertEqual(backup['source']['uri'], f'rediss://{uri.split("//")[1]}/0')
        self.assert_done(repository.backup(uri, '--insecure'))
        self.assert_done(repository.backup(uri, *ca, '--sni', 'sluice.test'))

        wrong = self.repository()
        for args, words in ((('--cacert', folder / 'other-ca.crt'), ('not trusted', '--cacert')),
                            ((), ('not trusted', '--cacert')),
                            ((*ca, '--sni', 'elsewhere.test'), ('elsewhere.test', '--sni')),
                            (('--cacert', folder / 'absent.crt'), ('absent.crt',))):
            self.assert_refused(wrong.backup(uri, *args), 'tls_failed', *words)
        plain = f'rediss://127.0.0.1:{source.port}'
        self.assert_nothing_kept(wrong)

        target, uri = cli.tls_server(self, NAME, folder, 'no')
        self.assert_balanced(self.assert_done(repository.restore('LATEST', uri, *ca)))
        self.assert_same(source, target, there, self.client(target))
        self.assert_refused(repository.restore('LATEST', uri), 'tls_failed', 'not trusted')

    def test_mutual_tls(self):
        folder = cli.certificates(self)
        ca = ('--cacert', folder / 'ca.crt')
        mine = ('--cert', folder / 'client.crt', '--key', folder / 'client.key')
        repository = self.repository()
        source, uri = cli.tls_server(self, NAME, folder, 'yes', *DISK)
        self.client(source).call('SET', 'k', 'v')
        self.assert_refused(repository.backup(uri, *ca, *mine[:2]), 'tls_failed', 'needs its key')
        self.assert_nothing_kept(repository)
        self.assertEqual(self.assert_done(repository.backup(uri, *ca, *mine))['keys'], 1)
        target, uri = cli.tls_server(self, NAME, folder, 'yes')
        self.assertEqual(
            self.assert_done(repository.restore('LATEST', uri, *ca, *mine))['written'], 1)
        self.assertEqual(source.digest(), target.digest())


if __name__ == '__main__':
    if len(sys.argv) < 2 or sys.argv[1] not in servers.NAMES:
        sys.exit(f'usage: {os.path.basename(sys.argv[0])} {"|".join(servers.NAMES)} [...]')
    NAME = sys.argv.pop(1)
    cli.main(NAME)
