#!/usr/bin/env python3
"""Holds tests/data/corpus/expected.tsv against the files, by an independent walk over them and by
what real servers say. `load()` is for other tests that read the corpus."""

import collections
import gzip
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rdbwalk  # noqa: E402
import servers  # noqa: E402

CORPUS = pathlib.Path(__file__).resolve().parent.parent / 'data' / 'corpus'

Row = collections.namedtuple('Row', 'file verdict keys rdb_version expiring crc note')


def load():
    """The rows of expected.tsv; numbers are int, '-' is None."""
    lines = (CORPUS / 'expected.tsv').read_text().splitlines()
    if tuple(lines[0].split('\t')) != Row._fields:
        raise ValueError('expected.tsv has other columns')

    def cell(name, text):
        if name not in ('keys', 'rdb_version', 'expiring'):
            return text
        return None if text == '-' else int(text)

    return [Row(*map(cell, Row._fields, line.split('\t'))) for line in lines[1:]]


def server_for(row):
    """The server of the matrix whose checker should read a file."""
    if row.file.startswith('servers/'):
        return row.file.split('/')[1].split('-')[0]
    return 'valkey91' if row.rdb_version == 987 else 'redis86'


class Corpus(unittest.TestCase):
    def test_every_file_has_a_row(self):
        there = sorted(str(p.relative_to(CORPUS)) for p in CORPUS.glob('*/*.rdb'))
        self.assertEqual(there, [row.file for row in load()])

    def test_an_independent_walk_agrees(self):
        for row in load():
            with self.subTest(row.file):
                try:
                    walk = rdbwalk.walk((CORPUS / row.file).read_bytes())
                except rdbwalk.Malformed as e:
                    self.assertEqual(row.verdict, 'refused')
                    self.assertIn(f'at {e.offset} ', row.note)
                    continue
                self.assertEqual((walk.version, walk.crc), (row.rdb_version, row.crc))
                if row.verdict == 'ok':
                    self.assertEqual((walk.keys, walk.expiring), (row.keys, row.expiring))

    def test_json_lines_have_one_line_a_key(self):
        rows = [row for row in load() if row.file.startswith('servers/')]
        self.assertEqual(len(rows), 12)
        for row in rows:
            with self.subTest(row.file):
                golden = CORPUS / 'servers' / f'{server_for(row)}-default.jsonl.gz'
                with gzip.open(golden, 'rb') as f:
                    self.assertEqual(sum(1 for _ in f), row.keys)

    def test_the_servers_own_checkers_agree(self):
        found = servers.available()
        for row in load():
            name = server_for(row)
            if not found[name]:
                continue
            with self.subTest(row.file):
                accepted, output = servers.check_rdb(name, CORPUS / row.file)
                self.assertEqual(accepted, row.verdict == 'ok', output)
                if accepted:
                    keys = re.search(r'(\d+) keys read', output)
                    self.assertEqual(int(keys[1]), row.keys)

    def test_servers_load_their_dumps_to_the_digest(self):
        found = servers.available()
        for row in load():
            if not row.file.startswith('servers/') or not found[server_for(row)]:
                continue
            with self.subTest(row.file):
                path = CORPUS / row.file
                with (servers.Server(server_for(row), rdb=path) as server,
                      server.client() as client):
                    self.assertEqual(sum(client.keyspace().values()), row.keys)
                    golden = path.with_suffix('.digest').read_text().strip()
                    self.assertEqual(server.digest(), golden)


if __name__ == '__main__':
    unittest.main()
