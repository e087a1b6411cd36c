"""Runs the sluice program, and looks into its repositories from the outside.

    with Repository() as repository:
        backup = repository.backup(server.uri()).json

The program is $SLUICE_BIN, else build/release/bin/sluice below the root of the source tree.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / 'tests' / 'data' / 'corpus'
SKIPPED = 77  # what ctest is told to take for a skip
_OURS = ('SLUICE_SOURCE_AUTH', 'SLUICE_TARGET_AUTH', 'VALKEYCLI_AUTH', 'REDISCLI_AUTH',
         'SLUICE_REPO', 'SLUICE_REPOSITORY_PASSPHRASE', 'SLUICE_REPO_PASSPHRASE_FILE',
         'SLUICE_REPO_KEY_FILE', 'SLUICE_REPO_KEY_COMMAND')
LEDGER = ('written', 'filtered', 'skipped', 'expired', 'failed')

# Exit codes.
DONE, FAILED, USAGE, INCOMPLETE, DIFFERENT = range(5)
TERMINATED, INTERRUPTED = 143, 130


@functools.cache
def binary():
    path = pathlib.Path(os.environ.get('SLUICE_BIN') or ROOT / 'build/release/bin/sluice')
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f'no program at {path}; build it or set SLUICE_BIN')
    return path.absolute()


def environment(**extra):
    """This process's environment without what sluice would listen to."""
    env = {name: value for name, value in os.environ.items() if name not in _OURS}
    env['LC_ALL'] = 'C.UTF-8'
    env.update(extra)
    return env


@dataclasses.dataclass(frozen=True)
class Run:
    """How one run of the program ended."""

    args: tuple
    code: int
    out: str
    err: str

    @functools.cached_property
    def json(self):
        """What it printed on stdout, which must be one JSON value on one line."""
        if self.out.count('\n') != 1:
            raise AssertionError(f'not one line on stdout: {self}')
        return json.loads(self.out)

    @property
    def error(self):
        """The code in the JSON error object."""
        return (self.json.get('error') or {}).get('code')

    def __str__(self):
        return (f'sluice {" ".join(map(str, self.args))}\nexit {self.code}\n'
                f'stdout: {self.out[-3000:]}\nstderr: {self.err[-3000:]}')


def sluice(*args, env=None, stdin=subprocess.DEVNULL, timeout=120):
    """Runs it to the end. stdin: a file, or bytes to feed."""
    feed = {'input': stdin} if isinstance(stdin, bytes) else {'stdin': stdin}
    done = subprocess.run([binary(), *map(str, args)], capture_output=True, timeout=timeout,
                          env=environment(**(env or {})), **feed)
    return Run(args, done.returncode, done.stdout.decode(errors='replace'),
               done.stderr.decode(errors='replace'))


class Repository:
    """A repository in a temporary folder, gone on exit. Not made before the first backup.

    env: what the program is told in its environment beside this process's: a key."""

    def __init__(self, env=None):
        self.env = env or {}
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix='sluice-test-'))
        self.path = self._folder / 'repository'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, verb, *args, env=None, **how):
        """`sluice VERB --repo HERE --json ...`."""
        return sluice(verb, '--repo', self.path, '--json', *args, env=self.env | (env or {}), **how)

    def command(self, verb, *args):
        """The same as a command line for subprocess.Popen."""
        return [binary(), verb, '--repo', str(self.path), '--json', *map(str, args)]

    def backup(self, source, *args, **how):
        return self.run('backup', source, *args, **how)

    def restore(self, backup, target, *args, **how):
        return self.run('restore', backup, target, *args, **how)

    def list(self, *args):
        """The backups listed; none when the repository does not exist."""
        if not self.path.exists():
            return []
        run = self.run('list', *args)
        if run.code != DONE:
            raise AssertionError(f'list failed: {run}')
        return run.json

    def ids(self):
        return [backup['id'] for backup in self.list()]

    def copy(self, to):
        """A copy of the whole repository as another Repository's."""
        shutil.copytree(self.path, to.path)

    def strays(self):
        """Files and directories below the root that belong to no listed backup and are not the
        repository's own. Directories of instances without a backup are its own. An empty LOCK stays
        with a backup whose writer was killed between the commit and its end."""
        mine = {'FORMAT', 'FORMAT.copy', 'LOCK', 'IO', 'packs', 'instances', 'tmp', 'feeds', 'restores',
                'gc', 'gc/LAST'}
        if (self.path / 'keys').exists():
            mine |= {'keys', *(f'keys/{path.name}' for path in (self.path / 'keys').iterdir())}
        mine |= {f'packs/{shard:02x}' for shard in range(256)}
        packs = set()
        for backup in self.list():
            folder = f'instances/{backup["instance"]}/{backup["id"]}'
            mine |= {folder, f'instances/{backup["instance"]}'}
            mine |= {f'{folder}/{name}' for name in ('HEAD', 'manifest', 'manifest.copy', 'CHECKED',
                                                      'LOCK')}
            packs |= set(self.run('show', backup['id']).json['packs'])
        out = []
        for path in sorted(self.path.rglob('*')) if self.path.exists() else ():
            name = str(path.relative_to(self.path))
            if path.parent.name == 'instances' and path.is_dir() and not any(path.iterdir()):
                continue
            if re.match(r'packs/[0-9a-f]{2}/.', name) and path.name in packs:
                packs.discard(path.name)
                continue
            if name not in mine:
                out.append(name)
        if packs:
            raise AssertionError(f'packs that are listed and not there: {sorted(packs)}')
        return out


