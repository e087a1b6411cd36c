#!/usr/bin/env python3
"""get, diff, history, show and export over backups in canonical layout, with real servers.

  archive_test.py [unittest arguments]
"""

import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import export_test  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402

NAMES = ('redis70', 'redis86', 'valkey91')


def json_lines(run):
    """What it printed, one value a line."""
    return [json.loads(line) for line in run.out.splitlines()]


def in_base64(key):
    return base64.b64encode(key).decode()


def short(line):
    """A line of `diff --json` as (db, key, change, what)."""
    return line['db'], export_test.text(line['key']), line['change'], tuple(line['what'])


class ArchiveCase(cli.Case):
    def need(self, name):
        found = servers.available()[name]
        if not found:
            self.skipTest(f'{name}: {found.reason}')

    def filled(self, name, scale=0.2):
        self.need(name)
        server = self.server(name)
        with self.client(server) as client:
            fill.fill(client, server.flavor, server.version, scale=scale)
            client.call('SELECT', 0)
            client.call('SET', 'long:text', 'sluice ' * 400_000)
            client.call('SET', b'long:\xff\x00', os.urandom(3 << 20))
            client.call('SADD', 'long:set', *(f'member {i} {"x" * 50}' for i in range(30_000)))
            client.call('SET', b'binary:\x00\xff"\n', 'v')
        return server

    def scratch(self):
        """A folder for $TMPDIR, which must be empty in the end."""
        folder = tempfile.TemporaryDirectory(prefix='sluice-scratch-')
        self.addCleanup(folder.cleanup)
        self.addCleanup(lambda: self.assertEqual(os.listdir(folder.name), []))
        return {'TMPDIR': folder.name}

    def backed_up(self, repository, server, name='i', *args):
        return self.assert_done(repository.backup(server.uri(), '--name', name, *args))['id']


class Get(ArchiveCase):
    def gives_every_line(self, name):
        server = self.filled(name, scale=0.05)
        repository = self.repository()
        backup = self.backed_up(repository, server)
        exported = export_test.export(backup, '--repo', repository.path)
        rows = export_test.lines(exported)
        self.assertEqual(rows, export_test.lines(export_test.export(server.save())))
        # By database and key, so two exports are the same bytes.
        order = [(row['db'], export_test.text(row['key']))
                 for row in map(json.loads, exported.splitlines())]
        self.assertEqual(order, sorted(order))
        for (db, key), row in rows.items():
            run = repository.run('get', backup, '--key-base64', in_base64(key), '--db', db)
            self.assertEqual(self.assert_done(run), row)
            self.assertEqual(run.err, '')
        run = repository.run('get', backup, 'nobody has this key')
        self.assert_refused(run, 'no_such_key', 'in databases 0, 1, 7, 15')

    def test_first_database(self):
        self.need('valkey91')
        server = self.server('valkey91')
        for db, value in ((2, 'two'), (9, 'nine')):
            with server.client(db=db) as client:
                client.call('SET', 'k', value)
        repository = self.repository()
        self.backed_up(repository, server)
        self.assertEqual(repository.run('get', 'LATEST', 'k').json['value'], 'two')
        self.assertEqual(repository.run('get', 'LATEST', 'k', '--db', 9).json['value'], 'nine')
        self.assert_refused(repository.run('get', 'LATEST', 'k', '--db', 3), 'no_such_key',
                            'databases with keys: 2, 9')

    def test_payload_is_what_restore_takes(self):
        server = self.filled('redis86')
        repository = self.repository()
        self.backed_up(repository, server)
        with self.client(server) as client:
            for key in ('long:set', 'long:text', 'hash:expiry', 'stream:groups'):
                if not client.call('EXISTS', key):
                    continue
                out = subprocess.run(
                    [cli.binary(), 'get', 'LATEST', key, '--repo', repository.path, '--format',
                     'dump'], capture_output=True, env=cli.environment(), check=True).stdout
                client.call('RESTORE', 'again', 0, out, 'REPLACE')
                self.assertEqual(client.call('DEBUG', 'DIGEST-VALUE', 'again'),
                                 client.call('DEBUG', 'DIGEST-VALUE', key), key)


