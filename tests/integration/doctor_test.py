#!/usr/bin/env python3
"""`sluice doctor`: a repository as it should be, repositories with something wrong, and servers."""

import ctypes
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
LEVELS = ('ok', 'warn', 'fail')
MEMORY = pathlib.Path('/dev/shm')


_libc = ctypes.CDLL(None, use_errno=True)
_IO_URING_SETUP = 425  # of every architecture


class _Filter(ctypes.Structure):
    _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8), ('jf', ctypes.c_uint8),
                ('k', ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [('len', ctypes.c_uint16), ('filter', ctypes.POINTER(_Filter))]


def deny_io_uring(number):
    """From here on io_uring_setup gives that errno in this process and what it runs."""
    load, equal, give = 0x20, 0x15, 0x06
    code = (_Filter * 4)((load, 0, 0, 0), (equal, 0, 1, _IO_URING_SETUP),
                         (give, 0, 0, 0x00050000 | number), (give, 0, 0, 0x7fff0000))
    program = _Program(4, code)
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    if (_libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0
            or _libc.prctl(seccomp, by_filter, ctypes.byref(program), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), 'seccomp')


class Doctor(cli.Case):
    def examine(self, *args, code=None, **how):
        """What it says. Exit code 1 exactly when something fails, a remedy for all but what is ok."""
        run = cli.sluice('doctor', '--json', *args, **how)
        self.assertIn(run.code, (cli.DONE, cli.FAILED), run)
        said = run.json
        self.assertEqual(said['ok'], run.code == cli.DONE, run)
        self.assertEqual(said['ok'], all(f['level'] != 'fail' for f in said['findings']), run)
        for finding in said['findings']:
            self.assertIn(finding['level'], LEVELS)
            self.assertTrue(finding['text'], finding)
            self.assertEqual(finding['level'] != 'ok', bool(finding['remedy']), finding)
            self.assertNotIn('\n', finding['text'] + finding['remedy'])
        if code is not None:
            self.assertEqual(run.code, code, run)
        return said

    def look(self, repository, *args, **how):
        return self.examine('--no-bench', repository.path, *args, **how)

    def found(self, said, about, level):
        """The one finding of that level about that."""
        out = [f for f in said['findings'] if f['about'] == about and f['level'] == level]
        self.assertEqual(len(out), 1, json.dumps(said, indent=1))
        return out[0]

    def troubles(self, said):
        return {f['about'] for f in said['findings'] if f['level'] != 'ok'}


class Repositories(Doctor):
    @classmethod
    def setUpClass(cls):
        cls.source = servers.Server(SERVER).start()
        cls.addClassCleanup(cls.source.stop)
        with cls.source.client() as client:
            client.call('SET', 'k', 'v' * 10_000)

    def filled(self):
        repository = self.repository()
        self.assert_done(repository.backup(self.source.uri(), '--name', 'a'))
        return repository

    def backup_folder(self, repository):
        return next((repository.path / 'instances' / 'a').iterdir())

    # What the machine of the test is like is not the repository's trouble.
    MACHINE = {'io_uring', 'buffers', 'file_system', 'space', 'inodes', 'disk'}

    def test_a_good_one(self):
        repository = self.filled()
        before = repository.ids()
        said = self.look(repository, code=cli.DONE)
        self.assertEqual(self.troubles(said) - self.MACHINE, set())
        self.assertEqual(said['kind'], 'repository')
        self.assertEqual(said['place'], str(repository.path))
        self.assertIsNone(said['bench'])
        self.assertFalse((repository.path / 'IO').exists())
        self.found(said, 'repository', 'ok')
        self.assertEqual(repository.ids(), before)
        self.assertEqual(repository.strays(), [])

    def test_the_bench_is_kept(self):
        repository = self.filled()
        said = self.examine(repository.path, code=cli.DONE)
        bench = said['bench']
        self.assertTrue(bench['kept'])
        self.assertGreater(bench['sync_max_ms'], 0)
        ways = {(s['backend'], s['direct']) for s in bench['speeds']}
        self.assertIn(('threads', False), ways)
        for speed in bench['speeds']:
            self.assertGreater(speed['write_mb_s'], 0)
            self.assertGreater(speed['read_mb_s'], 0)
        hint = json.loads((repository.path / 'IO').read_text().splitlines()[0])
        self.assertEqual(hint['direct'], bench['direct'])
        self.assertEqual(repository.strays(), [], 'nothing else is left')
        self.assert_done(repository.backup(self.source.uri(), '--name', 'a'))
        self.assertIn('measured', self.found(self.look(repository), 'direct_io', 'ok')['text'])

    def test_backups_either_way(self):
        """Whatever IO says, and whatever became of it."""
        repository = self.filled()
        self.examine(repository.path)
        whole = (repository.path / 'IO').read_bytes()
        for damaged in (whole, whole[:40], b'', whole.replace(b'direct', b'direkt')):
            (repository.path / 'IO').unlink()
            (repository.path / 'IO').write_bytes(damaged)
            self.assert_done(repository.backup(self.source.uri(), '--name', 'a'))
        self.assert_done(repository.run('verify', '--all'))
        self.assertTrue(self.examine(repository.path)['bench']['kept'])
        self.assertEqual(set(json.loads(whole.splitlines()[0])),
                         set(json.loads((repository.path / 'IO').read_text().splitlines()[0])))

    def test_threads_alone(self):
        said = self.examine('--io', 'threads', self.filled().path)
        self.assertEqual({s['backend'] for s in said['bench']['speeds']}, {'threads'})
        self.assertIn('asked for', self.found(said, 'io_uring', 'ok')['text'])

    def test_io_uring_denied(self):
        """As a container's profile does it. What it says is wrong is what keeps backups from it."""
        repository = self.filled()
        for number in (errno.EPERM, errno.ENOSYS):
            def denied(verb, *args, number=number):
                run = subprocess.run(repository.command(verb, *args), capture_output=True, text=True,
                                     env=cli.environment(), timeout=120,
                                     preexec_fn=lambda: deny_io_uring(number))
                self.assertEqual(run.returncode, cli.DONE, run)
                return json.loads(run.stdout)

            found = self.found(denied('doctor', '--no-bench'), 'io_uring', 'warn')
            self.assertIn('seccomp', found['text'])
            self.assertIn(errno.errorcode[number], found['text'])
            denied('backup', self.source.uri(), '--name', 'denied')
            self.assertTrue(all(backup['ok'] for backup in denied('verify', '--all')))

    def test_the_default_place(self):
        repository = self.filled()
        said = self.examine('--no-bench', '--repo', repository.path, code=cli.DONE)
        self.assertEqual(said['place'], str(repository.path))

    def test_human_output(self):
        run = cli.sluice('doctor', self.filled().path)
        self.assertEqual(run.code, cli.DONE, run)
        self.assertRegex(run.out, r'(?m)^ok    repository: [0-9a-f]{32}, format')
        self.assertRegex(run.out, r'(?m)^io +by +write MB/s +read MB/s$')

    def test_no_repository(self):
        with tempfile.TemporaryDirectory() as folder:
            said = self.examine('--no-bench', folder, code=cli.DONE)
            self.assertIn('first backup', self.found(said, 'repository', 'warn')['remedy'])
            said = self.examine(folder, code=cli.DONE)
            self.assertFalse(said['bench']['kept'])
            self.assertEqual(os.listdir(folder), [])
            (pathlib.Path(folder) / 'mine').write_text('x')
            said = self.examine('--no-bench', folder, code=cli.FAILED)
            self.found(said, 'repository', 'fail')
            said = self.examine(f'{folder}/mine', code=cli.FAILED)
            self.found(said, 'repository', 'fail')
        said = self.examine(folder, code=cli.FAILED)
        self.assertIn('make the directory', self.found(said, 'repository', 'fail')['remedy'])

    def test_a_mark_that_is_damaged(self):
        repository = self.filled()
        for copy in repository.path.glob('FORMAT*'):
            copy.chmod(0o600)
            copy.write_text('nonsense')
        said = self.look(repository, code=cli.FAILED)
        self.assertIn('FORMAT', self.found(said, 'repository', 'fail')['text'])

    def test_modes(self):
        repository = self.filled()
        (self.backup_folder(repository) / 'HEAD').chmod(0o444)
        said = self.look(repository, code=cli.DONE)
        self.assertIn('HEAD', self.found(said, 'modes', 'warn')['text'])
        (repository.path / 'packs').chmod(0o777)
        said = self.look(repository, code=cli.FAILED)
        self.assertIn('chmod', self.found(said, 'modes', 'fail')['remedy'])

    @unittest.skipIf(os.geteuid() != 0, 'only root can give files away')
    def test_another_owner(self):
        repository = self.filled()
        os.chown(repository.path / 'tmp', 65534, 65534)
        self.assertIn('tmp', self.found(self.look(repository), 'owner', 'warn')['text'])

    def test_damaged_backups(self):
        repository = self.filled()
        pack = next(p for p in (repository.path / 'packs').glob('*/*'))
        pack.unlink()
        found = self.found(self.look(repository, code=cli.FAILED), 'backups', 'fail')
        self.assertIn(repository.ids()[0], found['text'])
        self.assertIn('sluice verify', found['remedy'])

    def test_stray_packs(self):
        repository = self.filled()
        shutil.rmtree(self.backup_folder(repository))
        self.found(self.look(repository, code=cli.DONE), 'stray_packs', 'warn')

    def test_writers(self):
        """One that lives is no trouble; once it is killed it is, until the next backup."""
        repository = self.filled()
        held, gate = os.pipe()
        writer = subprocess.Popen(repository.command('backup', '-', '--name', 'b'), stdin=held,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=cli.environment())
        os.close(held)
        self.addCleanup(lambda: (writer.kill(), writer.wait()))
        try:
            os.write(gate, b'REDIS0010')
            said = self.look(repository)
            while not any(f['about'] == 'writers' for f in said['findings']):
                self.assertIsNone(writer.poll())
                said = self.look(repository)
            self.assertIn('b/', self.found(said, 'writers', 'ok')['text'])
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        finally:
            os.close(gate)
        said = self.look(repository)
        while not any(f['about'] == 'writers' and f['level'] == 'warn' for f in said['findings']):
            said = self.look(repository)  # a killed process gives its lock back late
        self.assertIn('next backup', self.found(said, 'writers', 'warn')['remedy'])
        self.assert_done(repository.backup(self.source.uri(), '--name', 'a'))
        self.assertNotIn('writers', self.troubles(self.look(repository)))

    def test_a_clock_that_went_back(self):
        repository = self.filled()
        folder = self.backup_folder(repository)
        folder.rename(folder.parent / f'2099{folder.name[4:]}')
        said = self.look(repository)
        self.assertIn('backups', self.troubles(said), 'its HEAD is of another id')

    @unittest.skipUnless(MEMORY.is_dir(), 'no tmpfs')
    def test_in_memory(self):
        repository = self.repository()
        repository.path = pathlib.Path(tempfile.mkdtemp(dir=MEMORY, prefix='sluice-test-'))
        self.addCleanup(shutil.rmtree, repository.path)
        self.assert_done(repository.backup(self.source.uri(), '--name', 'a'))
        said = self.examine(repository.path, code=cli.DONE)
        self.assertIn('restarts', self.found(said, 'file_system', 'warn')['text'])
        self.assertTrue(said['bench']['kept'])

    def test_usage(self):
        self.assertEqual(cli.sluice('doctor', '--nonsense').code, cli.USAGE)
        self.assertEqual(cli.sluice('doctor', 'redis://localhost:x').code, cli.USAGE)


class Servers(Doctor):
    def test_a_good_one(self):
        for name, found in servers.available().items():
            if not found:
                continue
            with self.subTest(name):
                server = self.server(name, ('--repl-diskless-sync', 'yes'))
                said = self.examine(server.uri(), code=cli.DONE)
                self.assertEqual(self.troubles(said) - {'memory'}, set())
                self.assertEqual(said['kind'], 'server')
                self.assertIn(server.flavor, self.found(said, 'server', 'ok')['text'])

    def test_settings(self):
        server = self.server(SERVER, ('--repl-diskless-sync', 'no', '--repl-timeout', '5',
                                      '--client-output-buffer-limit', 'replica', '1mb', '1mb', '9'))
        said = self.examine(server.uri(), code=cli.DONE)
        self.assertEqual(self.troubles(said) - {'memory'},
                         {'repl_diskless_sync', 'repl_timeout', 'output_buffer'})
        with server.client() as client:
            for about in ('repl_diskless_sync', 'repl_timeout', 'output_buffer'):
                remedy = self.found(said, about, 'warn')['remedy']
                verb, what, name, value = remedy.split(' ', 3)
                client.call(verb, what, name, value.strip('"'))
        self.assertEqual(self.troubles(self.examine(server.uri())) - {'memory'}, set())

    def test_a_user_without_rights(self):
        server = self.server(SERVER)
        with server.client() as client:
            client.call('ACL', 'SETUSER', 'u', 'on', '>secret-word', '+acl|whoami', '+acl|dryrun')
            uri = server.uri().replace('://', '://u:secret-word@')
            run = cli.sluice('doctor', '--json', uri)
            self.assertNotIn('secret-word', run.out + run.err)
            said = self.examine(uri, code=cli.FAILED)
            remedy = self.found(said, 'user', 'fail')['remedy']
            client.call(*remedy.split())
            said = self.examine(uri, code=cli.DONE)
            self.assertNotIn('user', self.troubles(said))

    def test_renamed(self):
        server = self.server('redis60', ('--rename-command', 'psync', ''))
        said = self.examine(server.uri(), code=cli.FAILED)
        self.assertIn('psync', self.found(said, 'commands', 'fail')['text'])

    def test_a_replica_that_lost_its_primary(self):
        server = self.server(SERVER, ('--replicaof', f'127.0.0.1 {servers.free_port()}'))
        said = self.examine(server.uri(), code=cli.FAILED)
        self.found(said, 'role', 'fail')

    def test_nobody_there(self):
        said = self.examine(f'redis://127.0.0.1:{servers.free_port()}', code=cli.FAILED)
        self.assertIn('running', self.found(said, 'connection', 'fail')['remedy'])
        server = self.server(SERVER, password='right')
        said = self.examine(server.uri().replace('right', 'wrong'), code=cli.FAILED)
        self.assertIn('password', self.found(said, 'connection', 'fail')['remedy'])


if __name__ == '__main__':
    cli.main(SERVER)
