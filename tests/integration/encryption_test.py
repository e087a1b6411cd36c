#!/usr/bin/env python3
"""Encrypted repositories, with real servers: what works, what is refused, and that nothing of the data
lies in one.

  encryption_test.py [unittest arguments]
"""

import os
import pathlib
import pty
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
PASSPHRASE = 'a passphrase of several words'
RUN = 8  # bytes of the data that may not be found in a row


def values(n=3000, version=1):
    """Names and values that are easily recognised, and some that no codec hides."""
    noise = random.Random(5)
    data = {f'kunde:{i:06}:warenkorb'.encode(): b'geheim-%d-' % (i * 7919) * (1 + i % 7)
            for i in range(n)}
    data |= {b'kunde:rauschen:%d' % i: noise.randbytes(400) for i in range(100)}
    if version == 2:
        for i in range(0, n, 50):
            data[f'kunde:{i:06}:warenkorb'.encode()] = b'zweitens geheim %d' % i
    return data


def put(client, data):
    client.pipeline(('SET', name, value) for name, value in data.items())


def runs_of(data):
    """Each run of RUN bytes of names and values."""
    return {text[i:i + RUN] for pair in data.items() for text in pair
            for i in range(len(text) - RUN + 1)}


def found_in(folder, runs):
    """Files below the folder that hold such a run, and the first one of each."""
    found = {}
    for path in sorted(folder.rglob('*')):
        if not path.is_file():
            continue
        stored = path.read_bytes()
        for i in range(len(stored) - RUN + 1):
            if stored[i:i + RUN] in runs:
                found[str(path.relative_to(folder))] = stored[i:i + RUN]
                break
    return found


class EncryptionCase(cli.Case):
    def file(self, name, content, mode=0o600):
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def setUp(self):
        self.encrypted = self.repository()
        self.folder = self.encrypted._folder
        self.passphrase = self.file('passphrase', PASSPHRASE.encode() + b'\nnot this line\n')
        self.key = ('--repo-passphrase-file', self.passphrase)

    def made(self):
        made = self.assert_done(self.encrypted.run('init', '--encrypt', *self.key))
        self.assertEqual((made['encrypted'], made['path']), (True, str(self.encrypted.path)))
        return made

    def run_it(self, verb, *args, **how):
        return self.encrypted.run(verb, *args, *self.key, **how)

    def filled(self, data):
        server = self.server(SERVER)
        client = self.client(server)
        put(client, data)
        return server, client