for _name in NAMES:
    setattr(Get, f'test_every_key_{_name}', lambda self, name=_name: self.gives_every_line(name))


class Diff(ArchiveCase):
    EDITS = [(0, b'added', 'only_b', ()), (0, b'binary:\x00\xff"\n', 'only_a', ()),
             (0, b'long:set', 'different', ('value',)), (0, b'long:text', 'different', ('ttl',)),
             (0, b'session:type', 'different', ('value', 'type')),
             (0, b'session:value', 'different', ('value', 'ttl')), (7, b'same:1', 'only_a', ()),
             (7, b'same:list', 'different', ('value',))]

    def prepare(self, server):
        with self.client(server) as client:
            client.call('SET', 'session:type', 'v')
            client.call('SET', 'session:value', 'v')
            client.call('RPUSH', 'same:encoding', *range(100))
            client.call('SADD', 'same:members', *range(100))

    def edit(self, server):
        """What EDITS say, and what is no difference."""
        with self.client(server) as client:
            client.call('SET', 'added', 1)
            client.call('DEL', b'binary:\x00\xff"\n')
            client.call('SREM', 'long:set', f'member 17 {"x" * 50}')
            client.call('PEXPIREAT', 'long:text', fill.FAR)
            client.call('DEL', 'session:type')
            client.call('RPUSH', 'session:type', 'v')
            client.call('SET', 'session:value', 'w', 'PXAT', fill.FAR)
            # Other encodings of the same.
            client.call('SADD', 'same:members', 'x' * 100)
            client.call('SREM', 'same:members', 'x' * 100)
            client.call('RPUSH', 'same:encoding', 'x' * 100_000)
            client.call('RPOP', 'same:encoding')
        with server.client(db=7) as client:
            client.call('DEL', 'same:1')
            client.call('RPUSH', 'same:list', 'one more')

    def diff(self, repository, *args, code=cli.DIFFERENT, **how):
        run = repository.run('diff', *args, **how)
        self.assertEqual(run.code, code, run)
        *lines, result = json_lines(run)
        self.assertEqual(result['only_a'] + result['only_b'] + result['different'], len(lines))
        return lines, result

    def tells_the_edits(self, name):
        server = self.filled(name, scale=2)
        self.prepare(server)
        repository = self.repository()
        env = self.scratch()
        first = self.backed_up(repository, server)
        before = server.save(server.folder / 'before.rdb')
        self.edit(server)
        second = self.backed_up(repository, server)
        stream = self.backed_up(repository, server, 'stream', '--layout', 'stream')
        lines, result = self.diff(repository, first, second, env=env)
        self.assertEqual(sorted(map(short, lines)), self.EDITS)
        self.assertGreater(result['runs_skipped'], 0)
        keys = repository.run('show', second).json['keys']
        self.assertEqual(result['same'] + result['only_b'] + result['different'], keys)
        # The same whatever the places are.
        for a, b in ((first, server.uri()), (before, second), (first, stream),
                     (before, server.uri())):
            other, counts = self.diff(repository, a, b, env=env)
            self.assertEqual(other, lines, (a, b))
            self.assertEqual(counts['same'], result['same'])
        for a, b in ((second, server.uri()), (second, stream), (first, before), (first, first)):
            self.assertEqual(self.diff(repository, a, b, code=cli.DONE, env=env)[0], [])
        # The other way round.
        swapped = {'only_a': 'only_b', 'only_b': 'only_a', 'different': 'different'}
        back, _ = self.diff(repository, second, first)
        self.assertEqual([(db, key, swapped[change], what) for db, key, change, what in
                          map(short, back)], list(map(short, lines)))

    def test_what_it_prints(self):
        server = self.filled('valkey91', scale=0.1)
        self.prepare(server)
        repository = self.repository()
        first = self.backed_up(repository, server)
        self.edit(server)
        second = self.backed_up(repository, server)
        run = cli.sluice('diff', first, second, '--repo', repository.path)
        self.assertEqual(run.code, cli.DIFFERENT, run)
        self.assertIn('+ db0 "added" string\n', run.out)
        self.assertIn('- db0 "binary:\\x00\\xff\\"\\x0A" string\n', run.out.replace('\\x0a', '\\x0A'))
        self.assertIn('~ db0 "long:text" string: ttl none -> 2100-01-01T00:00:00.000Z\n', run.out)
        self.assertIn('~ db0 "session:type" string: type string -> list\n', run.out)
        self.assertIn('~ db0 "session:value" string: value, ttl none -> ', run.out)
        run = repository.run('diff', first, second, '--summary')
        self.assertEqual(run.code, cli.DIFFERENT)
        self.assertEqual(run.json['different'], 5)
        run = repository.run('diff', first, second, '--db', 7)
        self.assertEqual([short(line) for line in json_lines(run)[:-1]], self.EDITS[-2:])
        run = repository.run('diff', first, second, '--match', 'session:*')
        self.assertEqual({short(line)[1] for line in json_lines(run)[:-1]},
                         {b'session:type', b'session:value'})
        expires = [line for line in json_lines(run)[:-1] if 'pexpireat_b' in line]
        self.assertEqual([line['pexpireat_b'] for line in expires], [fill.FAR])

    def test_reader_that_goes_away(self):
        server = self.filled('valkey91', scale=0.1)
        repository = self.repository()
        self.backed_up(repository, server)
        with self.client(server) as client:
            client.call('FLUSHALL')
            client.pipeline(('SET', f'{"k" * 1000}:{i}', 'v') for i in range(1000))
        env = self.scratch()
        done = subprocess.run(
            ['bash', '-c', '"$@" | head -c 10; exit ${PIPESTATUS[0]}', 'bash', cli.binary(), 'diff',
             'LATEST', server.uri(), '--repo', repository.path, '--quiet'],
            capture_output=True, text=True, env=cli.environment(**env))
        self.assertEqual(done.returncode, cli.FAILED, done)
        self.assertIn('cannot write to standard output', done.stderr)

    def test_nothing_is_left_after_a_signal(self):
        self.need('valkey91')
        server = self.server('valkey91', ('--repl-diskless-sync-delay', 60))
        repository = self.repository()
        dump = export_test.DUMPS / 'valkey91-default.rdb'
        self.assert_done(repository.backup(dump))
        env = self.scratch()
        job = subprocess.Popen(repository.command('diff', 'LATEST', server.uri()),
                               env=cli.environment(**env), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not os.listdir(env['TMPDIR']) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual([path.stat().st_mode & 0o777 for path in
                          pathlib.Path(env['TMPDIR']).iterdir()], [0o700])
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=30)
        self.assertEqual(job.returncode, cli.TERMINATED)

    def test_places_that_are_not_there(self):
        repository = self.repository()
        dump = export_test.DUMPS / 'valkey91-default.rdb'
        self.assert_done(repository.backup(dump))
        self.assert_refused(repository.run('diff', 'LATEST', '/no/such/file', env=self.scratch()),
                            'not_found', '/no/such/file')
        with tempfile.NamedTemporaryFile() as cut:
            cut.write(dump.read_bytes()[:-100])
            cut.flush()
            self.assert_refused(repository.run('diff', 'LATEST', cut.name, env=self.scratch()),
                                'truncated')


