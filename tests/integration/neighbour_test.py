#!/usr/bin/env python3
"""Others use the servers too: what a restore or a clone does to them, and leaves behind."""

import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
KEYS = 400_000
ATTEMPTS = 3  # of what is measured on a machine that does other things too


class Pinger(threading.Thread):
    """A client that does nothing but PING, and notes how long that takes."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self._client = server.client()
        self._stop_asked = threading.Event()
        self._took = []
        self.start()

    def run(self):
        while not self._stop_asked.wait(0.005):
            begun = time.perf_counter()
            self._client.call('PING')
            self._took.append((time.perf_counter() - begun) * 1000)

    def stop(self):
        """What three of four took at most, in ms."""
        self._stop_asked.set()
        self.join(30)
        self._client.close()
        return statistics.quantiles(self._took, n=4)[-1]


class Latency(cli.Case):
    """Sixty-four connections keep a server busy for some ms each time it looks at all of them."""

    BUSY = ('--connections', 64)

    @classmethod
    def setUpClass(cls):
        cls.source = servers.Server(SERVER).start()
        cls.addClassCleanup(cls.source.stop)
        with cls.source.client() as client:
            client.call('DEBUG', 'POPULATE', KEYS, 'key', 200)
        cls.repository = cli.Repository()
        cls.addClassCleanup(cls.repository.__exit__)
        run = cls.repository.backup(cls.source.uri())
        assert run.code == cli.DONE, run

    def restore(self, target, *options):
        return self.repository.restore('LATEST', target.uri(), *options)

    def timed(self, run, target):
        pinger = Pinger(target)
        result = self.assert_done(run())
        return pinger.stop(), result

    def compare(self, run):
        """run(target, *options): a target that is held to a latency answers others faster."""
        for attempt in range(ATTEMPTS):
            target = self.server(SERVER)
            alone_ms, result = self.timed(lambda: run(target, *self.BUSY, '--no-verify'), target)
            self.assertEqual((result['throttled_seconds'], result['latency_ms_max']), (0, None))
            target = self.server(SERVER)
            limit_ms = max(0.5, alone_ms / 3)
            held_ms, result = self.timed(
                lambda: run(target, *self.BUSY, '--no-verify', '--max-latency', limit_ms), target)
            self.assertEqual(result['written'], KEYS)
            self.assert_balanced(result)
            print(f'\nPING {alone_ms:.2f} ms, {held_ms:.2f} when held to {limit_ms:.2f}; '
                  f'{result["throttled_seconds"]:.2f} s of {result["seconds"]:.2f}, '
                  f'highest {result["latency_ms_max"]:.2f} ms', file=sys.stderr)
            if result['throttled_seconds'] > 0 and held_ms < alone_ms * 0.6:
                self.assertGreater(result['latency_ms_max'], limit_ms)
                self.assertLess(result['throttled_seconds'], result['seconds'])
                return
        self.fail(f'no faster in {ATTEMPTS} attempts')

    def test_a_restore_is_held_to_it(self):
        self.compare(self.restore)

    def test_a_clone_is_held_to_it(self):
        self.compare(lambda target, *options: cli.sluice(
            'clone', '--json', self.source.uri(), target.uri(), *options))

    def test_all_of_it_gets_there_and_it_is_said_when_it_begins(self):
        run = self.restore(self.server(SERVER), *self.BUSY, '--max-latency', 0.3)
        result = self.assert_done(run)
        self.assertGreater(result['throttled_seconds'], 0)
        self.assertIs(result['verified'], True)
        said = [line for line in run.err.splitlines() if 'PING' in line]
        self.assertEqual(len(said), 1, run)

    def test_nothing_is_held_back_without_need(self):
        result = self.assert_done(self.restore(self.server(SERVER), '--max-latency', 60_000))
        self.assertEqual(result['throttled_seconds'], 0)
        self.assertIs(result['verified'], True)

    def test_refused_where_it_can_do_nothing(self):
        self.assert_refused(
            self.restore(self.server(SERVER), '--mode', 'feed', '--max-latency', 5),
            'bad_option', '--max-latency', exit_code=cli.USAGE)


if __name__ == '__main__':
    cli.main(SERVER)
