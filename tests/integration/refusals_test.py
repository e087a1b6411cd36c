#!/usr/bin/env python3
"""What sluice says, and what it leaves behind, when a source or a target is not as one would wish.
Real servers where they can be brought into that state, else a scripted one."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fake  # noqa: E402
import fill  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
DISK = ('--repl-diskless-sync', 'no')
SECRET = 'weir-and-sluice-0815'


class Sources(cli.Case):
    @classmethod
    def setUpClass(cls):
        cls.good = servers.Server(SERVER, DISK).start()
        cls.addClassCleanup(cls.good.stop)
        with cls.good.client() as client:
            client.call('SET', 'k', 'v')
        cls.shared = cli.Repository()
        cls.addClassCleanup(cls.shared.__exit__)
        assert cls.shared.backup(cls.good.uri(), '--name', 'first').code == 0

    def refuse(self, uri, code, *words, args=(), **how):
        """Backs up what cannot be, beside a good backup: only that is there afterwards."""
        before = self.shared.list()
        run = self.shared.backup(uri, '--name', 'bad', *args, **how)
        self.assert_refused(run, code, *words)
        self.assertNotIn(SECRET, run.out + run.err)
        self.assertEqual(self.shared.list(), before)
        self.assertEqual(self.shared.strays(), [])

    def test_after_a_refusal(self):
        """The same instance can be backed up as if nothing had been."""
        repository = self.repository()
        bad = self.scripted(fake.counted(self.whole[:5000]))
        for _ in range(2):
            self.assert_refused(repository.backup(bad, '--name', 'i'), 'truncated')
            self.assert_nothing_kept(repository)
        self.assert_done(repository.backup(self.good.uri(), '--name', 'i'))
        self.assertEqual(repository.strays(), [])

    def scripted(self, snapshot=None, **replies):
        server = fake.Fake(snapshot, replies)
        self.addCleanup(server.__exit__)
        return server.uri()

    # Getting in.

    def test_no_password(self):
        source = self.server(SERVER, password=SECRET)
        self.refuse(f'redis://127.0.0.1:{source.port}', 'auth_required', 'NOAUTH',
                    '--source-password-file', 'SLUICE_SOURCE_AUTH')

    def test_wrong_password(self):
        source = self.server(SERVER, password='another')
        self.refuse(f'redis://:{SECRET}@127.0.0.1:{source.port}', 'auth_failed', 'WRONGPASS',
                    'check user and password')

    def test_a_password_where_none_is_set(self):
        source = self.server(SERVER)
        self.refuse(f'redis://:{SECRET}@127.0.0.1:{source.port}', 'auth_failed',
                    'without any password')

    def test_unknown_user(self):
        source = self.server(SERVER)
        self.refuse(f'redis://nobody:{SECRET}@127.0.0.1:{source.port}', 'auth_failed',
                    'check user and password')

    def test_user_without_psync(self):
        source = self.server(SERVER)
        self.client(source).call('ACL', 'SETUSER', 'tide', 'on', f'>{SECRET}', '+@all', '-psync')
        self.refuse(f'redis://tide:{SECRET}@127.0.0.1:{source.port}', 'no_permission', 'psync',
                    'ACL SETUSER', '+psync')

    def test_password_file_that_is_not_there(self):
        repository = self.repository()
        run = repository.backup(self.good.uri(), '--source-password-file', '/no/such/file')
        self.assert_refused(run, 'bad_password_file', '/no/such/file', exit_code=cli.USAGE)

    def test_tls_with_a_port_that_does_not_speak_it(self):
        """A plain port waits for the rest of what it takes for a command: nobody says a word."""
        run = self.repository().backup(self.good.uri().replace('redis:', 'rediss:'),
                                       '--timeout', 1)
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assertIn('TLS', run.err, run)

    def test_no_tls_with_a_port_that_wants_it(self):
        _, uri = cli.tls_server(self, SERVER, cli.certificates(self), 'no')
        repository = self.repository()
        run = repository.backup(uri.replace('s://', '://'), '--timeout', 1)
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assert_nothing_kept(repository)

    def test_no_certificate_for_a_server_that_wants_one(self):
        """With TLS 1.3 the server refuses only after the handshake, as a connection that ends."""
        folder = cli.certificates(self)
        _, uri = cli.tls_server(self, SERVER, folder, 'yes')
        repository = self.repository()
        run = repository.backup(uri, '--cacert', folder / 'ca.crt')
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assertIn('--cert', run.err, run)
        self.assert_nothing_kept(repository)

    # What cannot be reached.

    def test_nobody_listens(self):
        self.refuse(f'redis://127.0.0.1:{servers.free_port()}', 'connect_failed', 'refused',
                    'is it running')

    def test_unknown_host(self):
        self.refuse('redis://no-such-host.invalid', 'resolve_failed', 'no-such-host.invalid',
                    'check the host name')

    def test_bad_uri(self):
        repository = self.repository()
        for uri in ('redis://h:port', 'redis://h:99999', 'redis://h/db'):
            self.assert_refused(repository.backup(uri), 'bad_uri', 'server address',
                                exit_code=cli.USAGE)
        self.assertFalse(repository.path.exists())

    def test_silent_source(self):
        for moment in ('INFO', 'PING', 'PSYNC'):
            with self.subTest(moment):
                began = time.monotonic()
                self.refuse(self.scripted(**{moment: None}), 'timed_out', 'silent', '--timeout',
                            args=('--timeout', 1))
                self.assertLess(time.monotonic() - began, 8)

    def test_silent_in_the_transfer(self):
        stall = fake.then_stall(fake.rdb_head(), 2 << 20)
        self.refuse(self.scripted(stall), 'timed_out', 'mid transfer', '--timeout',
                    args=('--timeout', 1))

    def test_newlines_keep_a_saving_source_alive(self):
        def slow(send, closing):
            for _ in range(5):
                send(b'\n')
                time.sleep(0.4)
            fake.counted(fake.rdb([('k', 'v')]))(send, closing)
        run = self.repository().backup(self.scripted(slow), '--timeout', 1)
        self.assertEqual(self.assert_done(run)['keys'], 1)

    # A source that cannot give a snapshot.

    def test_psync_is_renamed(self):
        source = self.server(SERVER, ('--rename-command', 'PSYNC', ''))
        self.refuse(source.uri(), 'command_unknown', 'PSYNC', 'import the RDB file')

    def test_loading(self):
        """A real server that reads its own dump, slowly."""
        keys = 2000
        with self.server(SERVER) as first:
            self.client(first).pipeline(('SET', f'k{i}', i) for i in range(keys))
            dump = first.save(self.temporary() / 'dump.rdb')
            source = servers.Server(SERVER, ('--key-load-delay', 5000,
                                             '--loading-process-events-interval-bytes', 1024),
                                    rdb=dump)
            self.addCleanup(source.stop)
            source._wait = lambda: time.sleep(0.5)
            source.start()
            self.refuse(source.uri(), 'loading', 'LOADING', 'run this again')
            source.kill()

    def temporary(self):
        return self.repository()._folder

    def test_replica_without_its_primary(self):
        source = self.server(SERVER)
        self.client(source).call('REPLICAOF', '127.0.0.1', servers.free_port())
        self.refuse(source.uri(), 'no_master_link', 'NOMASTERLINK', 'back up from the primary')

    def test_a_replica_with_its_primary_is_a_source(self):
        replica = self.server(SERVER, DISK)
        client = self.client(replica)
        client.call('REPLICAOF', '127.0.0.1', self.good.port)
        deadline = time.monotonic() + 30
        while client.info('replication')['master_link_status'] != 'up':
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.assert_done(self.repository().backup(replica.uri()))['keys'], 1)

    def test_bgsave_fails(self):
        """The folder that the source would save to is gone."""
        folder = self.temporary() / 'gone'
        folder.mkdir()
        source = self.server(SERVER, DISK, folder=folder)
        client = self.client(source)
        client.call('SET', 'k', 'v')
        with contextlib.suppress(resp.ReplyError):
            client.call('CONFIG', 'SET', 'dbfilename', 'x.rdb')
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        run = self.repository().backup(source.uri(), '--timeout', 20)
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assertIn(run.error, ('save_failed', 'closed_by_peer', 'cut_short'), run)
        self.assertIn('log', run.err)  # of the source, that is where it says why

    def test_bgsave_fails_and_the_source_says_so(self):
        text = b'-ERR Unable to perform background save\r\n'
        self.refuse(self.scripted(fake.line(text)), 'save_failed',
                    'Unable to perform background save', "the source's log")

    def test_the_child_that_saves_is_killed(self):
        source = self.server(SERVER, ('--repl-diskless-sync', 'yes', '--rdb-key-save-delay', 2000))
        self.client(source).pipeline(('SET', f'k{i}', 'x' * 5000) for i in range(5000))
        repository = self.repository()
        child = subprocess.Popen(repository.command('backup', source.uri()), env=cli.environment(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        children = pathlib.Path(f'/proc/{source.pid}/task/{source.pid}/children')
        while not (pids := children.read_text().split()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(int(pids[0]), signal.SIGKILL)
        out, err = child.communicate(timeout=60)
        run = cli.Run(('backup',), child.returncode, out.decode(), err.decode())
        self.assert_refused(run, 'cut_short', 'its log says why', 'run this again')
        self.assert_nothing_kept(repository, self.good.uri())

    # A snapshot that is not one.

    whole = fake.rdb([(f'k{i}', b'v' * 1000) for i in range(500)])

    def test_link_cut(self):
        half = self.whole[:len(self.whole) // 2]
        for snapshot, words in (
                (fake.counted(half, len(self.whole)), f'{len(half)} of {len(self.whole)} bytes'),
                (fake.marked(half, b''), 'EOF mark'),
                (fake.marked(self.whole, fake.MARK[:39]), 'EOF mark'),
                (fake.counted(b'', len(self.whole)), f'0 of {len(self.whole)} bytes'),
                (None, 'before the snapshot began')):
            with self.subTest(words):
                self.refuse(self.scripted(snapshot), 'cut_short', words, 'nothing was stored',
                            'run this again')

    def test_killed_source(self):
        source = self.server(SERVER, ('--repl-diskless-sync', 'yes', '--rdb-key-save-delay', 2000))
        self.client(source).pipeline(('SET', f'k{i}', 'x' * 5000) for i in range(5000))
        repository = self.repository()
        child = subprocess.Popen(repository.command('backup', source.uri()), env=cli.environment(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(2.5)
        source.kill()
        out, err = child.communicate(timeout=60)
        run = cli.Run(('backup',), child.returncode, out.decode(), err.decode())
        self.assert_refused(run, 'cut_short', 'restarted, or dropped us', 'run this again')
        self.assert_nothing_kept(repository, self.good.uri())

    def test_truncated_but_framed(self):
        for cut in (len(self.whole) // 2, len(self.whole) - 9, len(self.whole) - 1, 4):
            for framing in (fake.counted, fake.marked):
                with self.subTest(cut=cut, framing=framing.__name__):
                    self.refuse(self.scripted(framing(self.whole[:cut])), 'truncated',
                                'the snapshot')

    def test_a_snapshot_that_goes_on_after_its_end(self):
        for framing in (fake.counted, fake.marked):
            self.refuse(self.scripted(framing(self.whole + b'x' * 40)), 'trailing_bytes',
                        '40 bytes', 'run this again')

    def test_empty_snapshot(self):
        self.refuse(self.scripted(fake.counted(b'')), 'truncated')

    def test_garbage(self):
        garbage = bytes(range(256)) * 40
        self.refuse(self.scripted(fake.counted(garbage)), 'bad_magic')
        broken = bytearray(self.whole)
        broken[len(broken) // 2:] = os.urandom(len(broken) - len(broken) // 2)
        run = self.repository().backup(self.scripted(fake.counted(bytes(broken))))
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        for header in (b'+OK\r\n', b'$-1\r\n', b'$x\r\n', b'$EOF:short\r\n', b'x' * 100 + b'\r\n'):
            with self.subTest(header):
                self.refuse(self.scripted(fake.line(header)), 'protocol_error', 'header')

    def test_wrong_checksum(self):
        self.refuse(self.scripted(fake.counted(fake.rdb([('k', 'v')], b'12345678'))),
                    'checksum_mismatch', 'offset')

    def test_unknown_type(self):
        data = fake.rdb_head() + fake.record('known', 'v') + fake.record('the-key', 'v', 150)
        self.refuse(self.scripted(fake.counted(data + b'\xff' + bytes(8))), 'unknown_type', '150',
                    'the-key')

    def test_a_version_of_the_future(self):
        data = fake.rdb_head(9999) + b'\xff' + bytes(8)
        run = self.repository().backup(self.scripted(fake.counted(data)))
        self.assertIn(run.code, (cli.DONE, cli.FAILED), run)
        if run.code == cli.FAILED:
            self.assert_refused(run, 'unsupported_version', '9999')

    def test_strange_replies(self):
        for replies, words in (({'PSYNC': b'+CONTINUE\r\n'}, 'CONTINUE'),
                               ({'PSYNC': b'+FULLRESYNC short 1\r\n'}, 'FULLRESYNC'),
                               ({'PSYNC': b':1\r\n'}, ':1'),
                               ({'PING': b'HTTP/1.1 400 Bad Request\r\n\r\n'}, 'HTTP')):
            with self.subTest(words):
                self.refuse(self.scripted(**replies), 'protocol_error', words)

    def test_a_source_that_is_not_a_redis(self):
        self.refuse(self.scripted(INFO=b'HTTP/1.1 400 Bad Request\r\n\r\n'), 'protocol_error')

    # Not the source's fault.

    def test_a_directory_that_is_no_repository(self):
        repository = self.repository()
        repository.path.mkdir()
        (repository.path / 'photo.jpg').write_text('holiday')
        self.assert_refused(repository.backup(self.good.uri()), 'not_empty', str(repository.path))
        self.assertEqual([p.name for p in repository.path.iterdir()], ['photo.jpg'])
        self.assert_refused(repository.run('list'), 'not_a_repository', str(repository.path))

    def test_no_repository(self):
        repository = self.repository()
        for verb in (('list',), ('show', 'LATEST'), ('verify', '--all'),
                     ('restore', 'LATEST', self.good.uri())):
            self.assert_refused(repository.run(*verb), 'not_a_repository', str(repository.path))
            self.assertFalse(repository.path.exists())

    def test_bad_instance_names(self):
        repository = self.repository()
        for name in ('../up', 'a/b', '.hidden', 'x' * 200, 'a b'):
            run = repository.backup(self.good.uri(), '--name', name)
            self.assertIn(run.code, (cli.FAILED, cli.USAGE), run)
            self.assertEqual(run.error, 'bad_name', run)
        self.assertEqual(repository.list(), [])

    def test_usage(self):
        for args in (('backup',), ('frobnicate',), (), ('backup', self.good.uri(), '--no-such'),
                     ('restore', 'LATEST'), ('backup', self.good.uri(), '--timeout', '0'),
                     ('restore', 'LATEST', self.good.uri(), '--on-conflict', 'guess')):
            run = cli.sluice(*args)
            self.assertEqual((run.code, run.out), (cli.USAGE, ''), run)
            self.assertNotEqual(run.err, '')
        run = cli.sluice('--help')
        self.assertEqual((run.code, run.err), (cli.DONE, ''))
        run = cli.sluice('--version')
        self.assertRegex(run.out, r'^sluice \d+\.\d+\.\d+\n$')

    def test_a_file_that_is_not_there(self):
        repository = self.repository()
        run = repository.backup('/no/such/dump.rdb')
        self.assert_refused(run, 'open_failed', '/no/such/dump.rdb', exit_code=cli.USAGE)
        self.assertFalse(repository.path.exists())


class Targets(cli.Case):
    @classmethod
    def setUpClass(cls):
        cls.source = servers.Server(SERVER, DISK).start()
        cls.addClassCleanup(cls.source.stop)
        cls.archive = cli.Repository()
        cls.addClassCleanup(cls.archive.__exit__)
        with cls.source.client() as client:
            cls.counts = fill.fill(client, 'redis', cls.source.version, scale=0.1)
        run = cls.archive.backup(cls.source.uri(), '--name', 'full')
        assert run.code == 0, run
        cls.backup = run.json
        cls.keys = cls.backup['keys']

    def restore(self, target, *args, backup='full@LATEST', archive=None, **how):
        return (archive or self.archive).restore(
            backup, target if isinstance(target, str) else target.uri(), *args, **how)

    def test_not_empty(self):
        target = self.server(SERVER)
        client = self.client(target, db=3)
        client.call('SET', 'mine', 'stays')
        before = target.digest()
        self.assert_refused(self.restore(target), 'target_not_empty', '1 key',
                            '--on-conflict replace', '--on-conflict skip', '--flush')
        self.assertEqual(target.digest(), before)
        self.assertEqual(client.keyspace(), {3: 1})
        self.assertEqual(client.call('FUNCTION', 'LIST'), [])

    def test_replace(self):
        target = self.server(SERVER)
        client = self.client(target)
        client.pipeline([('SET', 'list:one', 'of another type'), ('SET', 'mine', 'stays')])
        result = self.assert_done(self.restore(target, '--on-conflict', 'replace'))
        self.assert_balanced(result)
        self.assertEqual(result['written'], self.keys)
        self.assertEqual(client.call('TYPE', 'list:one'), 'list')
        self.assertEqual(client.call('GET', 'mine'), b'stays')
        client.call('DEL', 'mine')
        self.assertEqual(target.digest(), self.source.digest())
        # Functions are replaced as well: again gives the same.
        result = self.assert_done(self.restore(target, '--on-conflict', 'replace'))
        self.assertEqual((result['functions'], result['functions_failed']), (2, 0))

    def test_skip(self):
        target = self.server(SERVER)
        client = self.client(target)
        client.pipeline([('SET', 'list:one', 'mine'), ('SET', 'set:one', 'mine')])
        result = self.assert_done(self.restore(target, '--on-conflict', 'skip'), cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertEqual((result['written'], result['skipped']), (self.keys - 2, 2))
        self.assertEqual((result['by_type']['list']['skipped'],
                          result['by_type']['set']['skipped']), (1, 1))
        self.assertEqual(client.call('GET', 'list:one'), b'mine')
        result = self.assert_done(self.restore(target, '--on-conflict', 'skip'), cli.INCOMPLETE)
        self.assertEqual((result['written'], result['skipped']), (0, self.keys))
        self.assert_balanced(result)

    def test_flush(self):
        target = self.server(SERVER)
        client = self.client(target, db=5)
        client.call('SET', 'mine', 'goes')
        self.assert_refused(self.restore(target, '--flush'), 'not_confirmed', '--yes',
                            exit_code=cli.USAGE)
        self.assertEqual(client.keyspace(), {5: 1})
        self.assert_done(self.restore(target, '--flush', '--yes'))
        self.assertEqual(target.digest(), self.source.digest())

    def test_flush_waits_for_the_backup_to_be_found(self):
        target = self.server(SERVER)
        client = self.client(target)
        client.call('SET', 'mine', 'stays')
        run = self.restore(target, '--flush', '--yes', backup='20990101')
        self.assert_refused(run, 'not_found', '20990101')
        self.assertEqual(client.call('GET', 'mine'), b'stays')

    def test_replica(self):
        target = self.server(SERVER)
        self.client(target).call('REPLICAOF', '127.0.0.1', self.source.port)
        self.assert_refused(self.restore(target, '--on-conflict', 'replace'), 'refused', 'replica',
                            'primary')

    def test_passwords(self):
        target = self.server(SERVER, password=SECRET)
        uri = f'redis://127.0.0.1:{target.port}'
        self.assert_refused(self.restore(uri), 'auth_required', '--target-password-file',
                            'SLUICE_TARGET_AUTH')
        run = self.restore(uri, env={'SLUICE_TARGET_AUTH': 'wrong-' + SECRET})
        self.assert_refused(run, 'auth_failed', 'WRONGPASS')
        self.assertNotIn(SECRET, run.err + run.out)
        self.assertEqual(self.client(target).keyspace(), {})

    def test_user_without_restore(self):
        target = self.server(SERVER)
        self.client(target).call('ACL', 'SETUSER', 'tide', 'on', f'>{SECRET}', '~*', '+@all',
                                 '-restore')
        run = self.restore(f'redis://tide:{SECRET}@127.0.0.1:{target.port}')
        self.assertIn(run.code, (cli.FAILED, cli.INCOMPLETE), run)
        self.assert_balanced(run.json)
        self.assertEqual((run.json['written'], run.json['failed']), (0, self.keys))
        self.assertIn('NOPERM', run.json['failures'][0]['message'])

    def test_user_without_flushall(self):
        target = self.server(SERVER)
        client = self.client(target)
        client.call('SET', 'mine', 'stays')
        client.call('ACL', 'SETUSER', 'tide', 'on', f'>{SECRET}', '~*', '+@all', '-flushall')
        run = self.restore(f'redis://tide:{SECRET}@127.0.0.1:{target.port}', '--flush', '--yes')
        self.assert_refused(run, 'no_permission', 'FLUSHALL', '+flushall')
        self.assertEqual(client.call('GET', 'mine'), b'stays')

    def test_read_only(self):
        """A primary that takes no writes for want of replicas."""
        target = self.server(SERVER, ('--min-replicas-to-write', '1'))
        run = self.restore(target)
        result = self.assert_done(run, cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertEqual((result['written'], result['failed']), (0, self.keys))
        self.assertIn('NOREPLICAS', result['failures'][0]['message'])
        self.assertEqual(len(result['failures']), min(1000, result['failure_count']))

    def test_out_of_memory(self):
        target = self.server(SERVER, ('--maxmemory', '1800kb'))
        result = self.assert_done(self.restore(target), cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertGreater(result['failed'], 0)
        self.assertTrue(any('OOM' in f['message'] for f in result['failures']),
                        result['failures'][:3])
        self.assertEqual(result['written'], sum(self.client(target).keyspace().values()))

    def test_a_value_too_large_for_the_target(self):
        size = 3 << 20
        with cli.Repository() as archive, servers.Server(SERVER, DISK) as source:
            with source.client() as client:
                client.pipeline([('SET', 'before', 1), ('SET', 'large', os.urandom(size)),
                                 ('SET', 'after', 2), ('RPUSH', 'large list', *(
                                     os.urandom(1 << 20) for _ in range(3)))])
            self.assert_done(archive.backup(source.uri()))
            target = self.server(SERVER, ('--proto-max-bulk-len', 1 << 20))
            # By commands a list is made of its elements; a string stays one.
            result = self.assert_done(self.restore(target, backup='LATEST', archive=archive),
                                      cli.INCOMPLETE)
            self.assert_balanced(result)
            self.assertEqual((result['written'], result['failed']), (3, 1))
            self.assertEqual(self.client(target).call('LLEN', 'large list'), 3)
            self.assertEqual(self.client(target).call('EXISTS', 'large'), 0)
            result = self.assert_done(self.restore(target, '--mode', 'commands', '--flush', '--yes',
                                                   backup='LATEST', archive=archive),
                                      cli.INCOMPLETE)
            self.assertEqual((result['written'], result['failed']), (3, 1))
            self.assertEqual(self.client(target).call('EXISTS', 'large'), 0, 'it is there in part')
            result = self.assert_done(self.restore(target, '--mode', 'restore', '--flush', '--yes',
                                                   backup='LATEST', archive=archive),
                                      cli.INCOMPLETE)
            self.assert_balanced(result)
            self.assertEqual((result['written'], result['failed']), (2, 2))
            for failure in result['failures']:
                self.assertIn(failure['key'], ('large', 'large list'))
                self.assertRegex(failure['message'],
                                 r'CONFIG SET proto-max-bulk-len 31\d{5}\)')
            self.assertEqual(self.client(target).call('MGET', 'before', 'after'), [b'1', b'2'])
            # The advice is good.
            needed = max(int(re.search(r'bulk-len (\d+)\)', f['message'])[1]) for f in result['failures'])
            self.client(target).config('proto-max-bulk-len', needed)
            result = self.assert_done(self.restore(target, '--on-conflict', 'skip',
                                                   backup='LATEST', archive=archive),
                                      cli.INCOMPLETE)
            self.assertEqual((result['written'], result['skipped']), (2, 2))
            self.assertEqual(target.digest(), source.digest())

    def test_target_killed(self):
        with cli.Repository() as archive, servers.Server(SERVER, DISK) as source:
            with source.client() as client:
                client.pipeline(('SET', f'k{i}', os.urandom(8 << 10)) for i in range(8192))
            self.assert_done(archive.backup(source.uri()))
            target = self.server(SERVER)
            client = self.client(target)
            child = subprocess.Popen(archive.command('restore', 'LATEST', target.uri()),
                                     env=cli.environment(), stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
            while not (seen := client.call('DBSIZE')) and child.poll() is None:
                pass
            target.kill()
            out, err = child.communicate(timeout=60)
            run = cli.Run(('restore',), child.returncode, out.decode(), err.decode())
            self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run.err)
            self.assert_balanced(run.json)
            self.assertIn(run.error, ('closed_by_peer', 'cut_short'), run)
            self.assertIn('--resume', run.err)
            self.assertLess(run.json['written'], 8192)
            self.assertGreater(run.json['failed'], 0)
            self.assertGreater(seen, 0)

    def test_expired_meanwhile(self):
        with cli.Repository() as archive, servers.Server(SERVER, DISK) as source:
            with source.client() as client:
                now = int(time.time() * 1000)
                client.pipeline([('SET', 'stays', 1), ('SET', 'later', 1, 'PXAT', now + 10**8),
                                 ('SET', 'soon', 1, 'PXAT', now + 2000),
                                 ('RPUSH', 'soon list', 1), ('PEXPIREAT', 'soon list', now + 2000)])
                self.assertEqual(self.assert_done(archive.backup(source.uri()))['keys'], 4)
                time.sleep(max(0, (now + 2100) / 1000 - time.time()))
                target = self.server(SERVER)
                result = self.assert_done(self.restore(target, backup='LATEST', archive=archive))
                self.assert_balanced(result)
                self.assertEqual((result['written'], result['expired']), (2, 2))
                self.assertEqual(result['by_type']['list']['expired'], 1)
                self.assertEqual(sorted(self.client(target).call('KEYS', '*')),
                                 [b'later', b'stays'])

    def test_databases_that_the_target_lacks(self):
        """Databases 0 and 1 fit, 7 and 15 do not; the keys of those must land nowhere."""
        target = self.server(SERVER, ('--databases', 2))
        result = self.assert_done(self.restore(target), cli.INCOMPLETE)
        self.assert_balanced(result)
        client = self.client(target)
        with self.source.client() as there:
            wanted = {db: keys for db, keys in there.keyspace().items() if db < 2}
            total = sum(there.keyspace().values())
            self.assertEqual(result['failed'], total - sum(wanted.values()))
        self.assertEqual(client.keyspace(), wanted)
        for failure in result['failures']:
            self.assertIn(failure['db'], (7, 15))
            self.assertIn(f'SELECT {failure["db"]}', failure['message'])

    def test_an_older_server(self):
        """Redis 6.0 does not know the encodings of 7.0, and takes what is there in its own; it has no
        place for functions."""
        if not servers.available()['redis60']:
            self.skipTest(servers.available()['redis60'].reason)
        target = self.server('redis60')
        result = self.assert_done(self.restore(target), cli.INCOMPLETE)
        self.assert_balanced(result)
        self.assertEqual(result['failed'], 0)
        self.assertEqual(result['written'], sum(self.client(target).keyspace().values()))
        self.assertEqual(result['functions_failed'], 2)
        self.assertGreater(result['loss_count'], 0)
        self.assertTrue(all(loss['what'] for loss in result['losses']))

    def test_names_of_backups(self):
        with cli.Repository() as archive:
            source = self.server(SERVER, DISK)
            client = self.client(source)
            made = []
            for n, instance in enumerate(('a', 'b', 'a')):
                client.call('SET', 'n', n)
                made.append(self.assert_done(archive.backup(source.uri(), '--name', instance)))
                time.sleep(0.01)
            ids = [backup['id'] for backup in made]

            def shown(name):
                return self.assert_done(archive.run('show', name))['id']

            self.assertEqual([shown(i) for i in ids], ids)
            self.assertEqual([shown(i[:-1]) for i in ids], ids)
            self.assertEqual([shown(n) for n in ('LATEST', 'a@LATEST', 'b@LATEST')],
                             [ids[2], ids[2], ids[1]])
            times = [i[:8] + i[8:18] for i in ids]  # 20261122T090000123Z
            iso = [f'{t[:4]}-{t[4:6]}-{t[6:11]}:{t[11:13]}:{t[13:15]}.{t[15:18]}Z' for t in times]
            self.assertEqual(shown(f'a@{iso[0]}'), ids[0])
            self.assertEqual(shown(f'a@{iso[1]}'), ids[0])
            self.assertEqual(shown(f'a@{iso[2]}'), ids[2])
            self.assertEqual(shown('a@2099-01-01T00:00:00Z'), ids[2])
            self.assert_refused(archive.run('show', ids[0][:8]), 'ambiguous', *ids)
            self.assert_refused(archive.run('show', '1999'), 'not_found', '1999')
            self.assert_refused(archive.run('show', 'b@2001-01-01T00:00:00Z'), 'not_found',
                                'oldest', ids[1])
            self.assert_refused(archive.run('show', 'c@LATEST'), 'not_found', 'of c')
            run = archive.run('show', 'a@yesterday')
            self.assertIn(run.code, (cli.FAILED, cli.USAGE))
            self.assertIn('yesterday', run.err)
            target = self.server(SERVER)
            for name, n in ((ids[0], b'0'), ('b@LATEST', b'1'), ('LATEST', b'2')):
                self.assert_done(self.restore(target, '--flush', '--yes', backup=name,
                                              archive=archive))
                self.assertEqual(self.client(target).call('GET', 'n'), n)
            listed = archive.list('--name', 'a')
            self.assertEqual([b['id'] for b in listed], [ids[0], ids[2]])
            self.assertEqual([b['id'] for b in archive.list('--from', iso[1])], ids[1:])
            self.assertEqual([b['id'] for b in archive.list('--to', iso[1])], ids[:2])
            self.assertEqual(archive.list('--name', 'c'), [])

    def test_no_such_target(self):
        self.assert_refused(self.restore(f'redis://127.0.0.1:{servers.free_port()}'),
                            'connect_failed', 'is it running')
        self.assert_refused(self.restore('not-a-uri'), 'bad_uri', exit_code=cli.USAGE)

    def test_silent_target(self):
        with fake.Fake(replies={'INFO': None}) as target:
            self.assert_refused(self.restore(target.uri(), '--timeout', 1), 'timed_out',
                                '--timeout')


if __name__ == '__main__':
    cli.main(SERVER)
