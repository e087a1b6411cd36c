#!/usr/bin/env python3
"""Proves the harness itself: every server of the matrix that is here starts, is filled, survives
DEBUG RELOAD with the same digest, and is gone afterwards.

  selftest.py [-v]     a server that is absent is skipped by name, with the reason
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fill  # noqa: E402
import rdbwalk  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

# What only some servers have.
_FIELD_EXPIRY = ('redis80', 'redis86', 'valkey91')
_VECTORS = ('redis80', 'redis86')
_PLAIN_TYPES = {'string', 'list', 'set', 'zset', 'hash', 'stream'}
# Every object type that each server writes into a dump.
_COMMON = {0, 2, 4, 5, 11}
_OBJECT_TYPES = {
    'redis60': _COMMON | {12, 13, 14, 15},
    'redis70': _COMMON | {16, 17, 18, 19},
    'redis80': _COMMON | {7, 16, 17, 18, 20, 21, 24, 25},
    'redis86': _COMMON | {7, 16, 17, 18, 20, 24, 25, 26},
    'valkey81': _COMMON | {16, 17, 18, 20, 21},
    'valkey91': _COMMON | {16, 17, 18, 20, 21, 22},
}


def alive(pid):
    """Whether a process runs; one that ended and was not waited for does not count."""
    try:
        stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return stat.rsplit(')', 1)[1].split()[0] not in 'ZX'


def gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def all_settings(client):
    flat = client.call('CONFIG', 'GET', '*')
    return dict(zip(flat[::2], flat[1::2]))


class EveryServer(unittest.TestCase):
    """One test a server; they are made below."""

    def check(self, name):
        digests = []
        for _ in range(2):  # the second time proves that the data are the same every time
            with servers.Server(name) as server, server.client() as client:
                pid, folder = server.pid, server.folder
                settings = all_settings(client)
                counts = fill.fill(client, server.flavor, server.version)
                self.assertEqual(settings, all_settings(client))
                self.check_counts(name, client, counts)
                before = server.digest()
                self.assertNotEqual(before, '0' * 40)
                client.call('DEBUG', 'RELOAD')
                self.assertEqual(before, server.digest())
                self.assertEqual(counts, fill.counts(client))
                digests.append(before)
                self.check_dump(name, server.save(), sum(counts.values()))
            self.assertFalse(alive(pid), 'the server still runs')
            self.assertFalse(folder.exists(), 'its folder is still there')
        self.assertEqual(*digests)

    def check_dump(self, name, path, keys):
        accepted, output = servers.check_rdb(name, path)
        self.assertTrue(accepted, output)
        walk = rdbwalk.walk(path.read_bytes())
        self.assertEqual((walk.keys, walk.crc), (keys, 'ok'))
        self.assertEqual(set(walk.types), _OBJECT_TYPES[name])

    def check_counts(self, name, client, counts):
        keyspace = client.keyspace()
        self.assertEqual(sorted(keyspace), [0, 1, 7, 15])
        self.assertEqual(sum(keyspace.values()), sum(counts.values()))
        self.assertGreater(sum(counts.values()), 3000)
        types = _PLAIN_TYPES | ({'vectorset'} if name in _VECTORS else set())
        self.assertEqual(set(counts), types)
        if name in _FIELD_EXPIRY:
            when = client.call('HPEXPIRETIME', 'hash:ttl:one', 'FIELDS', 1, 'f0')
            self.assertEqual(when, [fill.FAR])
        score = client.call('ZSCORE', 'zset:scores:many', 'm1')
        self.assertEqual(score, b'-0', 'the skiplist lost the sign of -0.0')
        if name != 'redis60':
            self.assertEqual(len(client.call('FUNCTION', 'LIST')), 2)


def _make_tests():
    for name, found in servers.available().items():
        def test(self, name=name):
            self.check(name)
        if not found:
            test = unittest.skip(f'{name}: {found.reason}')(test)
        setattr(EveryServer, f'test_{name}', test)


_make_tests()


def some_server():
    return next((name for name, found in servers.available().items() if found), None)


@unittest.skipIf(some_server() is None, 'no server of the matrix is here')
class Harness(unittest.TestCase):
    """What must hold for any server."""

    def test_dies_with_the_test(self):
        """kill -9 of the test process takes its server along."""
        code = (f'import sys, time; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n'
                'import servers\n'
                f's = servers.Server({some_server()!r}, folder=sys.argv[1]).start()\n'
                'print(s.pid, flush=True); time.sleep(600)')
        with tempfile.TemporaryDirectory() as folder:
            child = subprocess.Popen([sys.executable, '-c', code, folder], stdout=subprocess.PIPE)
            with child:
                pid = int(child.stdout.readline())
                self.assertTrue(alive(pid))
                os.kill(child.pid, signal.SIGKILL)
            self.assertTrue(gone(pid))

    def test_an_exception_stops_the_server(self):
        with self.assertRaises(ZeroDivisionError):
            with servers.Server(some_server()) as server:
                pid = server.pid
                1 / 0
        self.assertFalse(alive(pid))

    def test_bad_arguments_say_why(self):
        with self.assertRaisesRegex(RuntimeError, 'no-such-setting'):
            servers.Server(some_server(), ('--no-such-setting', '1')).start()

    def test_password_and_restart_from_a_dump(self):
        with servers.Server(some_server(), password='secret') as server:
            self.assertRegex(server.uri(3), r'^(redis|valkey)://:secret@127\.0\.0\.1:\d+/3$')
            with (resp.Client(server.port) as stranger,
                  self.assertRaisesRegex(resp.ReplyError, 'NOAUTH')):
                stranger.call('GET', 'k')
            with server.client(db=3) as client:
                client.call('SET', b'\x00\r\n', b'\xff')
            dump = server.save()
            with servers.Server(some_server(), rdb=dump) as copy:
                self.assertEqual(server.digest(), copy.digest())
            server.kill()
            server.start()
            with server.client(db=3) as client:
                self.assertEqual(client.call('GET', b'\x00\r\n'), b'\xff')

    def test_pipeline_keeps_order_and_errors(self):
        with servers.Server(some_server()) as server, server.client() as client:
            replies = client.pipeline([('SET', 'k', i) for i in range(2500)] + [('LPUSH', 'k', 1),
                                                                                ('GET', 'k')],
                                      errors='return')
            self.assertEqual(replies[:2500], ['OK'] * 2500)
            self.assertEqual(replies[2500].code, 'WRONGTYPE')
            self.assertEqual(replies[2501], b'2499')
            with self.assertRaises(resp.ReplyError):
                client.pipeline([('LPUSH', 'k', 1)])

    def test_scale_and_seed(self):
        with servers.Server(some_server()) as server, server.client() as client:
            def digest(**how):
                client.call('FLUSHALL')
                total = sum(fill.fill(client, server.flavor, server.version, **how).values())
                return total, server.digest()
            small, other, large = digest(scale=0), digest(scale=0, seed=2), digest(scale=2)
            self.assertNotEqual(small[1], other[1])
            self.assertEqual(large[0] - small[0], 5000)


if __name__ == '__main__':
    unittest.main()
