#!/usr/bin/env python3
"""One live server copied into another, and kept up to date while clients write and links are cut."""

import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import resp  # noqa: E402

SERVER = 'redis70'
SECONDS = 6  # of writing; --seconds
LONG_SECONDS, LONG_RATE = 60, 20_000  # writes a second that so long a run has at least


def end(*sockets):
    for each in sockets:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Relay:
    """A TCP relay in front of a server, whose connections can be cut."""

    def __init__(self, port):
        self._to = port
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self._pairs = []
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(('127.0.0.1', self._to))
            self.accepted += 1
            self._pairs.append((near, far))
            threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near, far):
        with near, far:
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
        except OSError:
            pass
        end(source, sink)

    def cut(self):
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            end(*pair)

    def lead_to(self, port):
        self._to = port

    def close(self):
        self._listener.close()
        self.cut()


WRITES = 203  # of a batch of Writer


class Writer(threading.Thread):
    """Writes of every kind, in databases 0 and 3, until told to stop. Once its server hangs up it
    goes on with the next one, as the clients of a migration do, if there is one."""

    def __init__(self, server, then=None):
        super().__init__(daemon=True)
        self._client = server.client()
        self._then = then
        self._stop_asked = threading.Event()
        self.may_move = threading.Event()
        self.writes = 0
        self.acknowledged = 0  # of tx:a, what its INCR gave
        self.moved = False
        self.start()

    def run(self):
        n = 0
        while not self._stop_asked.is_set():
            batch = []
            for _ in range(WRITES - 3):
                n += 1
                k = n * 7919 % 50_000
                batch.append((('SET', f'w:{k}', n), ('INCRBY', f'c:{k % 100}', n),
                              ('RPUSH', f'l:{k % 500}', n), ('LPOP', f'l:{(k + 7) % 500}'),
                              ('HSET', f'h:{k % 300}', f'f{n % 50}', n), ('SADD', f's:{k % 90}', n),
                              ('ZADD', f'z:{k % 90}', n % 13, f'm{n % 400}'),
                              ('XADD', f'x:{k % 40}', '*', 'n', n), ('DEL', f'w:{(k * 3) % 50_000}'),
                              ('SETEX', f'e:{k % 200}', 1000, n))[n % 10])
            batch += [('MULTI',), ('INCR', 'tx:a'), ('INCR', 'tx:b'), ('EXEC',),
                      ('SELECT', 3), ('SET', f'three:{n % 1000}', n), ('SELECT', 0),
                      ('PUBLISH', 'news', n)]
            try:
                self._acknowledge(self._client.pipeline(batch))
            except OSError:
                if not self._move():
                    return
                continue
            self.writes += WRITES

    def _acknowledge(self, replies):
        [(self.acknowledged, _)] = [reply for reply in replies if isinstance(reply, list)]

    def _move(self):
        """To the next server; false when it was told to stop instead."""
        self._client.close()
        self.may_move.wait(60)
        if self._stop_asked.is_set():
            return False
        self._client, self._then = self._then.client(), None
        self.moved = True
        return True

    def stop(self):
        self._stop_asked.set()
        self.may_move.set()
        self.join(30)
        self._client.close()


