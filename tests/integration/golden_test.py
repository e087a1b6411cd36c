#!/usr/bin/env python3
"""Repositories that an earlier program made (tests/data/repositories) are read as what they hold,
and go on; formats that this program does not know are refused, with what to do.

  golden_test.py [unittest arguments]
"""

import gzip
import hashlib
import json
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import servers  # noqa: E402
import xxh3  # noqa: E402

GOLDEN = cli.ROOT / 'tests' / 'data' / 'repositories'
FORMATS = {'0.2': ('canonical-lz4', 'canonical-none', 'canonical-slot-zstd', 'stream-lz4'),
           '0.3': ('encrypted',)}


def sealed(text):
    """A text with its checksum line, as FORMAT and HEAD are written."""
    low, high = xxh3.hash128(text.encode())
    return f'{text}\nXXH3-128:{high:016x}{low:016x}\n'


class GoldenCase(cli.Case):
    def unpacked(self, where):
        """A repository as it was made, and what must come out of it."""
        repository = self.repository()
        repository.path.mkdir()
        with tarfile.open(f'{where}.tar.gz') as tar:
            tar.extractall(repository.path, filter='tar')
        wanted = json.loads(pathlib.Path(f'{where}.json').read_text())
        if 'passphrase' in wanted:
            repository.env['SLUICE_REPOSITORY_PASSPHRASE'] = wanted['passphrase']
        return repository, wanted

    def export(self, repository, backup, form):
        out = repository._folder / f'out.{form}'
        self.assert_done(repository.run('export', backup, '--format', form, '-o', out))
        return out


class Golden(GoldenCase):
    def test_all_are_there(self):
        self.assertEqual(sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()),
                         sorted(FORMATS))
        for name, names in FORMATS.items():
            there = sorted(path.name for path in (GOLDEN / name).iterdir())
            self.assertEqual(there, sorted(f'{n}.{ext}' for n in names for ext in
                                           ('json', 'tar.gz')))
            for path in (GOLDEN / name).glob('*.gz'):
                self.assertLess(path.stat().st_size, 300_000, path)
                gzip.decompress(path.read_bytes())  # its checksum

    def reads(self, where):
        repository, wanted = self.unpacked(where)
        backups = wanted['backups']
        self.lists(repository, backups)
        results = self.assert_done(repository.run('verify', '--all', '--level', 'digest'))
        self.assertEqual([(r['id'], r['ok'], r['level'], r['keys'], r['digest']) for r in results],
                         [(b['id'], True, 'digest', b['keys'], b['digest']) for b in backups])
        for backup in backups:
            self.holds(repository, backup)
        self.assertEqual(repository.strays(), [])
        key = wanted['get']
        run = repository.run('get', backups[-1]['id'], key['key'], '--db', key['db'])
        self.assertEqual(self.assert_done(run), key['row'])

    def lists(self, repository, backups):
        listed = repository.list('--name', 'golden')
        fields = ('id', 'parent', 'keys', 'types', 'digest', 'order', 'layout', 'compression')
        self.assertEqual([[b[field] for field in fields] for b in listed],
                         [[b[field] for field in fields] for b in backups])
        self.assertEqual([b['damage'] for b in listed], [None] * len(backups))
        # The oldest was verified by the program that made it.
        self.assertEqual([b['verified_ok'] for b in listed], [True] + [None] * (len(backups) - 1))

    def holds(self, repository, backup):
        """One backup gives what it was made of, as text and as an RDB file."""
        shown = self.assert_done(repository.run('show', backup['id']))
        for field in ('packs', 'chunks', 'functions', 'databases', 'runs', 'fragments',
                      'chain_depths'):
            if field in backup:
                self.assertEqual(shown[field], backup[field], field)
        rows = self.export(repository, backup['id'], 'jsonl').read_bytes()
        rows = b''.join(sorted(rows.splitlines(keepends=True)))
        self.assertEqual(hashlib.sha256(rows).hexdigest(), backup['jsonl_sha256'])
        dump = self.export(repository, backup['id'], 'rdb')
        said = self.assert_done(cli.sluice('digest', '--json', dump))
        self.assertEqual((said['keys'], said['digest']), (backup['keys'], backup['digest']))

    def goes_on(self, where):
        """A new backup of the oldest state on top of the newest: the parent is taken up as far as
        it is the same, and what was there before is as good as it was."""
        repository, wanted = self.unpacked(where)
        oldest, newest = wanted['backups'][0], wanted['backups'][-1]
        dump = self.export(repository, oldest['id'], 'rdb')
        slot = oldest['order'] == 'slot'  # a file has no slots
        source = self.cluster_node(wanted['server'], dump).uri() if slot else dump
        how = ['--layout', oldest['layout'], '--compression', oldest['compression']]
        if 'none' in where.name:
            how.append('--access-info')
        added = self.assert_done(repository.backup(source, '--name', 'golden', *how))
        self.assertGreater(added['id'], newest['id'])
        self.assertEqual((added['keys'], added['digest'], added['order']),
                         (oldest['keys'], oldest['digest'], oldest['order']))
        digests = [b['digest'] for b in (*wanted['backups'], added)]
        if oldest['layout'] == 'canonical':
            self.assertEqual(added['parent'], newest['id'])
            packs = set(repository.run('show', added['id']).json['packs'])
            self.assertTrue(packs & set(newest['packs']))
            self.assertLess(added['new_bytes'], added['stored_bytes'])
        if added['parent'] and not slot:
            again = self.assert_done(repository.backup(dump, '--name', 'golden', *how))
            self.assertEqual((again['parent'], again['digest']), (added['id'], added['digest']))
            self.assertLess(again['new_bytes'], 2000)  # of what is the same nothing is stored
            digests.append(oldest['digest'])
        results = self.assert_done(repository.run('verify', '--all'))
        self.assertEqual([(r['ok'], r['digest']) for r in results], [(True, d) for d in digests])
        self.holds(repository, {name: oldest[name] for name in ('keys', 'digest', 'jsonl_sha256')}
                   | {'id': added['id']})
        print(f'golden_test: {where.name}: {added["new_bytes"]} new bytes of '
              f'{added["stored_bytes"]}', flush=True)

    def cluster_node(self, name, dump):
        """A node that loads the dump; its own port must leave room for the second one."""
        if not servers.available()[name]:
            self.skipTest(f'{name}: {servers.available()[name].reason}')
        return self.server(name, ('--cluster-enabled', 'yes', '--repl-diskless-sync', 'no',
                                  '--rdbcompression', 'no',
                                  '--cluster-port', servers.free_port()), rdb=dump)

    def loads(self, where):
        """The server that a repository was made from takes it back, to its own digest."""
        repository, wanted = self.unpacked(where)
        name = wanted['server']
        if not servers.available()[name]:
            self.skipTest(f'{name}: {servers.available()[name].reason}')
        for backup in wanted['backups']:
            with servers.Server(name, rdb=self.export(repository, backup['id'], 'rdb')) as server:
                self.assertEqual(server.digest(), backup['debug_digest'])