for _name in NAMES:
    setattr(Diff, f'test_edits_{_name}', lambda self, name=_name: self.tells_the_edits(name))


class History(ArchiveCase):
    def test_four_backups(self):
        server = self.filled('valkey91', scale=0.5)
        repository = self.repository()
        with self.client(server) as client:
            ids = [self.backed_up(repository, server)]
            client.call('SET', b'k\xff', 'one')
            ids.append(self.backed_up(repository, server))
            client.call('SET', 'another', 1)
            ids.append(self.backed_up(repository, server))
            client.call('PEXPIREAT', b'k\xff', fill.FAR)
            client.call('SETRANGE', 'long:text', 1 << 20, 'another')
            ids.append(self.backed_up(repository, server))
        run = repository.run('history', '--key-base64', in_base64(b'k\xff'), '--name', 'i')
        self.assertEqual(run.err, '')
        states = self.assert_done(run)
        self.assertEqual([state['id'] for state in states], ids)
        self.assertEqual([state['present'] for state in states], [False, True, True, True])
        self.assertEqual([state['changed'] for state in states], [True, True, False, True])
        self.assertEqual([state.get('pexpireat') for state in states], [None] * 3 + [fill.FAR])
        self.assertEqual({state.get('type') for state in states}, {None, 'string'})
        run = repository.run('history', 'long:text', '--name', 'i', '--changes')
        self.assertEqual([state['id'] for state in run.json], [ids[0], ids[3]])
        self.assertEqual({state['value_bytes'] for state in states[1:]}, {4})
        # From when to when.
        times = [backup['started_at'] for backup in repository.list()]
        run = repository.run('history', 'another', '--name', 'i', '--from', times[1], '--to',
                             times[2])
        self.assertEqual([state['id'] for state in run.json], ids[1:3])
        # One that has to be scanned.
        self.backed_up(repository, server, 'i', '--layout', 'stream')
        run = repository.run('history', 'long:text', '--name', 'i')
        self.assertIn('it is read up to the key', run.err)
        self.assertEqual([state['changed'] for state in run.json],
                         [True, False, False, True, False])
        table = cli.sluice('history', 'long:text', '--name', 'i', '--repo', repository.path)
        self.assertEqual(len(re.findall(r' \* ', table.out)), 2, table)

    def test_no_such_instance(self):
        repository = self.repository()
        self.assert_done(repository.backup(export_test.DUMPS / 'valkey91-default.rdb'))
        self.assert_refused(repository.run('history', 'k', '--name', 'nobody'), 'not_found',
                            'no backup of nobody')
        self.assertEqual(repository.run('history', 'k').code, cli.USAGE)