class Encryption(EncryptionCase):
    def test_all_verbs(self):
        self.made()
        server, client = self.filled(values())
        first = self.assert_done(self.run_it('backup', server.uri(), '--name', 'shop'))
        put(client, values(version=2))
        second = self.assert_done(self.run_it('backup', server.uri(), '--name', 'shop'))
        self.assertEqual(second['parent'], first['id'])
        self.assertLess(second['new_bytes'], first['new_bytes'] / 4)
        digest = server.digest()

        listed = self.assert_done(self.run_it('list'))
        self.assertEqual([b['id'] for b in listed], [first['id'], second['id']])
        for result in self.assert_done(self.run_it('verify', '--all')):
            self.assertTrue(result['ok'], result)
        row = self.assert_done(self.run_it('get', first['id'], 'kunde:000050:warenkorb'))
        self.assertEqual(row['value'], 'geheim-395950-' * 2)
        self.assert_done(self.run_it('show', second['id']))
        diff = cli.sluice('diff', first['id'], second['id'], '--repo', self.encrypted.path,
                          '--summary', *self.key)
        self.assertEqual(diff.code, cli.DIFFERENT, diff)
        self.assertIn('60', diff.out)
        states = self.assert_done(self.run_it('history', 'kunde:000050:warenkorb', '--name', 'shop'))
        self.assertEqual([s['changed'] for s in states], [True, True])
        dump = self.folder / 'dump.rdb'
        self.assert_done(self.run_it('export', second['id'], '--format', 'rdb', '-o', dump))

        target = self.server(SERVER)
        restored = self.assert_done(self.run_it('restore', second['id'], target.uri()))
        self.assertEqual((restored['written'], restored['verified']), (3100, True))
        self.assertEqual(target.digest(), digest)
        fed = self.server(SERVER)
        self.assert_done(self.run_it('restore', first['id'], fed.uri(), '--mode', 'feed'))
        clone = self.run_it('clone', second['id'], '--provision', f'local:{self.folder}/server')
        said = self.assert_done(clone)
        os.kill(said['provisioned']['pid'], signal.SIGTERM)
        self.assertEqual(said['written'], 3100)

    def test_keys_are_added_and_removed(self):
        slot = self.made()['slot']
        server, _ = self.filled(values(100))
        self.assert_done(self.run_it('backup', server.uri(), '--name', 'shop'))
        before = {path: path.read_bytes() for path in self.encrypted.path.rglob('*')
                  if path.is_file() and path.parent.name != 'keys'}
        key_file = self.file('key', os.urandom(32))
        added = self.assert_done(self.run_it('key', 'add', '--new-key-file', key_file, '--label',
                                             'in the safe'))['id']
        command = self.assert_done(self.run_it('key', 'add', '--new-key-command', 'echo of a command'))
        slots = self.assert_done(self.encrypted.run('key', 'list'))['slots']
        self.assertEqual([(s['id'], s['kind'], s['label'], s['damage']) for s in slots],
                         [(slot, 'passphrase', '', None), (added, 'key-file', 'in the safe', None),
                          (command['id'], 'command', '', None)])
        for how in (self.key, ('--repo-key-file', key_file),
                    ('--repo-key-command', 'echo of a command')):
            self.assertEqual(len(self.assert_done(self.encrypted.run('list', *how))), 1)
        for name, value in (('SLUICE_REPOSITORY_PASSPHRASE', PASSPHRASE),
                            ('SLUICE_REPO_PASSPHRASE_FILE', str(self.passphrase)),
                            ('SLUICE_REPO_KEY_FILE', str(key_file)),
                            ('SLUICE_REPO_KEY_COMMAND', 'echo of a command')):
            self.assertEqual(len(self.assert_done(self.encrypted.run('list', env={name: value}))), 1)

        self.assert_done(self.run_it('key', 'remove', slot))
        self.assert_refused(self.run_it('list'), 'wrong_key', '2 key slots tried')
        self.assert_refused(self.run_it('key', 'remove', added), 'wrong_key')
        self.key = ('--repo-key-file', key_file)
        self.assert_refused(self.run_it('key', 'remove', slot), 'not_found', slot)
        self.assert_done(self.run_it('key', 'remove', command['id']))
        self.assert_refused(self.run_it('key', 'remove', added), 'last_key', added, 'key add')
        self.assertTrue(all(r['ok'] for r in self.assert_done(self.run_it('verify', '--all'))))
        after = {path: path.read_bytes() for path in before}
        self.assertEqual({p: b for p, b in after.items() if p.name != 'CHECKED'},
                         {p: b for p, b in before.items() if p.name != 'CHECKED'})

    def test_what_needs_no_key(self):
        self.made()
        server, _ = self.filled(values(500))
        backup = self.assert_done(self.run_it('backup', server.uri(), '--name', 'shop'))
        for level in ('list', 'stored'):
            results = self.assert_done(self.encrypted.run('verify', '--all', '--level', level))
            self.assertEqual([(r['id'], r['ok']) for r in results], [(backup['id'], True)])
        said = self.assert_done(self.encrypted.run('doctor', self.encrypted.path, '--no-bench'))
        about = {f['about']: f['text'] for f in said['findings']}
        self.assertIn('aes-256-gcm; 1 key slot:', about['encryption'])
        self.assertIn('(passphrase, ', about['encryption'])
        self.assertIn('1 listed', about['backups'])
        with_key = self.assert_done(self.run_it('doctor', self.encrypted.path, '--no-bench'))
        self.assertNotIn('key', {f['about'] for f in with_key['findings']})
        pack = next(self.encrypted.path.glob('packs/*/*'))
        pack.chmod(0o600)
        stored = bytearray(pack.read_bytes())
        stored[500] ^= 1
        pack.write_bytes(stored)
        results = self.encrypted.run('verify', '--all', '--level', 'stored')
        self.assertEqual(results.code, cli.DIFFERENT, results)
        self.assertEqual(results.json[0]['damage'][0]['object'],
                         str(pack.relative_to(self.encrypted.path)))


