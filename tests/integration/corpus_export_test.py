#!/usr/bin/env python3
"""Every dump of the corpus, backed up in both layouts and exported as an RDB file: stream layout
gives the very bytes back, canonical layout the same data, by DEBUG DIGEST of the server that wrote
the dump.

  corpus_export_test.py [unittest arguments]
"""

import collections
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import corpus_test  # noqa: E402
import servers  # noqa: E402

# Bytes after the end of the dump, from a diskless transfer: no part of the RDB.
END_MARK = {'legacy/redis_40_with_module.rdb': 40}
# How the dumps of the servers are backed up.
WAYS = (('canonical', ()), ('canonical', ('--access-info',)), ('stream', ()))
# No server without its module reads these, or they are of a version of the future.
ONLY_HERE = ('redis_40_with_module', 'redis_60_with_module_aux', 'encodings-rdb987')


def rows(folder=None):
    """The good files of the corpus, of one folder or of all the others."""
    for row in corpus_test.load():
        of_servers = row.file.startswith('servers/')
        if row.verdict == 'ok' and of_servers == (folder == 'servers'):
            yield row


class CorpusExport(cli.Case):
    def exported(self, dump, layout, *args):
        """What `export --format rdb` makes of a backup of the file, and that it says so."""
        repository = self.repository()
        backup = self.assert_done(repository.backup(dump, '--layout', layout, *args))
        self.assertEqual(backup['layout'], layout)
        out = repository._folder / 'out.rdb'
        said = self.assert_done(repository.run('export', 'LATEST', '--format', 'rdb', '-o', out))
        self.assertEqual((said['bytes'], said['keys'], said['written'], said['loss_count']),
                         (out.stat().st_size, backup['keys'], backup['keys'], 0), said)
        return out, said

    def digest(self, dump):
        said = self.assert_done(cli.sluice('digest', '--json', dump))
        return said['keys'], said['digest']

    def loaded(self, server, dump):
        """DEBUG DIGEST of a running server once it has loaded the file in place of its data."""
        shutil.copyfile(dump, server.rdb_path)
        with server.client() as client:
            client.call('DEBUG', 'RELOAD', 'NOSAVE')
        return server.digest()

    def of_server(self, name):
        if not servers.available()[name]:
            self.skipTest(f'{name}: {servers.available()[name].reason}')
        server = self.server(name)
        done = collections.Counter()
        for row in rows('servers'):
            if corpus_test.server_for(row) != name:
                continue
            dump = cli.CORPUS / row.file
            golden = dump.with_suffix('.digest').read_text().strip()
            for layout, args in WAYS:
                with self.subTest(row.file, layout=layout, args=args):
                    out, said = self.exported(dump, layout, *args)
                    self.assertEqual(said['keys'], row.keys)
                    if layout == 'stream':
                        self.assertEqual(out.read_bytes(), dump.read_bytes())
                    else:
                        self.assertEqual(said['rdb_version'], row.rdb_version)
                        self.assertEqual(self.digest(out), self.digest(dump))
                        self.assertEqual(self.loaded(server, out), golden)
                    done[layout] += 1
        print(f'corpus_export_test: {name}: {dict(done)}', flush=True)
        self.assertEqual(done, {'canonical': 4, 'stream': 2})

    def test_other_files(self):
        """Those that a server reads it must also read as exported, to the same data."""
        reader = next((n for n in ('redis80', 'redis70') if servers.available()[n]), None)
        server = self.server(reader) if reader else None
        done = collections.Counter()
        digests = set()
        for row in rows():
            dump = cli.CORPUS / row.file
            by_server = server and dump.stem not in ONLY_HERE
            wanted = self.loaded(server, dump) if by_server else None
            digests.add(wanted)
            for layout in ('canonical', 'stream'):
                with self.subTest(row.file, layout=layout):
                    out, _ = self.exported(dump, layout)
                    if layout == 'stream':
                        whole = dump.read_bytes()
                        rdb = whole[:len(whole) - END_MARK.get(row.file, 0)]
                        self.assertEqual(out.read_bytes(), rdb)
                    checked = self.assert_done(cli.sluice('check', '--json', out))
                    self.assertEqual((checked['ok'], checked['keys']), (True, row.keys))
                    self.assertEqual(self.digest(out), self.digest(dump))
                    if wanted and layout == 'canonical':
                        self.assertEqual(self.loaded(server, out), wanted)
                        done[f'loaded by {reader}'] += 1
                    done[layout] += 1
        print(f'corpus_export_test: other files: {dict(done)}', flush=True)
        self.assertGreater(done['stream'], 30)
        if reader:
            self.assertGreater(len(digests), 25)  # so each was loaded


for _name in servers.NAMES:
    setattr(CorpusExport, f'test_{_name}', lambda self, name=_name: self.of_server(name))


if __name__ == '__main__':
    cli.main()
