#!/usr/bin/env python3
"""Restores that are interrupted, and gone on with."""

import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
OTHER = 'valkey91'
MODES = ('auto', 'restore', 'commands')
MEGABYTES = 170  # two checkpoints and a bit


class Resume(cli.Case):
    def filled(self, name=SERVER):
        """A server with keys of every type, some that expire, and many MB."""
        source = self.server(name)
        client = self.client(source)
        counts = fill.fill(client, source.flavor, source.version, scale=0.2)
        r = random.Random(5)
        client.pipeline(('SET', f'bulk:{i:05}', r.randbytes(100_000), *(
            ('PX', r.randrange(10 ** 8, 10 ** 9)) if i % 3 == 0 else ()))
                        for i in range(MEGABYTES * 10))
        return source, sum(counts.values()) + MEGABYTES * 10

    def backed_up(self, source):
        repository = self.repository()
        return repository, self.assert_done(repository.backup(source.uri(), '--name', 'r'))['id']

    def start(self, repository, *args):
        child = subprocess.Popen(repository.command('restore', *args), env=cli.environment(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.addCleanup(child.kill)
        return child

    def interrupt(self, child, target, how, share):
        """Lets a restore come so far, by keys, and ends it."""
        client = self.client(target)
        while client.call('DBSIZE') < share and child.poll() is None:
            time.sleep(0.01)
        self.assertIsNone(child.poll(), 'it was done too soon')
        child.send_signal(how)
        out, err = child.communicate(timeout=60)
        return cli.Run(('restore',), child.returncode, out.decode(), err.decode())

    def finding(self, repository, target, *args):
        run = repository.run('doctor', target.uri(), *args)
        found = [each for each in run.json['findings'] if each['about'] == 'restore']
        return found[0] if found else None

    def assert_resumed(self, run, keys):
        result = self.assert_done(run)
        self.assert_balanced(result)
        self.assertEqual(result['read'], keys, run)
        self.assertEqual(result['written'], keys, run)
        self.assertGreater(result['resumed_keys'], 0, run)
        self.assertTrue(result['verified'], run)

    def test_each_mode_by_each_signal(self):
        source, keys = self.filled()
        repository, backup = self.backed_up(source)
        for mode, how in zip(MODES, (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)):
            with self.subTest(mode=mode):
                target = self.server(SERVER)
                args = (backup, target.uri(), '--mode', mode, '--rate', '60MB')
                run = self.interrupt(self.start(repository, *args), target, how, keys * 0.45)
                self.assertEqual(run.code, {signal.SIGINT: 130, signal.SIGKILL: -9,
                                            signal.SIGTERM: 143}[how], run)
                if how != signal.SIGKILL:
                    self.assertIn('--resume', run.json['error']['message'], run)
                found = self.finding(repository, target)
                self.assertEqual(found['level'], 'fail')
                self.assertIn('NOT the whole backup', found['text'])
                self.assertIn(f'--resume --repo {repository.path}', found['remedy'])
                self.assert_refused(repository.restore(*args[:2]), 'target_not_empty', '--resume')
                self.assert_resumed(repository.restore(*args[:4], '--resume'), keys)
                self.assertEqual(target.digest(), source.digest())
                self.assertIsNone(self.finding(repository, target))
                self.assertEqual(list((repository.path / 'restores').iterdir()), [])

    def test_into_an_older_server(self):
        """What a version cannot hold is named once, whatever was done when."""
        source, _ = self.filled('redis86')
        repository, backup = self.backed_up(source)
        whole = self.server(SERVER)
        want = self.assert_done(repository.restore(backup, whole.uri()), cli.INCOMPLETE)
        target = self.server(SERVER)
        child = self.start(repository, backup, target.uri(), '--rate', '60MB')
        self.interrupt(child, target, signal.SIGKILL, self.client(whole).call('DBSIZE') * 0.45)
        got = self.assert_done(repository.restore(backup, target.uri(), '--resume'),
                               cli.INCOMPLETE)
        self.assert_balanced(got)
        self.assertGreater(got['resumed_keys'], 0)
        for field in ('read', 'written', 'failed', 'by_type', 'failure_count', 'loss_count',
                      'losses', 'failures', 'functions', 'digest'):
            self.assertEqual(got[field], want[field], field)
        self.assertEqual(target.digest(), whole.digest())

    def test_some_keys_under_other_names(self):
        source, _ = self.filled()
        repository, backup = self.backed_up(source)
        args = ('--no-match', '*7', '--map-db', '0:2', '--add-prefix', 'p:', '--ttl', 'shift')
        whole = self.server(SERVER)
        want = self.assert_done(repository.restore(backup, whole.uri(), *args))
        target = self.server(SERVER)
        child = self.start(repository, backup, target.uri(), *args, '--rate', '60MB')
        client = self.client(target, db=2)
        while client.call('DBSIZE') < want['written'] * 0.45 and child.poll() is None:
            time.sleep(0.01)
        child.kill()
        child.communicate()
        self.assert_refused(repository.restore(backup, target.uri(), '--resume'), 'resume_differs',
                            'other options', exit_code=cli.USAGE)
        got = self.assert_done(repository.restore(backup, target.uri(), *args, '--resume'))
        self.assert_balanced(got)
        self.assertGreater(got['resumed_keys'], 0)
        for field in ('read', 'written', 'filtered', 'by_type', 'unread', 'runs_skipped'):
            self.assertEqual(got[field], want[field], field)
        self.assertTrue(got['verified'], got)

    def test_a_target_that_was_started_anew(self):
        """It has lost what it held: all of it, or what came after it saved."""
        source, keys = self.filled()
        repository, backup = self.backed_up(source)
        for saves in (False, True):
            with self.subTest(saves=saves):
                port = servers.free_port()
                target = self.server(OTHER, port=lambda port=port: port)
                child = self.start(repository, backup, target.uri(), '--rate', '60MB')
                client = self.client(target)
                while client.call('DBSIZE') < keys * 0.2:
                    time.sleep(0.01)
                if saves:
                    client.call('SAVE')
                while client.call('DBSIZE') < keys * 0.45:
                    time.sleep(0.01)
                target.kill()
                out, err = child.communicate(timeout=60)
                run = cli.Run(('restore',), child.returncode, out.decode(), err.decode())
                self.assertEqual(run.code, cli.FAILED, run)
                self.assertIn('--resume', run.json['error']['message'], run)
                target.start()
                result = self.assert_done(repository.restore(backup, target.uri(), '--resume'))
                self.assert_balanced(result)
                self.assertEqual((result['written'], result['resumed_keys']), (keys, 0))
                self.assertTrue(result['verified'], result)
                self.assertIn('started anew', ' '.join(result['notes']))
                # SAVE rewrote its aux fields only: contents are compared by our own digest.
                self.assertEqual(result['digest'],
                                 self.assert_done(repository.run('digest', backup))['digest'])

    def test_over_keys_that_are_there(self):
        source, keys = self.filled()
        repository, backup = self.backed_up(source)
        for policy in ('replace', 'skip'):
            with self.subTest(policy=policy):
                target = self.server(SERVER)
                client = self.client(target)
                client.call('SET', 'bulk:00001', 'mine')
                client.call('SET', 'other', 'mine')
                args = (backup, target.uri(), '--on-conflict', policy)
                child = self.start(repository, *args, '--rate', '60MB')
                self.interrupt(child, target, signal.SIGKILL, keys * 0.45)
                result = self.assert_done(repository.restore(*args, '--resume'),
                                          cli.INCOMPLETE if policy == 'skip' else cli.DONE)
                self.assert_balanced(result)
                self.assertEqual(result['written'] + result['skipped'], keys)
                self.assertEqual(result['failed'], 0)
                self.assertGreaterEqual(result['skipped'], policy == 'skip')
                self.assertEqual(client.call('GET', 'bulk:00001') == b'mine', policy == 'skip')
                self.assertEqual(client.call('GET', 'other'), b'mine')
                self.assertEqual(client.call('DBSIZE'), self.client(source).call('DBSIZE') + 1)

    def test_refusals(self):
        source = self.server(SERVER)
        self.client(source).call('SET', 'a', 1)
        repository, backup = self.backed_up(source)
        target = self.server(SERVER)
        uri = target.uri()
        refused = {'exit_code': cli.USAGE}
        self.assert_refused(repository.restore(backup, uri, '--resume'), 'nothing_to_resume',
                            'without --resume', **refused)
        for args in (('--dry-run',), ('--mode', 'feed')):
            self.assert_refused(repository.restore(backup, uri, '--resume', *args), 'bad_option',
                                '--resume', **refused)
        self.assert_done(repository.restore(backup, uri))
        self.assert_refused(repository.restore(backup, uri, '--resume'), 'nothing_to_resume',
                            **refused)

    def test_notes(self):
        """Of another backup; held by somebody; that cannot be kept; of an empty server."""
        source, keys = self.filled()
        repository, backup = self.backed_up(source)
        other = self.assert_done(repository.backup(source.uri(), '--name', 'r'))['id']
        target = self.server(SERVER)
        child = self.start(repository, backup, target.uri(), '--rate', '20MB')
        client = self.client(target)
        while client.call('DBSIZE') < keys * 0.1:
            time.sleep(0.01)
        self.assert_refused(repository.restore(backup, target.uri(), '--on-conflict', 'replace'),
                            'busy', 'under way')
        self.assertEqual(self.finding(repository, target)['level'], 'ok')
        child.kill()
        child.communicate()
        self.assert_refused(repository.restore(other, target.uri(), '--resume'), 'resume_differs',
                            backup, exit_code=cli.USAGE)
        about = {each['about'] for each in
                 repository.run('doctor', repository.path, '--no-bench').json['findings']}
        self.assertIn('restores', about)
        self.assertEqual(self.finding(repository, target, '--repair')['level'], 'fail')
        client.call('FLUSHALL')
        client.call('FUNCTION', 'FLUSH')
        self.assertIn('forget', self.finding(repository, target)['remedy'])
        self.assertEqual(self.finding(repository, target, '--repair')['level'], 'ok')
        self.assertIsNone(self.finding(repository, target))
        (repository.path / 'restores').rmdir()
        (repository.path / 'restores').write_text('')  # no place for notes
        run = repository.restore(backup, target.uri())
        self.assertTrue(self.assert_done(run)['verified'])
        self.assertIn('could not be resumed', run.err)


if __name__ == '__main__':
    cli.main(SERVER, 'redis86', OTHER)