class Catalog(ArchiveCase):
    def test_parents_and_packs(self):
        server = self.filled('valkey91', scale=1)
        repository = self.repository()
        first = self.backed_up(repository, server)
        with self.client(server) as client:
            client.call('SET', 'session:new', 'v')
        second = self.backed_up(repository, server)
        old, new = (repository.run('show', backup).json for backup in (first, second))
        self.assertEqual((old['parent'], new['parent']), (None, first))
        self.assertEqual((old['used_by'], new['used_by']), ([second], []))
        self.assertEqual(old['own_packs'], len(old['packs']))
        self.assertEqual(new['own_packs'], 1)
        self.assertLess(set(old['packs']), set(new['packs']))
        self.assertEqual((old['order'], old['layout']), ('key', 'canonical'))
        for show in (old, new):
            self.assertEqual(sum(show['chain_depths']), show['chunks'])
            self.assertEqual(len(show['chain_depths']), 8)
            self.assertGreater(show['runs'], 0)
            self.assertGreater(show['fragments'], 0)
        self.assertEqual(old['chain_depths'][0], old['chunks'])
        self.assertGreater(new['chain_depths'][1], 0)
        self.assertLess(new['new_bytes'], old['new_bytes'] / 10)
        self.assertEqual(new['new_bytes'], new['own_pack_file_bytes'])
        table = cli.sluice('list', '--repo', repository.path)
        self.assertRegex(table.out, 'STORED +NEW +SERVER')
        self.assertEqual([backup['parent'] for backup in repository.list()], [None, first])


