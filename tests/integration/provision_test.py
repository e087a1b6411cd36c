#!/usr/bin/env python3
"""Clones into servers that are made for it."""

import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
OTHER = 'valkey91'


class Provision(cli.Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix='sluice-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def filled(self, name):
        source = self.server(name)
        counts = fill.fill(self.client(source), source.flavor, source.version, scale=0.1)
        return source, sum(counts.values())

    def into_local(self, source, name, directory, *args, **how):
        return cli.sluice('clone', '--json', source, '--provision', f'local:{directory}',
                          '--server-program', servers.matrix.ready(name) / 'run-server', *args, **how)

    def client_of(self, provisioned):
        """A connection to what was started; it ends with the test."""
        conf = (pathlib.Path(provisioned['directory']) / 'server.conf').read_text()
        password = re.search('requirepass "(.*)"', conf)[1]
        client = resp.Client(int(provisioned['uri'].rpartition(':')[2]), password=password)
        self.addCleanup(client.close)
        self.addCleanup(os.kill, provisioned['pid'], signal.SIGTERM)
        return client

    def test_a_backup_and_a_live_server(self):
        for name in (SERVER, OTHER):
            source, keys = self.filled(name)
            repository = self.repository()
            backup = self.assert_done(repository.backup(source.uri(), '--name', 'p'))
            for what in (backup['id'], source.uri()):
                with self.subTest(server=name, what=what):
                    directory = self.folder / f'a "{name}" {what[:5]}'
                    run = self.into_local(what, name, directory, '--repo', repository.path)
                    result = self.assert_done(run)
                    self.assert_balanced(result)
                    self.assertEqual(result['written'], keys)
                    self.assertIs(result['verified'], True)
                    self.assertEqual(result['digest'], backup['digest'])
                    self.assertEqual(result['source']['version'], backup['source']['version'])
                    made = result['provisioned']
                    self.assertEqual(made['directory'], str(directory))
                    conf = directory / 'server.conf'
                    self.assertEqual(stat.S_IMODE(conf.stat().st_mode), 0o600)
                    self.assertEqual(stat.S_IMODE(directory.stat().st_mode), 0o700)
                    client = self.client_of(made)
                    self.assertEqual(sum(client.keyspace().values()), keys)
                    self.assertEqual(client.info('server')['process_id'], str(made['pid']))
                    password = re.search('requirepass "(.*)"', conf.read_text())[1]
                    self.assertNotIn(password, run.out + run.err)
                    # Nothing that we block is blocked there.
                    blocked = re.search(r'SigBlk:\s*(\w+)',
                                        pathlib.Path(f'/proc/{made["pid"]}/status').read_text())[1]
                    self.assertEqual(int(blocked, 16), 0)

    def test_by_a_command(self):
        source, keys = self.filled(SERVER)
        repository = self.repository()
        backup = self.assert_done(repository.backup(source.uri(), '--name', 'p'))
        target = self.server(SERVER, ('--requirepass', 'secret'))
        asked = self.folder / 'asked'
        command = (f'env | grep ^SLUICE_ | sort > {asked}; '
                   f'echo redis://:secret@127.0.0.1:{target.port}; echo more')
        run = repository.run('clone', 'p@LATEST', '--provision', f'exec:{command}')
        result = self.assert_done(run)
        self.assertEqual((result['written'], result['verified']), (keys, True))
        self.assertIsNone(result['provisioned']['directory'])
        self.assertNotIn('secret', run.out + run.err)
        told = dict(line.split('=', 1) for line in asked.read_text().splitlines())
        self.assertEqual(told['SLUICE_SERVER'], 'redis')
        self.assertEqual(told['SLUICE_SOURCE'], backup['id'])
        self.assertEqual(told['SLUICE_KEYS'], str(keys))
        self.assertEqual(told['SLUICE_VERSION'], backup['source']['version'])

    def test_what_fails_leaves_nothing(self):
        source, _ = self.filled(SERVER)
        full = self.folder / 'full'
        full.mkdir()
        (full / 'file').write_text('')
        uri = source.uri()
        for provision, code, word, exit_code in (
                (f'local:{full}', 'provision_failed', 'not empty', cli.FAILED),
                ('exec:echo no', 'provision_failed', 'no URI', cli.FAILED),
                ('exec:exit 7', 'provision_failed', 'exit code 7', cli.FAILED),
                ('cloud', 'bad_option', 'local', cli.USAGE)):
            with self.subTest(provision=provision):
                self.assert_refused(cli.sluice('clone', '--json', uri, '--provision', provision),
                                    code, word, exit_code=exit_code)
        directory = self.folder / 'new'
        for program, word in (('/nowhere', 'cannot start'), ('/bin/false', 'exit code 1')):
            run = cli.sluice('clone', '--json', uri, '--provision', f'local:{directory}',
                             '--server-program', program)
            self.assertEqual(run.code, cli.FAILED, run)
            self.assertIn(word, run.err)
            self.assertFalse(directory.exists())
        for args in ((uri,), (uri, uri, '--provision', 'local'), ('backup', uri),
                     ('backup', '--provision', 'local', '--follow')):
            self.assertEqual(cli.sluice('clone', '--json', *args).error, 'bad_option')

    def test_an_interrupted_one_is_taken_back(self):
        source = self.server(SERVER)
        self.client(source).pipeline(('SET', f'k{i}', os.urandom(50_000)) for i in range(400))
        directory = self.folder / 'new'
        child = self.start_clone(source.uri(), directory)
        pid_file = directory / 'server.pid'
        while not pid_file.exists() or not pid_file.read_text():  # made, then written
            time.sleep(0.01)
        pid = int(pid_file.read_text())
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, cli.INTERRUPTED, (out, err))
        self.assertFalse(directory.exists())
        # Whoever is to reap it may not have done so yet.
        status = pathlib.Path(f'/proc/{pid}/status')
        self.assertTrue(not status.exists() or 'State:\tZ' in status.read_text())

    def start_clone(self, uri, directory):
        child = subprocess.Popen(
            [cli.binary(), 'clone', '--json', uri, '--provision', f'local:{directory}',
             '--server-program', servers.matrix.ready(SERVER) / 'run-server', '--rate', '1MB'],
            env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.kill)
        return child


if __name__ == '__main__':
    cli.main(SERVER, OTHER)