class Clone(cli.Case):
    def clone(self, source, target, *args, **how):
        return cli.sluice('clone', '--json', source, target, *args, **how)

    def test_copies_a_server(self):
        for name in (SERVER, 'valkey91'):
            with self.subTest(server=name):
                source, target = self.server(name), self.server(name)
                counts = fill.fill(self.client(source), source.flavor, source.version, scale=0.1)
                result = self.assert_done(self.clone(source.uri(), target.uri()))
                self.assert_balanced(result)
                self.assertEqual(result['written'], sum(counts.values()))
                self.assertIs(result['verified'], True)
                self.assertEqual(source.digest(), target.digest())
                self.assertEqual(result['source']['version'], '.'.join(map(str, source.version)))
                self.assertEqual(len(result['source']['replid']), 40)
                self.assertIsNone(result['followed'])

    def test_into_an_older_server(self):
        source, target = self.server('redis86'), self.server(SERVER)
        fill.fill(self.client(source), source.flavor, source.version, scale=0.1)
        result = self.assert_done(self.clone(source.uri(), target.uri()), cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertIs(result['verified'], True)
        self.assertGreater(result['failed'] + result['loss_count'], 0)

    def test_refusals(self):
        source, target = self.server(SERVER), self.server(SERVER)
        self.client(source).call('SET', 'a', 1)
        self.client(target).call('SET', 'b', 2)
        self.assert_refused(self.clone(source.uri(), target.uri()), 'target_not_empty', '--flush')
        self.assert_refused(self.clone(source.uri(), source.uri()), 'same_server',
                            exit_code=cli.USAGE)
        self.assert_refused(self.clone(source.uri(), target.uri(), '--flush'), 'not_confirmed',
                            exit_code=cli.USAGE)
        self.assertEqual(self.client(target).call('GET', 'b'), b'2')
        self.assert_done(self.clone(source.uri(), target.uri(), '--flush', '--yes'))
        self.assertEqual(self.client(target).call('KEYS', '*'), [b'a'])

    def follow(self, source, target, *args):
        child = subprocess.Popen(
            [cli.binary(), 'clone', '--json', '--quiet', source, target, '--follow', *args],
            env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.kill)
        return child

    def ended(self, child, timeout=60):
        out, err = child.communicate(timeout=timeout)
        return cli.Run(('clone',), child.returncode, out.decode(), err.decode())

    def wait_for(self, what, seconds=60):
        until = time.time() + seconds
        while not what():
            self.assertLess(time.time(), until, 'it did not come to it')
            time.sleep(0.05)

    def test_follows_through_cuts_and_cuts_over(self):
        """Clients write all the time, are paused, and are turned to the target within the pause."""
        source, target = self.server(SERVER, ('--repl-backlog-size', 64 << 20)), self.server(SERVER)
        there, here = self.client(source), self.client(target)
        fill.fill(there, source.flavor, source.version, scale=1)
        relay = Relay(source.port)
        self.addCleanup(relay.close)
        writer = Writer(source, target)
        self.addCleanup(writer.stop)
        child = self.follow(f'redis://127.0.0.1:{relay.port}', target.uri())
        self.wait_for(lambda: here.call('EXISTS', 'tx:a'))
        begun, before = time.time(), writer.writes
        for _ in range(3):
            time.sleep(SECONDS / 4)
            relay.cut()
        time.sleep(max(0, begun + SECONDS - time.time()))
        rate = (writer.writes - before) / (time.time() - begun)
        child.send_signal(signal.SIGUSR1)
        run = self.ended(child)
        # What the paused source was still to do for them goes with them: it stays as it is.
        there.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        self.assert_equal(source, target)
        acknowledged = writer.acknowledged
        self.assertGreaterEqual(int(here.call('GET', 'tx:a')), acknowledged)
        writer.may_move.set()
        self.wait_for(lambda: writer.acknowledged > acknowledged + 100)
        writer.stop()
        self.assertTrue(writer.moved)

        followed = self.assert_done(run)['followed']
        self.assertTrue(followed['cut_over'], followed)
        self.assertEqual((followed['errors'], followed['lag_bytes']), ([], 0))
        self.assertGreaterEqual(followed['reconnects'], 3)
        self.assertGreater(followed['commands'], 1000 * SECONDS)
        self.assertLess(followed['paused_seconds'], 10)
        if SECONDS >= LONG_SECONDS:
            self.assertGreater(min(rate, followed['commands'] / SECONDS), LONG_RATE)
        print(f'\n{rate:.0f} writes a second for {SECONDS} s, {followed}', file=sys.stderr)

    def assert_equal(self, source, target):
        self.assertEqual(source.digest(), target.digest())
        # That knows of the moments at which keys expire, too.
        diff = cli.sluice('diff', source.uri(), target.uri(), '--summary', '--json')
        self.assert_done(diff)

    def test_is_equal_once_the_writing_has_ended(self):
        source, target = self.server(SERVER, ('--repl-backlog-size', 64 << 20)), self.server(SERVER)
        here = self.client(target)
        fill.fill(self.client(source), source.flavor, source.version, scale=1)
        relay = Relay(source.port)
        self.addCleanup(relay.close)
        writer = Writer(source)
        child = self.follow(f'redis://127.0.0.1:{relay.port}', target.uri())
        self.wait_for(lambda: here.call('EXISTS', 'tx:a'))
        time.sleep(1)
        relay.cut()
        time.sleep(1)
        writer.stop()
        child.send_signal(signal.SIGUSR1)
        result = self.assert_done(self.ended(child))
        self.assertTrue(result['followed']['cut_over'])
        self.assert_equal(source, target)

    def test_a_stop_ends_it_cleanly(self):
        source, target = self.server(SERVER), self.server(SERVER)
        there, here = self.client(source), self.client(target)
        there.call('SET', 'a', 1)
        child = self.follow(source.uri(), target.uri())
        self.wait_for(lambda: here.call('EXISTS', 'a'))
        there.call('SET', 'b', 2)
        self.wait_for(lambda: here.call('EXISTS', 'b'), seconds=5)
        child.send_signal(signal.SIGINT)
        result = self.assert_done(self.ended(child))
        self.assertFalse(result['followed']['cut_over'])
        self.assertIsNone(result['error'])
        self.assertEqual(result['followed']['commands'], 2)  # and the SELECT

    def test_a_source_whose_history_is_lost(self):
        source, target = self.server(SERVER), self.server(SERVER)
        here = self.client(target)
        self.client(source).call('SET', 'a', 1)
        relay = Relay(source.port)
        self.addCleanup(relay.close)
        child = self.follow(f'redis://127.0.0.1:{relay.port}', target.uri())
        self.wait_for(lambda: here.call('EXISTS', 'a'))
        # Another server in its place, which knows nothing of that history.
        relay.lead_to(self.server(SERVER).port)
        relay.cut()
        run = self.ended(child)
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertEqual(run.error, 'history_lost', run)


if __name__ == '__main__':
    if '--seconds' in sys.argv:
        at = sys.argv.index('--seconds')
        SECONDS = float(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    cli.main(SERVER, 'redis86', 'valkey91')
