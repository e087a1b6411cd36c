#!/usr/bin/env python3
"""Others use the servers too: what a restore or a clone does to them, and leaves behind."""

import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import clusters  # noqa: E402
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
            alone_ms, alone = self.timed(lambda: run(target, *self.BUSY, '--no-verify'), target)
            self.assertEqual((alone['throttled_seconds'], alone['latency_ms_max']), (0, None))
            target = self.server(SERVER)
            limit_ms = max(0.5, alone_ms / 3)
            held_ms, result = self.timed(
                lambda: run(target, *self.BUSY, '--no-verify', '--max-latency', limit_ms), target)
            self.assertEqual(result['written'], KEYS)
            self.assert_balanced(result)
            print(f'\nPING {alone_ms:.2f} ms, {held_ms:.2f} when held to {limit_ms:.2f}; '
                  f'{alone["seconds"]:.2f} s, '
                  f'{result["seconds"]:.2f} with {result["throttled_seconds"]:.2f} held back, '
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

    def test_a_cluster_is_held_to_it(self):
        with clusters.Cluster(SERVER, 3) as cluster:
            run = self.repository.restore('LATEST', cluster.uri(), '--cluster', '--max-latency', 0.3)
            result = self.assert_done(run)
        self.assertGreater(result['throttled_seconds'], 0)
        self.assertGreater(result['latency_ms_max'], 0.3)
        self.assertEqual(result['written'], KEYS)
        self.assertIs(result['verified'], True)

    def test_a_stop_is_not_held_back(self):
        target = self.server(SERVER)
        client = self.client(target)
        child = subprocess.Popen(
            self.repository.command('restore', 'LATEST', target.uri(), *self.BUSY, '--max-latency',
                                    0.1), env=cli.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(child.kill)
        while client.call('DBSIZE') == 0 and child.poll() is None:
            time.sleep(0.01)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        begun = time.monotonic()
        child.communicate(timeout=60)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertIn(child.returncode, (cli.INTERRUPTED, cli.DONE))

    def test_nothing_is_held_back_without_need(self):
        result = self.assert_done(self.restore(self.server(SERVER), '--max-latency', 60_000))
        self.assertEqual(result['throttled_seconds'], 0)
        self.assertIs(result['verified'], True)

    def test_refused_where_it_can_do_nothing(self):
        self.assert_refused(
            self.restore(self.server(SERVER), '--mode', 'feed', '--max-latency', 5),
            'bad_option', '--max-latency', exit_code=cli.USAGE)


class Import(cli.Case):
    """Valkey's import-mode: it is on while a target is written, and never stays."""

    SERVERS = ('valkey81', 'valkey91')

    def filled(self, name, keys=20_000):
        """A server with keys, some of them in lists."""
        server = self.server(name)
        client = self.client(server)
        client.call('DEBUG', 'POPULATE', keys, 'key', 200)
        client.pipeline(('RPUSH', f'list:{i}', 'a', i, 'b') for i in range(100))
        return server

    def backed_up(self, name, keys=20_000):
        repository = self.repository()
        self.assert_done(repository.backup(self.filled(name, keys).uri()))
        return repository

    def importing(self, client):
        return client.config('import-mode') == 'yes'

    def wait_for(self, what, seconds=30):
        until = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), until, 'it did not come to it')
            time.sleep(0.02)

    def begun(self, args, client):
        """The program, once the target is in import-mode and has keys."""
        child = subprocess.Popen(args, env=cli.environment(), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.kill)
        self.wait_for(lambda: self.importing(client) and client.call('DBSIZE') > 0)
        self.assertIsNone(child.poll())
        return child

    def ended(self, child):
        out, err = child.communicate(timeout=60)
        return cli.Run(('...',), child.returncode, out, err)

    def test_it_is_on_while_a_target_is_written(self):
        for name in self.SERVERS:
            repository = self.backed_up(name)
            for mode in ('restore', 'commands'):
                with self.subTest(server=name, mode=mode):
                    target = self.server(name)
                    client = self.client(target)
                    child = self.begun(repository.command(
                        'restore', 'LATEST', target.uri(), '--mode', mode, '--rate', '2MB'), client)
                    result = self.assert_done(self.ended(child))
                    self.assertFalse(self.importing(client))
                    self.assertIs(result['verified'], True)
                    self.assertEqual(result['notes'], [])

    def test_keys_expire_once_it_is_off(self):
        for name in self.SERVERS:
            with self.subTest(server=name):
                source = self.filled(name)
                there = self.client(source)
                there.pipeline(('SET', f'soon:{i}', 'v', 'PX', 4000) for i in range(500))
                repository = self.repository()
                self.assert_done(repository.backup(source.uri()))
                target = self.server(name)
                client = self.client(target)
                child = self.begun(repository.command('restore', 'LATEST', target.uri(), '--rate',
                                                      '500kB'), client)
                result = self.assert_done(self.ended(child))
                self.assertIs(result['verified'], True)
                self.assert_balanced(result)
                self.wait_for(lambda: client.call('DBSIZE') == 20_100)

    def test_what_does_not_fit_is_named_and_takes_no_place(self):
        for name in self.SERVERS:
            with self.subTest(server=name):
                repository = self.backed_up(name, 100_000)
                target = self.server(name, ('--maxmemory', '16mb', '--maxmemory-policy',
                                            'allkeys-lru'))
                result = repository.restore('LATEST', target.uri(), '--no-verify').json
                self.assertGreater(result['failed'], 0)
                self.assertIn('OOM', result['failures'][0]['message'])
                # The last key is written a little above maxmemory, which is mended once it is off.
                evicted = int(self.client(target).info('stats')['evicted_keys'])
                self.assertLess(evicted, 100)

    def test_a_target_in_use_is_left_as_it_is(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        client.call('SET', 'mine', 1)
        client.call('CONFIG', 'RESETSTAT')
        result = self.assert_done(repository.restore('LATEST', target.uri(), '--on-conflict',
                                                     'replace'))
        self.assertEqual(result['written'], 20_100)
        self.assertNotIn('cmdstat_config|set', client.info('commandstats'))
        self.assertNotIn('cmdstat_client|import-source', client.info('commandstats'))

    def test_it_is_off_after_whatever_ends_it(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        command = repository.command('restore', 'LATEST', target.uri(), '--rate', '500kB', '--flush',
                                     '--yes')
        for how in (signal.SIGINT, signal.SIGTERM, 'lost'):
            with self.subTest(how=how):
                client.call('FLUSHALL')
                child = self.begun(command, client)
                if how == 'lost':
                    client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
                else:
                    child.send_signal(how)
                run = self.ended(child)
                self.assertNotEqual(run.code, cli.DONE, run)
                self.assertFalse(self.importing(client), run)
                self.assertIsNotNone(run.json['error'])

    def test_a_target_that_dies_has_none_any_more(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        child = self.begun(repository.command('restore', 'LATEST', target.uri(), '--rate', '500kB'),
                           client)
        target.kill()
        run = self.ended(child)
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertTrue(any('import-mode' in note for note in run.json['notes']), run)

    def test_doctor_finds_what_a_kill_leaves(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        child = self.begun(repository.command('restore', 'LATEST', target.uri(), '--rate', '500kB'),
                           client)
        child.kill()
        child.communicate()
        self.assertTrue(self.importing(client))

        def found():
            said = cli.sluice('doctor', '--json', target.uri()).json
            return [each for each in said['findings'] if each['about'] == 'import_mode']

        self.assertEqual([each['level'] for each in found()], ['warn'])
        client.call(*found()[0]['remedy'].split(': ')[1].split())
        self.assertEqual(found(), [])

    def test_the_next_run_ends_what_a_kill_leaves(self):
        repository = self.backed_up('valkey91')
        for how in (('--resume',), ('--flush', '--yes')):
            with self.subTest(how=how):
                target = self.server('valkey91')
                client = self.client(target)
                child = self.begun(repository.command('restore', 'LATEST', target.uri(), '--rate',
                                                      '500kB'), client)
                child.kill()
                child.communicate()
                self.assertTrue(self.importing(client))
                result = self.assert_done(repository.restore('LATEST', target.uri(), *how))
                self.assertIs(result['verified'], True)
                self.assertFalse(self.importing(client))

    def test_one_that_was_on_stays_on(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        client.config('import-mode', 'yes')
        result = self.assert_done(repository.restore('LATEST', target.uri()))
        self.assertTrue(any('was left on' in note for note in result['notes']), result)
        self.assertIs(result['verified'], True)
        self.assertTrue(self.importing(client))

    def test_a_user_who_may_not_goes_on_without(self):
        repository = self.backed_up('valkey91')
        target = self.server('valkey91')
        client = self.client(target)
        client.call('ACL', 'SETUSER', 'u', 'on', '>word', '~*', '+@all', '-config|set')
        result = self.assert_done(
            repository.restore('LATEST', target.uri().replace('://', '://u:word@')))
        self.assertTrue(any('NOPERM' in note and 'import-mode' in note for note in result['notes']),
                        result)
        self.assertIs(result['verified'], True)
        self.assertFalse(self.importing(client))

    def test_a_followed_source_decides_what_expires(self):
        """Keys whose time comes while they are copied, and which the source keeps after all."""
        for name in self.SERVERS:
            with self.subTest(server=name):
                source, target = self.filled(name, 100_000), self.server(name)
                there, here = self.client(source), self.client(target)
                there.pipeline(('SET', f'{kind}:{i}', i, 'PX', 2500)
                               for i in range(300) for kind in ('kept', 'counted', 'gone'))
                child = self.begun(
                    [cli.binary(), 'clone', '--json', '--quiet', source.uri(), target.uri(),
                     '--follow', '--rate', '1500kB'], here)
                there.pipeline(('PERSIST', f'kept:{i}') for i in range(300))
                there.pipeline(('INCR', f'counted:{i}') for i in range(300))
                there.pipeline(('PERSIST', f'counted:{i}') for i in range(300))
                self.wait_for(lambda: there.call('DBSIZE') == 100_700)
                there.call('SET', 'last', 1)
                self.wait_for(lambda: here.call('EXISTS', 'last'))
                self.assertTrue(self.importing(here))
                child.send_signal(signal.SIGUSR1)
                result = self.assert_done(self.ended(child))
                self.assertTrue(result['followed']['cut_over'])
                self.assertFalse(self.importing(here))
                self.assertEqual(result['expired'], 0)
                self.assertEqual(source.digest(), target.digest())

    def test_a_follower_that_is_stopped_leaves_none(self):
        source, target = self.filled('valkey91'), self.server('valkey91')
        here = self.client(target)
        child = self.begun([cli.binary(), 'clone', '--json', '--quiet', source.uri(), target.uri(),
                            '--follow'], here)
        self.wait_for(lambda: here.call('DBSIZE') == 20_100)
        child.send_signal(signal.SIGINT)
        self.ended(child)
        self.assertFalse(self.importing(here))


if __name__ == '__main__':
    cli.main(SERVER, *Import.SERVERS)