class Refused(GoldenCase):
    def with_format(self, **fields):
        """A golden repository whose FORMAT and its twin say something else."""
        repository, _ = self.unpacked(GOLDEN / '0.2' / 'stream-lz4')
        mark = json.loads((repository.path / 'FORMAT').read_text().split('\n')[0]) | fields
        text = sealed(json.dumps(mark, separators=(',', ':')))
        for name in ('FORMAT', 'FORMAT.copy'):
            (repository.path / name).unlink()
            (repository.path / name).write_text(text)
        return repository

    def refuse(self, repository, code, *words):
        """Every verb says so, and nothing is changed."""
        def files():
            return {p: p.read_bytes() for p in repository.path.rglob('*') if p.is_file()}

        before = files()
        dump = cli.CORPUS / 'servers' / 'redis70-default.rdb'
        out = repository._folder / 'out'
        for verb in (('list',), ('verify', '--all'), ('show', 'LATEST'), ('backup', dump),
                     ('export', 'LATEST', '-o', out)):
            self.assert_refused(repository.run(*verb), code, *words)
        self.assertEqual(files(), before)

    def test_what_is_sealed_here_is_read(self):
        """So the refusals below are for what they say."""
        repository = self.with_format(another='field')
        self.assertEqual(len(repository.list()), 2)

    def test_an_older_format(self):
        self.refuse(self.with_format(format_minor=1), 'unsupported_format', 'FORMAT', '0.1',
                    'older sluice', 'export its backups with that version')

    def test_a_format_of_the_future(self):
        self.refuse(self.with_format(format_major=7, format_minor=3), 'unsupported_format',
                    'FORMAT', '7.3')

    def test_a_feature_to_read(self):
        features = {'read': ['tide-tables'], 'write': [], 'gc': [], 'check': []}
        self.refuse(self.with_format(required_features=features), 'unsupported_feature',
                    'tide-tables')

    def test_a_feature_to_write_refuses_no_reading(self):
        features = {'read': [], 'write': ['tide-tables'], 'gc': [], 'check': []}
        repository = self.with_format(required_features=features)
        self.assertEqual(len(repository.list()), 2)
        self.assert_done(repository.run('verify', '--all'))
        run = repository.backup(cli.CORPUS / 'servers' / 'redis70-default.rdb')
        self.assert_refused(run, 'unsupported_feature', 'tide-tables')
        self.assertEqual(len(repository.list()), 2)


for _format in FORMATS:
    for _name in FORMATS[_format]:
        for _what in ('reads', 'goes_on', 'loads'):
            setattr(Golden, f'test_{_what}_{_format}_{_name}'.replace('.', '_').replace('-', '_'),
                    lambda self, what=_what, where=GOLDEN / _format / _name:
                    getattr(self, what)(where))


if __name__ == '__main__':
    cli.main()