class ExportRdb(ArchiveCase):
    def test_bytes_come_back(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'out.rdb'
            for name in export_test.NAMES:
                dump = export_test.DUMPS / f'{name}-lfu.rdb'
                repository = self.repository()
                self.assert_done(repository.backup(dump, '--layout', 'stream'))
                result = self.assert_done(
                    repository.run('export', 'LATEST', '--format', 'rdb', '-o', out))
                self.assertEqual(out.read_bytes(), dump.read_bytes(), name)
                self.assertEqual(result['written'], result['keys'])
                version = result['rdb_version']
                self.assert_done(repository.run('export', 'LATEST', '--format', 'rdb', '-o', out,
                                                '--rdb-version', version))
                self.assertEqual(out.read_bytes(), dump.read_bytes(), name)

    def test_servers_load_what_is_made_anew(self):
        for name in NAMES:
            server = self.filled(name)
            repository = self.repository()
            self.backed_up(repository, server)
            with tempfile.TemporaryDirectory() as folder:
                out = pathlib.Path(folder) / 'out.rdb'
                result = self.assert_done(
                    repository.run('export', 'LATEST', '--format', 'rdb', '-o', out))
                self.assertEqual(result['bytes'], out.stat().st_size)
                self.assertEqual(servers.check_rdb(name, out)[0], True)
                again = self.server(name, rdb=out)
            self.assertEqual(again.digest(), server.digest(), name)


class Cluster(ArchiveCase):
    def cluster_node(self, name):
        self.need(name)
        # A bus port of its own: by itself it would be 10,000 above the other, and often too high.
        server = self.server(name, ('--cluster-enabled', 'yes',
                                    '--cluster-port', str(servers.free_port())))
        with self.client(server) as client:
            client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
            deadline = time.monotonic() + 30
            while b'cluster_state:ok' not in client.call('CLUSTER', 'INFO'):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            client.pipeline(('SET', f'{{tag{i % 7}}}:{i}', 'v' * 300) for i in range(2000))
            client.pipeline(('HSET', f'user:{i}', 'n', i) for i in range(2000))
            client.call('SET', b'long:\xff', os.urandom(2 << 20))
        return server

    def one(self, name):
        server = self.cluster_node(name)
        repository = self.repository()
        first = self.backed_up(repository, server)
        self.assertEqual(repository.run('show', first).json['order'], 'slot')
        rows = export_test.lines(export_test.export(first, '--repo', repository.path))
        self.assertEqual(rows, export_test.lines(export_test.export(server.save())))
        for (db, key), row in list(rows.items())[::100]:
            run = repository.run('get', first, '--key-base64', in_base64(key), '--db', db)
            self.assertEqual(self.assert_done(run), row)
        self.assert_refused(repository.run('get', first, 'user:x'), 'no_such_key')
        with self.client(server) as client:
            client.call('SET', 'user:17', 'another')
            client.call('DEL', '{tag3}:3')
        second = self.backed_up(repository, server)
        edits = [(0, b'user:17', 'different', ('value', 'type')), (0, b'{tag3}:3', 'only_a', ())]
        env = self.scratch()
        # A file has no slots, so there the two are compared by key.
        for b in (second, server.uri(), server.save()):
            run = repository.run('diff', first, b, env=env)
            self.assertEqual(sorted(map(short, json_lines(run)[:-1])), edits, run)
            self.assertEqual(repository.run('diff', second, b, env=env).code, cli.DONE)
        states = repository.run('history', '{tag3}:3', '--name', 'i').json
        self.assertEqual([state['present'] for state in states], [True, False])

    def test_redis86(self):
        self.one('redis86')

    def test_valkey91(self):
        self.one('valkey91')


if __name__ == '__main__':
    cli.main()