class Refusals(EncryptionCase):
    def test_without_the_key(self):
        self.made()
        server, _ = self.filled(values(10))
        self.assert_done(self.run_it('backup', server.uri(), '--name', 'shop'))
        for verb in (('list',), ('show', 'LATEST'), ('verify', '--all'), ('get', 'LATEST', 'x'),
                     ('export', 'LATEST', '-o', self.folder / 'out'), ('restore', 'LATEST', server.uri()),
                     ('backup', server.uri()), ('history', 'x', '--name', 'shop'),
                     ('diff', 'LATEST', 'LATEST'), ('key', 'remove', '00000000')):
            self.assert_refused(self.encrypted.run(*verb), 'key_needed', str(self.encrypted.path),
                                '--repo-passphrase-file')
        wrong = self.encrypted.run('list', env={'SLUICE_REPOSITORY_PASSPHRASE': 'wrong'})
        self.assert_refused(wrong, 'wrong_key', '1 key slot tried')
        self.assertNotIn('wrong"', wrong.err)

    def test_files_of_others(self):
        for mode in (0o640, 0o604, 0o620):
            shared = self.file('shared', b'x' * 40, mode)
            for option in ('--repo-passphrase-file', '--repo-key-file'):
                self.assert_refused(self.encrypted.run('init', '--encrypt', option, shared),
                                    'bad_key', str(shared), 'chmod 600', exit_code=cli.USAGE)
        if os.geteuid() == 0:
            foreign = self.file('foreign', b'x' * 40)
            os.chown(foreign, 65534, -1)
            self.assert_refused(self.encrypted.run('init', '--encrypt', '--repo-key-file', foreign),
                                'bad_key', str(foreign), 'owned', exit_code=cli.USAGE)
        self.assertFalse(self.encrypted.path.exists())

    def test_keys_that_are_none(self):
        def refused(option, value, *words):
            self.assert_refused(self.encrypted.run('init', '--encrypt', option, value), 'bad_key',
                                *words, exit_code=cli.USAGE)
        refused('--repo-key-file', self.file('short', b'x' * 31), '32 bytes')
        refused('--repo-key-file', self.file('long', b'x' * ((1 << 20) + 1)), '1 MiB')
        refused('--repo-passphrase-file', self.file('empty', b'\nsecond'), 'empty')
        refused('--repo-passphrase-file', self.folder / 'missing', 'missing')
        refused('--repo-key-command', 'exit 3', 'exit code 3')
        refused('--repo-key-command', 'true', 'printed nothing')
        both = self.encrypted.run('init', '--encrypt', *self.key, '--repo-key-file', self.passphrase)
        self.assertEqual(both.code, cli.USAGE, both)

    def test_a_key_for_a_plain_repository(self):
        plain = self.repository()
        self.assertFalse(self.assert_done(plain.run('init'))['encrypted'])
        self.assert_refused(plain.run('list', *self.key), 'wrong_key', 'not encrypted')
        self.assert_refused(plain.run('key', 'list'), 'unsupported_feature', 'not encrypted')
        self.assert_refused(plain.run('init'), 'exists', str(plain.path))
        self.assert_refused(plain.run('init', '--encrypt', *self.key), 'exists')
        self.assert_refused(self.repository().run('init', *self.key), 'bad_option', '--encrypt',
                            exit_code=cli.USAGE)

    def test_a_backup_makes_no_repository_for_a_key(self):
        server, _ = self.filled(values(1))
        self.assert_refused(self.run_it('backup', server.uri()), 'not_a_repository',
                            'init --encrypt')
        self.assertFalse(self.encrypted.path.exists())

    def test_a_terminal_is_asked_twice(self):
        def ask(*lines):
            path = self.folder / f'asked-{lines[-1][:2]}'
            child, terminal = pty.fork()
            if child == 0:
                os.execve(cli.binary(), ['sluice', 'init', str(path), '--encrypt'],
                          cli.environment())
            shown = b''
            for prompt, line in zip((b'New passphrase: ', b'The same again: '), lines):
                while not shown.endswith(prompt):
                    shown += os.read(terminal, 1000)
                time.sleep(0.05)
                os.write(terminal, line.encode() + b'\n')
            try:
                while part := os.read(terminal, 1000):
                    shown += part
            except OSError:
                pass  # it has closed its side
            os.close(terminal)
            return path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown

        path, code, shown = ask('typed in', 'typed in')
        self.assertEqual(code, cli.DONE, shown)
        self.assertNotIn(b'typed in', shown)
        how = {'env': {'SLUICE_REPOSITORY_PASSPHRASE': 'typed in'}}
        self.assert_done(cli.sluice('list', '--json', '--repo', path, **how))
        path, code, shown = ask('typed in', 'mistyped')
        self.assertEqual(code, cli.USAGE, shown)
        self.assertIn(b'differ', shown)
        self.assertFalse(path.exists())
        self.assert_refused(self.encrypted.run('init', '--encrypt'), 'no_passphrase', 'terminal',
                            exit_code=cli.USAGE)


