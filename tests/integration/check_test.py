#!/usr/bin/env python3
"""`sluice check` over the corpus, and dumps of the corpus taken into an archive and out of it into
the server that wrote them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import corpus_test  # noqa: E402
import fake  # noqa: E402
import servers  # noqa: E402

ROWS = corpus_test.load()
# Sound as far as lengths and key borders go, which is all that depth frame looks at: a ziplist of
# five bytes "xxxxx", and nine collections without elements. Keys of the file, and the first refusal.
VALUES_ONLY = {
    'valkey-assets/corrupt_ziplist.rdb': (54, 1, 'bad_encoding', 488, 'key:000000000091'),
    'valkey-assets/corrupt_empty_keys.rdb': (9, 9, 'empty_value', 99, 'set'),
}
FIELDS = {'ok', 'dialect', 'rdb_version', 'bytes', 'keys', 'types', 'crc', 'digest', 'error',
          'errors', 'error_count', 'modules', 'unchecked', 'trailing_bytes'}


def check(place, *args, **how):
    return cli.sluice('check', '--json', *args, place, **how)


class Check(cli.Case):
    def test_corpus(self):
        for row in ROWS:
            with self.subTest(row.file):
                path = cli.CORPUS / row.file
                run = check(path, '--depth', 'frame')
                result = run.json
                self.assertLessEqual(FIELDS, set(result))
                self.assertEqual(result['rdb_version'], row.rdb_version)
                if row.verdict == 'ok' or row.file in VALUES_ONLY:
                    keys = VALUES_ONLY.get(row.file, (row.keys,))[0]
                    self.assertEqual((run.code, run.err), (cli.DONE, ''), run)
                    self.assertEqual((result['ok'], result['error']), (True, None))
                    self.assertEqual((result['keys'], result['crc']), (keys, row.crc))
                    self.assertEqual(sum(result['types'].values()), keys)
                    self.assertEqual(result['bytes'] + result['trailing_bytes'],
                                     path.stat().st_size)
                else:
                    self.assertEqual((run.code, result['ok']), (cli.FAILED, False), run)
                    self.assertEqual(result['error']['code'], 'unknown_type')
                    self.assertIn(f' at {result["error"]["offset"]} ', row.note)
                    self.assertIn('150', result['error']['message'])
                    self.assertEqual((result['error']['db'], result['error']['key']), (0, 'foo'))

    def test_values_of_the_corpus(self):
        for row in (row for row in ROWS if row.verdict == 'ok' and row.file not in VALUES_ONLY):
            with self.subTest(row.file):
                verify = check(cli.CORPUS / row.file)
                self.assertEqual((verify.code, verify.json['ok']), (cli.DONE, True), verify)
                self.assertEqual(verify.json['error_count'], 0)
                decode = check(cli.CORPUS / row.file, '--depth', 'decode')
                digest = cli.sluice('digest', '--json', cli.CORPUS / row.file)
                self.assertEqual(decode.json, verify.json | {'digest': digest.json['digest']})

    def test_values_that_are_wrong(self):
        for depth in ('verify', 'decode'):
            for file, (keys, count, code, offset, key) in VALUES_ONLY.items():
                with self.subTest(file, depth=depth):
                    run = check(cli.CORPUS / file, '--depth', depth)
                    result = run.json
                    self.assertEqual((run.code, result['ok']), (cli.FAILED, False), run)
                    # One wrong value does not hide what comes after it.
                    self.assertEqual((result['keys'], result['error_count']), (keys, count))
                    self.assertEqual(len(result['errors']), count)
                    self.assertEqual(result['errors'][0], result['error'])
                    error = result['error']
                    self.assertEqual((error['code'], error['offset'], error['key']),
                                     (code, offset, key))
                    self.assertIsNone(result['digest'])

    def test_dialect(self):
        for row in ROWS:
            if row.file.startswith('servers/'):
                with self.subTest(row.file):
                    # Valkey 8 writes the magic and the opcodes of Redis 7.2.
                    wanted = 'valkey' if 'valkey91' in row.file else 'redis'
                    self.assertEqual(check(cli.CORPUS / row.file).json['dialect'], wanted)

    def test_ways_to_name_a_file(self):
        for file in ('servers/redis70-default.rdb', 'legacy/redis_40_with_module.rdb',
                     'valkey-assets/encodings-rdb987-unknown-types.rdb'):
            path = cli.CORPUS / file
            plain = check(path)
            with open(path, 'rb') as stdin:
                redirected = check('-', stdin=stdin)
            for run in (check(f'file://{path}'), redirected, check('-', stdin=path.read_bytes())):
                self.assertEqual((run.code, run.json), (plain.code, plain.json))

    def test_people_get_text(self):
        run = cli.sluice('check', cli.CORPUS / 'servers/redis70-default.rdb')
        self.assertEqual((run.code, run.err), (cli.DONE, ''))
        self.assertRegex(run.out, '^ok: redis RDB version 10, 949 keys ')
        run = cli.sluice('check', cli.CORPUS / 'valkey-assets/encodings-rdb75-unknown-types.rdb')
        self.assertEqual(run.code, cli.FAILED)
        self.assertIn('type 150', run.out + run.err)
        self.assertIn('offset 91', run.out + run.err)

    def damaged(self, data):
        return check('-', stdin=bytes(data))

    def test_damage(self):
        data = (cli.CORPUS / 'servers/redis86-default.rdb').read_bytes()
        run = self.damaged(data[:-1] + bytes([data[-1] ^ 1]))
        self.assertEqual((run.code, run.json['crc'], run.json['error']['code']),
                         (cli.FAILED, 'mismatch', 'checksum_mismatch'), run)
        for size in (0, 4, 8, 9, 100, len(data) // 2, len(data) - 9, len(data) - 8, len(data) - 1):
            run = self.damaged(data[:size])
            self.assertEqual((run.code, run.json['ok']), (cli.FAILED, False), run)
            self.assertEqual(run.json['error']['code'], 'truncated', size)
            self.assertEqual(run.json['error']['offset'], size)
        run = self.damaged(b'HELLO' + data[5:])
        self.assertEqual((run.code, run.json['error']['code']), (cli.FAILED, 'bad_magic'))
        run = self.damaged(data + b'more')
        self.assertEqual((run.code, run.json['trailing_bytes']), (cli.DONE, 4))

    def test_what_is_not_read_is_named(self):
        dragonfly = b'REDIS0009\xfa\x06df-ver\x07v1.30.0'
        for data, code, words in (
                (dragonfly + b'\x1e\x01k\x02{}', 'unsupported_dialect',
                 ('type 30', 'a JSON document of Dragonfly', 'key "k"', 'offset 25', 'JSON.SET')),
                (dragonfly + b'\xca\x04zzzz', 'unsupported_dialect', ('opcode 202', 'SAVE RDB')),
                (b'REDIS0009\x40\x01k\x00', 'unknown_type', ('type 64', 'if KeyDB wrote it')),
                (b'VCS\x01\x01\x00\x01\x04\x22\x4d\x18', 'bad_magic', ('Valkey', 'lz4 -d'))):
            run = self.damaged(data)
            self.assertEqual((run.code, run.json['error']['code']), (cli.FAILED, code), run)
            for word in words:
                self.assertIn(word, run.json['error']['message'], run)

    def test_every_flipped_bit_is_seen(self):
        """By the frame or by the checksum; and nothing crashes over it."""
        data = fake.rdb([('key:1', 'value' * 20), ('key:2', '12345')])
        whole = (cli.CORPUS / 'legacy/rdb_version_5_with_checksum.rdb').read_bytes()
        for at in range(9, len(whole)):
            run = self.damaged(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
            self.assertEqual(run.code, cli.FAILED, f'byte {at}: {run}')
        self.assertEqual(self.damaged(data).code, cli.DONE)

    def test_files_that_cannot_be_read(self):
        for place in ('/no/such/file.rdb', str(cli.CORPUS), 'file:///no/such/file.rdb'):
            run = check(place)
            self.assert_refused(run, 'open_failed', place.removeprefix('file://'),
                                exit_code=cli.USAGE)


class Import(cli.Case):
    def test_a_dump_comes_back_as_it_was(self):
        found = servers.available()
        for row in ROWS:
            name = row.file.split('/')[1].split('-')[0]
            if not row.file.startswith('servers/') or not found[name]:
                continue
            with self.subTest(row.file):
                path = cli.CORPUS / row.file
                repository = self.repository()
                backup = self.assert_done(repository.backup(path))
                self.assertEqual(backup['instance'], path.stem)
                self.assertEqual((backup['keys'], backup['source']['rdb_version']),
                                 (row.keys, row.rdb_version))
                self.assertEqual(backup['raw_bytes'], path.stat().st_size)
                self.assertEqual(backup['source']['server'], name.rstrip('0123456789'))
                target = self.server(name)
                result = self.assert_done(repository.restore('LATEST', target.uri()))
                self.assert_balanced(result)
                self.assertEqual((result['written'], result['expired']), (row.keys, 0))
                self.assertEqual(target.digest(), path.with_suffix('.digest').read_text().strip())
                target.stop()

    def test_from_standard_input(self):
        data = (cli.CORPUS / 'servers/redis70-default.rdb').read_bytes()
        repository = self.repository()
        for place in (f'file://{cli.CORPUS}/servers/redis70-default.rdb', '-'):
            backup = self.assert_done(repository.backup(place, '--name', 'piped', stdin=data))
            self.assertEqual((backup['keys'], backup['instance']), (949, 'piped'))
        self.assertEqual(self.assert_done(repository.backup('-', stdin=data))['instance'], 'stdin')

    def test_damaged_dumps_are_not_taken_in(self):
        data = (cli.CORPUS / 'servers/redis70-default.rdb').read_bytes()
        for bad, code in ((data[:1000], 'truncated'), (data[:-1] + b'x', 'checksum_mismatch'),
                          (b'hello, world', 'bad_magic'), (b'', 'truncated')):
            repository = self.repository()
            self.assert_refused(repository.backup('-', stdin=bad), code)
            self.assert_nothing_kept(repository)

    def test_bytes_after_the_end(self):
        repository = self.repository()
        run = repository.backup(cli.CORPUS / 'legacy/redis_40_with_module.rdb')
        self.assertEqual(self.assert_done(run)['keys'], 2)
        self.assertRegex(run.err, '^sluice: 40 bytes after the end')


if __name__ == '__main__':
    cli.main()
