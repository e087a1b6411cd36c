#!/usr/bin/env python3
"""export --format rdb: what servers saved, written for other servers, which must load it.

  writer_test.py [unittest arguments]
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import export_test  # noqa: E402

DUMPS = cli.CORPUS / 'servers'
NAMES = export_test.NAMES
OWN = {'redis60': 9, 'redis70': 10, 'valkey81': 11, 'redis80': 12, 'redis86': 13, 'valkey91': 80}
# Which server loads which version. 6.0 stands for the older ones, which are not in the matrix.
LOADS = [('redis60', 6), ('redis60', 7), ('redis60', 8), *OWN.items()]
HISTORY = ('entries_added', 'max_deleted_id', 'entries_read')


def rows(place):
    return export_test.lines(export_test.export(place))


def escaped(key):
    """As in messages; keys are cut at 128 bytes there."""
    out = ''.join(f'\\{chr(b)}' if chr(b) in '\\"' else chr(b) if 32 <= b < 127 else f'\\x{b:02x}'
                  for b in key[:128])
    return out + ('...' if len(key) > 128 else '')


def without(value, names):
    if isinstance(value, dict):
        return {name: without(part, names) for name, part in value.items() if name not in names}
    if isinstance(value, list):
        return [without(part, names) for part in value]
    return value


def reduced(row, lost, now):
    """A row without what is said to be lost, and without fields whose time is past."""
    row = export_test.normal(row)
    if row['type'] == 'hash':
        row['value'] = [field for field in row['value'] if len(field) < 3 or field[2] > now]
        if 'field_expiries' in lost:
            row['value'] = [field[:2] for field in row['value']]
    if 'stream_history' in lost:
        row['value'] = without(row['value'], HISTORY)
    if 'active_times' in lost:
        row['value'] = without(row['value'], ('active_time',))
    return row


class Writer(cli.Case):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='sluice-writer-'))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, dump, version):
        """The file written, and the result."""
        out = self.folder / f'{dump.stem}-{version}.rdb'
        run = cli.sluice('export', dump, '--format', 'rdb', '--rdb-version', version, '-o', out,
                         '--json')
        result = run.json
        self.assertEqual(run.code, cli.INCOMPLETE if result['loss_count'] else cli.DONE, run)
        self.assertEqual(len(result['losses']), result['loss_count'])
        checked = self.assert_done(cli.sluice('check', out, '--json'))
        self.assertEqual((checked['rdb_version'], checked['crc']), (version, 'ok'))
        self.assertEqual(checked['keys'], result['written'])
        return out, result

    def assert_loads(self, source, name, version):
        dump = DUMPS / f'{source}-default.rdb'
        out, result = self.write(dump, version)
        lost = {(loss['db'], loss['name']): set(loss['what'])
                for loss in result['losses'] if loss['of'] == 'key'}
        server = self.server(name, rdb=out)
        now = time.time() * 1000
        before = {key: row for key, row in rows(dump).items()
                  if row.get('pexpireat', now + 1) > now}
        left_out = {key for key in before
                    if 'value' in lost.get((key[0], escaped(key[1])), ())}
        after = rows(server.uri())
        self.assertEqual(before.keys() - left_out, after.keys())
        self.assertEqual(sum(self.client(server).keyspace().values()), len(after))
        for key, row in after.items():
            what = lost.get((key[0], escaped(key[1])), set())
            with self.subTest(key=key):
                self.assertEqual(reduced(before[key], what, now + 60_000),
                                 reduced(row, what, now + 60_000))
        if OWN[source] == version:
            self.assertEqual((result['losses'], result['transcoded']), ([], 0))
            golden = (DUMPS / f'{source}-default.digest').read_text().strip()
            self.assertEqual(server.digest(), golden)
        server.stop()
        return result

    def test_own_version_without_being_told(self):
        for name in NAMES:
            with self.subTest(name):
                run = cli.sluice('export', DUMPS / f'{name}-lfu.rdb', '--format', 'rdb', '-o',
                                 self.folder / 'out.rdb', '--json')
                result = self.assert_done(run)
                self.assertEqual(result['rdb_version'], OWN[name])
                self.assertEqual(result['lru_lfu_dropped'], 0)

    def test_stdout(self):
        dump = DUMPS / 'redis70-default.rdb'
        out, _ = self.write(dump, 9)
        run = subprocess.run(
            [cli.binary(), 'export', '-', '--format', 'rdb', '--rdb-version', '9'],
            input=dump.read_bytes(), capture_output=True, env=cli.environment(), timeout=120)
        self.assertEqual(run.returncode, cli.INCOMPLETE, run.stderr)
        self.assertEqual(run.stdout, out.read_bytes())
        self.assertIn(b'function library', run.stderr)

    def test_versions_that_cannot_be_written(self):
        for version in (5, 15, 79, 81):
            run = cli.sluice('export', DUMPS / 'redis60-lfu.rdb', '--format', 'rdb',
                             '--rdb-version', version, '-o', self.folder / 'x', '--json')
            self.assert_refused(run, 'bad_option', str(version), exit_code=cli.USAGE)
        run = cli.sluice('export', DUMPS / 'redis60-lfu.rdb', '--rdb-version', 9, '--json')
        self.assert_refused(run, 'bad_option', '--format rdb', exit_code=cli.USAGE)


def add_tests():
    for source in NAMES:
        for name, version in LOADS:
            def test(self, source=source, name=name, version=version):
                self.assert_loads(source, name, version)
            setattr(Writer, f'test_{source}_as_{version}_into_{name}', test)


add_tests()

if __name__ == '__main__':
    cli.main(*NAMES)