class Case(unittest.TestCase):
    """With what all tests of the program assert."""

    maxDiff = 4000
    longMessage = True

    def repository(self):
        repository = Repository()
        self.addCleanup(repository.__exit__)
        return repository

    def server(self, name, args=(), **how):
        server = servers.Server(name, args, **how)
        self.addCleanup(server.stop)
        return server.start()

    def client(self, server, **how):
        client = server.client(**how)
        self.addCleanup(client.close)
        return client

    def assert_done(self, run, code=DONE):
        self.assertEqual(run.code, code, run)
        return run.json

    def assert_refused(self, run, code, *words, exit_code=FAILED):
        """Exit code, one line on stderr with those words in it (any case), a JSON error object."""
        self.assertEqual(run.code, exit_code, run)
        lines = run.err.splitlines()
        self.assertEqual(len(lines), 1, run)
        self.assertRegex(lines[0], '^sluice: ', run)
        for word in words:
            self.assertIn(word.lower(), lines[0].lower(), run)
        self.assertEqual(run.error, code, run)
        self.assertNotIn('fault of sluice', run.err)

    def assert_balanced(self, result):
        """Of the whole ledger and of each type's; the types add up to the whole."""
        for ledger in (result, *result['by_type'].values()):
            self.assertEqual(ledger['read'], sum(ledger[name] for name in LEDGER), ledger)
        for name in ('read', *LEDGER):
            total = sum(ledger[name] for ledger in result['by_type'].values())
            self.assertEqual(result[name], total, name)
        self.assertEqual(len(result['failures']), min(result['failure_count'], 1000))

    def assert_nothing_kept(self, repository, source=None):
        """After a backup that failed: nothing is listed, nothing left once a good one has run."""
        self.assertEqual(repository.list(), [])
        self.assertEqual(repository.strays(), [])
        if source is not None:
            self.assert_done(repository.backup(source, '--name', 'good'))
            self.assertEqual([b['instance'] for b in repository.list()], ['good'])
            self.assertEqual(repository.strays(), [])


def certificates(case):
    """A folder with ca, other-ca, server and client certificates."""
    holder = tempfile.TemporaryDirectory(prefix='sluice-tls-')
    case.addCleanup(holder.cleanup)
    folder = pathlib.Path(holder.name)

    def openssl(*args):
        subprocess.run(['openssl', *args], check=True, capture_output=True, cwd=folder)

    for ca in ('ca', 'other-ca'):
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                '-nodes', '-days', '2', '-subj', f'/CN={ca}', '-keyout', f'{ca}.key',
                '-out', f'{ca}.crt')
    (folder / 'names').write_text('subjectAltName=DNS:sluice.test,IP:127.0.0.1\n')
    for who in ('server', 'client'):
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                '-subj', f'/CN={who}', '-keyout', f'{who}.key', '-out', f'{who}.csr')
        openssl('x509', '-req', '-in', f'{who}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key',
                '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', f'{who}.crt')
    return folder


def tls_server(case, name, folder, clients, *args):
    """A server with a TLS port of its own beside the plain one, and that port's URI."""
    port = servers.free_port()
    server = case.server(name, (
        '--tls-port', port, '--tls-cert-file', folder / 'server.crt',
        '--tls-key-file', folder / 'server.key', '--tls-ca-cert-file', folder / 'ca.crt',
        '--tls-auth-clients', clients, *args))
    return server, f'{server.flavor}s://127.0.0.1:{port}'


def main(*needed):
    """unittest.main(), but exit 77 with the reasons when a server that is needed is not here."""
    binary()
    found = servers.available()
    absent = [f'{name}: {found[name].reason}' for name in needed if not found[name]]
    if absent:
        print('skipped:', '; '.join(absent))
        sys.exit(SKIPPED)
    unittest.main()
