#!/usr/bin/env python3
"""export and get: the corpus against what its servers said of it, and commands against servers.

  export_test.py [unittest arguments]
"""

import base64
import collections
import csv
import gzip
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import memory_test  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

NAMES = ('redis60', 'redis70', 'redis80', 'redis86', 'valkey81', 'valkey91')
DUMPS = cli.CORPUS / 'servers'
TOUCHED = ('seen_time', 'active_time')  # of consumers: no command sets them


def text(value):
    """A byte string of the JSON lines as bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value['$base64'], validate=True)
    return value.encode()


def lines(data):
    """JSON lines by (db, key bytes), in that order."""
    out = {}
    for line in data.splitlines():
        row = json.loads(line)
        name = row['db'], text(row['key'])
        if name in out:
            raise AssertionError(f'twice: {name}')
        out[name] = row
    return dict(sorted(out.items()))


def score(said):
    """A score with its sign; 1 and 1.0 are the same."""
    number = float(said)
    return (math.copysign(1, number), number)


def normal(row, *, golden=None):
    """A row without the choices of form, and without what `golden` does not know."""
    row = dict(row)
    if row['type'] == 'zset':
        row['value'] = [[member, score(said)] for member, said in row['value']]
    if row['type'] == 'vectorset':
        row['value'] = None
    if golden is None:
        return row
    if golden.get('pexpireat', 0) is None:  # 6.0 has no way to ask
        row['pexpireat'] = None
    if row['type'] == 'stream':
        row['value'] = as_known(row['value'], golden['value'])
    return row


def as_known(ours, golden):
    """Null where the server did not report; a consumer or group is found by its place."""
    if isinstance(golden, dict) and isinstance(ours, dict):
        out = {name: None if name in golden and golden[name] is None
               else as_known(value, golden.get(name)) for name, value in ours.items()}
        if golden.get('max_deleted_id') == '0-0' and golden.get('entries_added', 0) is None:
            out['max_deleted_id'] = '0-0'
        return out
    if isinstance(golden, list) and isinstance(ours, list) and len(golden) == len(ours):
        return [as_known(*pair) for pair in zip(ours, golden)]
    return ours


def without_touched(value):
    """Without what commands cannot set."""
    if isinstance(value, dict):
        return {name: without_touched(part) for name, part in value.items() if name not in TOUCHED}
    if isinstance(value, list):
        return [without_touched(part) for part in value]
    return value


def export(place, *args, env=None):
    """stdout of `sluice export PLACE`, as bytes; it must succeed."""
    done = subprocess.run([cli.binary(), 'export', place, '--quiet', *map(str, args)],
                          capture_output=True, env=cli.environment(**(env or {})), timeout=120)
    if done.returncode != 0:
        raise AssertionError(f'export {place}: exit {done.returncode}, {done.stderr.decode()}')
    return done.stdout


def feed(server, commands):
    """Sends commands as they are; returns the error replies."""
    with server.client(timeout=120) as client:
        client.sock.sendall(commands + resp.encode('ECHO', 'the end of the commands'))
        errors = []
        while (reply := client.read()) != b'the end of the commands':
            if isinstance(reply, resp.ReplyError):
                errors.append(str(reply))
        return errors


def value_digests(client):
    """DEBUG DIGEST-VALUE of every key by (db, key)."""
    out = {}
    for db in sorted(client.keyspace()):
        client.call('SELECT', db)
        keys = client.call('KEYS', '*')
        replies = client.pipeline(('DEBUG', 'DIGEST-VALUE', key) for key in keys)
        out.update(((db, key), reply[0]) for key, reply in zip(keys, replies))
    return out


class Jsonl(cli.Case):
    def test_equals_what_the_servers_said(self):
        compared = collections.Counter()
        for name in NAMES:
            golden = lines(gzip.open(DUMPS / f'{name}-default.jsonl.gz').read())
            ours = lines(export(DUMPS / f'{name}-default.rdb'))
            self.assertEqual(list(ours), list(golden), name)
            for key, row in golden.items():
                with self.subTest(server=name, key=key):
                    self.assertEqual(normal(ours[key], golden=row), normal(row))
                    compared[name] += 1
        print('export_test: lines equal to the golden ones:', dict(compared), flush=True)
        self.assertGreater(min(compared.values()), 900)

    def test_does_not_depend_on_encodings(self):
        for name in NAMES:
            default, lfu = (lines(export(DUMPS / f'{name}-{kind}.rdb')) for kind in
                            ('default', 'lfu'))
            for row in (*default.values(), *lfu.values()):
                if row['type'] == 'vectorset':
                    row['value'] = None
            self.assertEqual(without_touched(default).keys(), lfu.keys(), name)
            same = sum(default[key]['type'] == 'stream' or default[key] == lfu[key]
                       for key in default)
            self.assertEqual(same, len(default), name)

    def test_scores_are_the_shortest_text(self):
        for name in NAMES:
            for row in lines(export(DUMPS / f'{name}-default.rdb')).values():
                if row['type'] != 'zset':
                    continue
                for _, said in row['value']:
                    self.assertLessEqual(len(said), len(repr(float(said))), row['key'])
                order = [(float(said), text(member)) for member, said in row['value']]
                self.assertEqual(order, sorted(order), row['key'])

    def test_backup_and_live_server_equal_the_file(self):
        name = 'valkey91'
        dump = DUMPS / f'{name}-default.rdb'
        expected = export(dump)
        repository = self.repository()
        self.assert_done(repository.backup(dump, '--layout', 'stream'))
        self.assertEqual(export('LATEST', '--repo', repository.path), expected)
        self.assert_done(repository.backup(dump))
        self.assertEqual(lines(export('LATEST', '--repo', repository.path)), lines(expected))
        if not servers.available()[name]:
            self.skipTest(f'{name}: {servers.available()[name].reason}')
        server = self.server(name, rdb=dump, password='secret')
        live = export(f'valkey://127.0.0.1:{server.port}', env={'SLUICE_SOURCE_AUTH': 'secret'})
        self.assertEqual(lines(live), lines(expected))

    def test_large_values_in_little_memory(self):
        name = 'valkey81'
        if not servers.available()[name]:
            self.skipTest(f'{name}: {servers.available()[name].reason}')
        server = self.server(name)
        client = self.client(server)
        members = [f'member {i * 7919 % 300_007}' for i in range(300_000)]
        for at in range(0, len(members), 1000):
            client.call('SADD', 'set', *members[at:at + 1000])
            client.call('HSET', 'hash', *(word for i in range(at, at + 1000)
                                          for word in (f'field {i}', 'v' * 50)))
        client.call('SET', 'utf8', 'w\u6c34"' * 4_000_000)
        client.call('SET', 'binary', bytes(range(256)) * 40_000)
        client.call('RPUSH', 'list', 'a', '\u6c34' * 1_000_000, b'\xff' * 1_000_000, 'b')
        dump = server.save()
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'out.jsonl'
            run, peak, seconds = memory_test.measured(
                [cli.binary(), 'export', str(dump), '-o', str(out), '--json'])
            self.assert_done(run)
            rows = lines(out.read_bytes())
        print(f'export_test: large values: {peak >> 20} MiB at the peak, {seconds:.1f} s',
              flush=True)
        self.assertEqual(rows[0, b'set']['value'], sorted(members))
        self.assertEqual(rows[0, b'hash']['value'],
                         sorted([f'field {i}', 'v' * 50] for i in range(300_000)))
        self.assertEqual(rows[0, b'utf8']['value'], 'w\u6c34"' * 4_000_000)
        self.assertEqual(text(rows[0, b'binary']['value']), bytes(range(256)) * 40_000)
        self.assertEqual(list(map(text, rows[0, b'list']['value'])),
                         [b'a', '\u6c34'.encode() * 1_000_000, b'\xff' * 1_000_000, b'b'])
        self.assertLess(peak, 64 << 20)


class Resp(cli.Case):
    def rebuilt(self, name, dump):
        """A server that was given the commands of a dump."""
        server = self.server(name)
        self.assertEqual(feed(server, export(dump, '--format', 'resp')), [])
        return server

    def assert_same(self, name, there, here):
        self.assertEqual(there.keys(), here.keys(), name)
        for key, row in there.items():
            with self.subTest(server=name, key=key):
                self.assertEqual(without_touched(normal(here[key])), without_touched(normal(row)))

    def one_server(self, name):
        found = servers.available()[name]
        if not found:
            self.skipTest(f'{name}: {found.reason}')
        dump = DUMPS / f'{name}-default.rdb'
        server = self.rebuilt(name, dump)
        with self.client(server) as client:
            self.assertEqual(server.digest(), (DUMPS / f'{name}-default.digest').read_text().strip())
            if server.version >= (7, 0):
                self.assertEqual(len(client.call('FUNCTION', 'LIST')), 2)
        self.assert_same(name, lines(export(dump)), lines(export(server.save())))

    def full_server(self, name):
        """Data that the corpus does not have: large values, many groups, four databases."""
        found = servers.available()[name]
        if not found:
            self.skipTest(f'{name}: {found.reason}')
        source = self.server(name)
        with self.client(source) as client:
            fill.fill(client, source.flavor, source.version, scale=0.1)
            client.call('SELECT', 0)
            client.call('DEL', 'stream:idempotent')  # no command makes what it remembers
            client.call('SET', 'big', os.urandom(1 << 20) * 3 + b'.')
            client.call('HSET', 'big:hash', b'f' * 70_000, 'v', 'f', b'v' * 70_000, 'g', 'w')
            client.call('ZADD', 'big:zset', 1.5, b'm' * 70_000, 'inf', 'm')
            client.call('RPUSH', 'big:list', 'a', b'e' * 70_000, 'b')
            self.gone_entries(client)
            digests = value_digests(client)
        dump = source.save()
        target = self.rebuilt(name, dump)
        self.assertEqual(target.digest(), source.digest())
        with self.client(target) as client:
            self.assertEqual(value_digests(client), digests)
        self.assert_same(name, lines(export(dump)), lines(export(target.save())))

    def gone_entries(self, client):
        """Groups with pending ids whose entries were deleted: in front, in between, all."""
        for key, gone in (('gone:some', (2, 5)), ('gone:all', range(1, 9)), ('gone:last', (8,))):
            client.pipeline(('XADD', key, f'{i}-1', 'f', i) for i in range(1, 9))
            for group in ('g1', 'g2'):
                client.call('XGROUP', 'CREATE', key, group, 0)
                client.call('XREADGROUP', 'GROUP', group, 'c1', 'COUNT', 6, 'STREAMS', key, '>')
                client.call('XREADGROUP', 'GROUP', group, 'c2', 'COUNT', 2, 'STREAMS', key, '>')
            client.call('XDEL', key, *(f'{i}-1' for i in gone))
        client.pipeline(('XADD', 'gone:trimmed', f'{i}-1', 'f', i) for i in range(1, 9))
        client.call('XGROUP', 'CREATE', 'gone:trimmed', 'g', 0)
        client.call('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'gone:trimmed', '>')
        client.call('XTRIM', 'gone:trimmed', 'MAXLEN', 3)

    def test_expired_keys_are_the_servers_to_delete(self):
        found = servers.available()['redis70']
        if not found:
            self.skipTest(f'redis70: {found.reason}')
        server = self.rebuilt('redis70', cli.CORPUS / 'legacy/keys_with_expiry.rdb')
        with self.client(server) as client:
            self.assertEqual(client.call('GET', 'expires_ms_precision'), None)


for _name in NAMES:
    setattr(Resp, f'test_corpus_{_name}', lambda self, name=_name: self.one_server(name))
    setattr(Resp, f'test_filled_{_name}', lambda self, name=_name: self.full_server(name))


class Csv(cli.Case):
    def test_rows_and_totals(self):
        for name in NAMES:
            dump = DUMPS / f'{name}-lfu.rdb'
            table = list(csv.DictReader(io.StringIO(export(dump, '--format', 'csv').decode())))
            rows = lines(export(dump))
            self.assertEqual(len(table), len(rows))
            self.assertEqual(sum(int(row['db']) for row in table), sum(db for db, _ in rows))
            names = {'vectorset': 'module'}
            self.assertEqual(collections.Counter(row['type'] for row in table),
                             collections.Counter(names.get(row['type'], row['type'])
                                                 for row in rows.values()))
            counts = collections.Counter()
            for row in rows.values():
                value = row['value']
                if row['type'] in ('list', 'set', 'zset', 'hash'):
                    counts[row['type']] += len(value)
                if row['type'] == 'stream':
                    counts['stream'] += len(value['entries'])
            mine = collections.Counter()
            for row in table:
                mine[row['type']] += int(row['elements'] or 0)
            self.assertEqual({kind: mine[kind] for kind in counts}, dict(counts))
            self.assertEqual(sum(bool(row['pexpireat']) for row in table),
                             sum('pexpireat' in row for row in rows.values()))
            self.assertTrue(all(row['freq'] and not row['idle_s'] for row in table))
            self.assertLess(sum(int(row['value_bytes']) for row in table), dump.stat().st_size)
            self.assertGreater(sum(int(row['value_bytes']) for row in table),
                               dump.stat().st_size // 2)


class Get(cli.Case):
    DUMP = DUMPS / 'redis86-default.rdb'

    def get(self, *args, **how):
        done = subprocess.run([cli.binary(), 'get', *map(str, args)], capture_output=True,
                              env=cli.environment(), timeout=60, **how)
        return done.returncode, done.stdout, done.stderr.decode()

    def test_gives_what_the_line_has(self):
        rows = lines(export(self.DUMP))
        sample = {row['type']: key for key, row in rows.items()}
        sample['binary'] = next(key for key, row in rows.items() if not isinstance(row['key'], str))
        for db, key in sample.values():
            encoded = base64.b64encode(key).decode()
            code, out, err = self.get(self.DUMP, '--key-base64', encoded, '--db', db)
            self.assertEqual((code, err), (0, ''))
            self.assertEqual(json.loads(out), rows[db, key]['value'])
            code, out, _ = self.get(self.DUMP, '--key-base64', encoded, '--db', db, '--json')
            self.assertEqual(json.loads(out), rows[db, key])

    def test_backup_and_live_server(self):
        repository = self.repository()
        self.assert_done(repository.backup(self.DUMP))
        _, expected, _ = self.get(self.DUMP, 'set:bin')
        self.assertTrue(expected)
        self.assertEqual(self.get('LATEST', 'set:bin', '--repo', repository.path)[1], expected)
        if servers.available()['redis86']:
            server = self.server('redis86', rdb=self.DUMP)
            self.assertEqual(self.get(server.uri(), 'set:bin')[1], expected)
            with self.client(server) as client:
                dumped = client.call('DUMP', 'list:ints:0')
                payload = self.get(self.DUMP, 'list:ints:0', '--format', 'dump')[1]
                client.call('RESTORE', 'again', 0, payload)
                self.assertEqual(client.call('DUMP', 'again')[:-10], dumped[:-10])

    def test_raw(self):
        rows = lines(export(self.DUMP))
        for (db, key), row in rows.items():
            if row['type'] == 'string' and not isinstance(row['value'], str) and \
                    isinstance(row['key'], str):
                code, out, _ = self.get(self.DUMP, row['key'], '--db', db, '--format', 'raw')
                self.assertEqual((code, out), (0, text(row['value'])))
                break
        code, out, err = self.get(self.DUMP, 'set:bin', '--format', 'raw')
        self.assertEqual((code, out), (cli.USAGE, b''))
        self.assertIn('holds a set', err)

    def test_absent_keys(self):
        code, out, err = self.get(self.DUMP, 'no such key')
        self.assertEqual((code, out), (cli.FAILED, b''))
        self.assertIn('no key "no such key" in databases 0, 1, 9, 15', err)
        code, _, err = self.get(self.DUMP, 'set:bin', '--db', 7)
        self.assertEqual(code, cli.FAILED)
        self.assertIn('database 7', err)
        self.assertEqual(self.get(self.DUMP, '!', '--key-base64')[0], cli.USAGE)

    def test_reads_no_further_than_the_key(self):
        with tempfile.NamedTemporaryFile() as cut:
            whole = self.DUMP.read_bytes()
            cut.write(whole[:-1000])
            cut.flush()
            first = json.loads(export(self.DUMP).splitlines()[0])
            code, out, _ = self.get(cut.name, '--key-base64',
                                    base64.b64encode(text(first['key'])).decode())
            self.assertEqual((code, json.loads(out)), (0, first['value']))


class Output(cli.Case):
    DUMP = DUMPS / 'redis70-default.rdb'

    def test_result_of_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'out.jsonl'
            run = cli.sluice('export', self.DUMP, '-o', path, '--json')
            result = self.assert_done(run)
            self.assertEqual(path.read_bytes(), export(self.DUMP))
            self.assertEqual(result['bytes'], path.stat().st_size)
            self.assertEqual(result['raw_bytes'], self.DUMP.stat().st_size)
            self.assertEqual(result['keys'], sum(result['types'].values()))
            self.assertEqual((result['format'], result['output']), ('jsonl', str(path)))
            self.assertEqual(os.listdir(folder), ['out.jsonl'])

    def test_full_disk(self):
        run = cli.sluice('export', self.DUMP, '-o', '/dev/full', '--json')
        self.assert_refused(run, 'write_failed', 'cannot write /dev/full', 'no space left')
        with tempfile.TemporaryDirectory() as folder:
            limited = ['bash', '-c', 'ulimit -f 100; trap "" XFSZ; exec "$@"', 'limited',
                       cli.binary(), 'export', self.DUMP, '-o', f'{folder}/out', '--quiet']
            done = subprocess.run(limited, capture_output=True, text=True, env=cli.environment())
            self.assertEqual(done.returncode, cli.FAILED, done)
            self.assertIn('File too large', done.stderr)
            self.assertEqual(os.listdir(folder), [])

    def test_reader_that_goes_away(self):
        done = subprocess.run(['bash', '-c', '"$@" | head -c 10; exit ${PIPESTATUS[0]}', 'bash',
                               cli.binary(), 'export', self.DUMP, '--quiet'],
                              capture_output=True, text=True, env=cli.environment())
        self.assertEqual(done.returncode, cli.FAILED, done)
        self.assertIn('cannot write standard output', done.stderr)

    def test_nothing_is_left_of_a_dump_that_is_cut(self):
        with tempfile.TemporaryDirectory() as folder:
            cut = pathlib.Path(folder) / 'cut.rdb'
            cut.write_bytes(self.DUMP.read_bytes()[:-100])
            out = pathlib.Path(folder) / 'out'
            out.write_text('what was there')
            for kind in ('jsonl', 'resp', 'csv'):
                run = cli.sluice('export', cut, '--format', kind, '-o', out, '--json')
                self.assert_refused(run, 'truncated')
                self.assertEqual(out.read_text(), 'what was there')
                self.assertEqual(sorted(os.listdir(folder)), ['cut.rdb', 'out'])

    def test_no_scratch(self):
        env = {'TMPDIR': '/proc'}
        self.assertEqual(export(self.DUMP, env=env), export(self.DUMP))


if __name__ == '__main__':
    cli.main()
