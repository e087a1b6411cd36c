#!/usr/bin/env python3
"""A large string and a hash of many fields, restored in every mode: equal, in little memory, and what
the target does not take is named.

  big_value_test.py [--soak] [unittest arguments]

80 MB and 300,000 fields; with --soak 1 GB and 5 million fields, which needs some 8 GB of memory.
"""

import dataclasses
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import memory_test  # noqa: E402

SERVER = 'redis70'
MODES = ('auto', 'restore', 'commands', 'feed')
FIELD_BYTES = 100
QUICK = ('--rdbcompression', 'no')


@dataclasses.dataclass(frozen=True)
class Size:
    string_bytes: int
    fields: int
    limit_bytes: int  # proto-max-bulk-len below both values
    memory_bytes: int  # that sluice may take
    server_bytes: int  # that has to be available


SMALL = Size(80_000_000, 300_000, 16 << 20, 64 << 20, 1 << 30)
LARGE = Size(1 << 30, 5_000_000, 512 << 20, 256 << 20, 8 << 30)
SIZE = SMALL


def fill(client):
    r = random.Random(1)
    noise = r.randbytes(8 << 20)
    left = SIZE.string_bytes
    while left > 0:
        left -= len(noise[:left]) if client.call('APPEND', 'string', noise[:left]) else 0
    for first in range(0, SIZE.fields, 100_000):
        client.pipeline(hash_command(noise, at)
                        for at in range(first, min(first + 100_000, SIZE.fields), 500))
    client.call('SET', 'small', 1)


def hash_command(noise, first):
    out = ['HSET', 'hash']
    for i in range(first, min(first + 500, SIZE.fields)):
        at = i * 7919 % (len(noise) - FIELD_BYTES)
        out += [f'f{i:08}', noise[at:at + FIELD_BYTES]]
    return out


def digests(client):
    return client.call('DEBUG', 'DIGEST-VALUE', 'string', 'hash', 'small')