class Plaintext(EncryptionCase):
    """Every byte that is stored, after everything that stores any."""

    def use(self, repository, key):
        data = values()
        server, client = self.filled(data)
        how = (*key, '--repo', repository.path, '--quiet')
        for version in (1, 2):
            put(client, values(version=version))
            for layout in ('canonical', 'stream'):
                self.assert_done(repository.run('backup', server.uri(), '--name', layout, '--layout',
                                                layout, '--compression', 'none', *key))
        self.assert_done(repository.run('verify', '--all', *key))
        self.kill(('backup', server.uri(), '--name', 'killed', *how),
                  lambda: (repository.path / 'instances' / 'killed').exists())
        target = self.server(SERVER)
        note = repository.path / 'restores' / f'127.0.0.1-{target.port}'
        self.kill(('restore', 'canonical@LATEST', target.uri(), '--rate', '5KB', '--match',
                   'kunde:*:warenkorb', '--mode', 'commands', *how), note.exists)
        self.assertTrue(note.exists())
        return target

    def kill(self, args, when):
        """Runs it until that is so."""
        child = subprocess.Popen([cli.binary(), *map(str, args)], env=cli.environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not when() and time.monotonic() < deadline:
            time.sleep(0.002)
        self.assertIsNone(child.poll(), args)
        child.kill()
        child.wait()

    def test_none_of_it_is_stored(self):
        self.made()
        target = self.use(self.encrypted, self.key)
        runs = runs_of(values()) | runs_of(values(version=2)) | runs_of({b'kunde:*:warenkorb': b''})
        self.assertEqual(found_in(self.encrypted.path, runs), {})

        said = self.run_it('doctor', target.uri())
        restore = [f for f in said.json['findings'] if f['about'] == 'restore']
        self.assertNotEqual(restore[0]['level'], 'ok', said)
        without = [f for f in self.encrypted.run('doctor', target.uri()).json['findings']
                   if f['about'] == 'restore']
        self.assertIn('no key was given', without[0]['text'])
        resumed = self.assert_done(self.run_it(
            'restore', 'canonical@LATEST', target.uri(), '--match', 'kunde:*:warenkorb', '--mode',
            'commands', '--resume'))
        self.assertEqual((resumed['written'], resumed['verified']), (3000, True))

    def test_it_would_be_found(self):
        plain = self.repository()
        self.use(plain, ())
        found = found_in(plain.path, runs_of(values()) | runs_of({b'kunde:*:warenkorb': b''}))
        for part in ('packs/', '/manifest', 'restores/'):
            self.assertTrue([name for name in found if part in name], part)


if __name__ == '__main__':
    cli.main(SERVER)