class BigValue(cli.Case):
    @classmethod
    def setUpClass(cls):
        lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines
                         if line.startswith('MemAvailable'))
        if available < SIZE.server_bytes:
            raise AssertionError('this machine has too little memory for the test')
        cls.repo = cli.Repository()
        with cli.servers.Server(SERVER, QUICK + ('--proto-max-bulk-len', 2 << 30)) as source:
            with source.client(timeout=300) as client:
                fill(client)
                cls.digests = digests(client)
                assert client.call('STRLEN', 'string') == SIZE.string_bytes
                assert client.call('HLEN', 'hash') == SIZE.fields
            cls.peak('backup', 'backup', source.uri())

    @classmethod
    def tearDownClass(cls):
        cls.repo.__exit__()

    @classmethod
    def peak(cls, what, *args, code=cli.DONE):
        """Runs it in little memory."""
        run, peak, seconds = memory_test.measured(cls.repo.command(*args))
        print(f'big_value_test: {what}: peak {peak / (1 << 20):.0f} MiB, {seconds:.1f} s',
              flush=True)
        if run.code != code:
            raise AssertionError(f'exit code {run.code}, not {code}: {run}')
        if peak >= SIZE.memory_bytes:
            raise AssertionError(f'{what}: {peak >> 20} MiB, not {SIZE.memory_bytes >> 20}')
        return run.json

    def target(self, limit, *args):
        target = self.server(SERVER, QUICK + ('--proto-max-bulk-len', limit, *args))
        return target, self.client(target, timeout=300)

    def restored(self, mode, target, limit, code=cli.DONE):
        result = self.peak(f'{mode}, proto-max-bulk-len {limit >> 20} MiB', 'restore', 'LATEST',
                           target.uri(), '--mode', mode, code=code)
        self.assert_balanced(result)
        self.assertIs(result['verified'], True, result)
        return result

    def test_every_mode(self):
        limit = SIZE.string_bytes + (1 << 20)
        for mode in MODES:
            with self.subTest(mode=mode):
                target, client = self.target(limit, '--client-query-buffer-limit', 2 * limit)
                self.assertEqual(self.restored(mode, target, limit)['written'], 3)
                self.assertEqual(digests(client), self.digests)
                client.close()
                target.stop()

    def test_above_the_limit_of_the_target(self):
        """The hash goes by commands where it may, the string only by feeding."""
        absent = '0' * 40
        text, table, small = self.digests
        for mode, there in (('auto', [absent, table, small]), ('restore', [absent, absent, small]),
                            ('commands', [absent, table, small]), ('feed', [text, table, small])):
            with self.subTest(mode=mode):
                target, client = self.target(SIZE.limit_bytes)
                lost = there.count(absent)
                result = self.restored(mode, target, SIZE.limit_bytes,
                                       cli.INCOMPLETE if lost else cli.DONE)
                self.assertEqual(digests(client), there)
                self.assertEqual(result['failed'], lost)
                self.assertEqual([f['key'] for f in result['failures']],
                                 [key for key, digest in zip(('string', 'hash'), there)
                                  if digest == absent][::-1])
                for failure in result['failures']:
                    self.assertIn('proto-max-bulk-len', failure['message'])
                client.close()
                target.stop()

    def test_above_the_query_buffer_of_the_target(self):
        """That limit is 1 GB unless set otherwise: one that has only the other one raised."""
        limit = SIZE.string_bytes + (1 << 20)
        for mode, written in (('auto', 3), ('restore', 2)):
            with self.subTest(mode=mode):
                target, client = self.target(limit, '--client-query-buffer-limit',
                                             SIZE.string_bytes)
                result = self.restored(mode, target, limit,
                                       cli.DONE if written == 3 else cli.INCOMPLETE)
                self.assertEqual(result['written'], written)
                if written == 3:
                    self.assertEqual(digests(client), self.digests)
                else:
                    self.assertIn('client-query-buffer-limit', result['failures'][0]['message'])
                client.close()
                target.stop()

    def test_a_dry_run_knows(self):
        target, _ = self.target(SIZE.limit_bytes)
        for mode, failed in (('auto', 1), ('restore', 2), ('commands', 1)):
            run = self.repo.restore('LATEST', target.uri(), '--mode', mode, '--dry-run')
            result = self.assert_done(run, cli.INCOMPLETE)
            self.assertEqual(result['failed'], failed, mode)


class AtTheLimit(cli.Case):
    """Values of which the target takes just not the payload."""

    LIMIT = 4 << 20

    def test_what_just_fits(self):
        source = self.server(SERVER)
        noise = random.Random(2).randbytes(self.LIMIT + 1)
        there = self.client(source)
        there.call('SET', 'fits', noise[:-1])
        there.call('SET', 'not', noise)
        there.call('RPUSH', 'parts', noise[:-1], noise[1:], 'x')
        there.call('RPUSH', 'too long', 'x', noise)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        for mode in ('auto', 'commands', 'restore'):
            with self.subTest(mode=mode):
                target = self.server(SERVER, ('--proto-max-bulk-len', self.LIMIT))
                here = self.client(target)
                run = repository.restore('LATEST', target.uri(), '--mode', mode)
                result = self.assert_done(run, cli.INCOMPLETE)
                self.assert_balanced(result)
                self.assertIs(result['verified'], True, run)
                written = [] if mode == 'restore' else [b'fits', b'parts']
                self.assertEqual(sorted(here.call('KEYS', '*')), written)
                self.assertEqual(*(c.call('DEBUG', 'DIGEST-VALUE', *written)
                                   for c in (there, here)))
                for failure in result['failures']:
                    self.assertIn('proto-max-bulk-len', failure['message'])


if __name__ == '__main__':
    if '--soak' in sys.argv:
        sys.argv.remove('--soak')
        SIZE = LARGE
    cli.main(SERVER)
