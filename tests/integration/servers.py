"""Starts servers of the test matrix on loopback ports, and never leaves one behind.

    with Server('valkey91') as server:
        server.client().call('SET', 'k', 'v')

The servers come from tests/servers/fetch.
"""

import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'servers'))

import matrix  # noqa: E402
import resp  # noqa: E402

NAMES = tuple(matrix.SERVERS)
_START_SECONDS = 60
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: too late between fork and exec


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a server of the matrix is, or why it is not there."""

    path: pathlib.Path | None
    reason: str = ''

    def __bool__(self):
        return self.path is not None


def available():
    """Every server of the matrix by name; false where it is absent, with the reason."""
    out = {}
    for name in NAMES:
        path = matrix.ready(name)
        out[name] = Found(path, '' if path else matrix.why_absent(name))
    return out


class Absent(Exception):
    """The server was not fetched; the text says why."""


def free_port():
    """A loopback port that was free a moment ago. A node of a cluster, which takes the one 10,000
    above it as well, can have it."""
    while True:
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        if port <= 55_535:
            return port


def _die_with_parent():
    # The signal is tied to the thread that starts the server: start servers from a thread that
    # lives as long as they should.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One running server in a fresh folder, stopped and removed on exit.

    args: more command-line arguments, e.g. ('--maxmemory-policy', 'allkeys-lfu').
    rdb: a dump to start from (copied).
    password: sets requirepass; `client` and `uri` use it.
    folder: runs there and keeps it, instead of in a temporary folder.
    port: chooses a port at each start; free_port unless given.
    """

    def __init__(self, name, args=(), *, rdb=None, password=None, folder=None, port=None):
        home = matrix.ready(name)
        if home is None:
            raise Absent(f'{name}: {matrix.why_absent(name)}')
        self.name = name
        self.home = home
        self.flavor = matrix.SERVERS[name].flavor
        self.version = tuple(int(x) for x in matrix.version_of(home).split('.'))
        self.args = [str(a) for a in args]
        self.password = password
        self.port = None
        self.process = None
        self._choose_port = port or free_port
        self._rdb = rdb
        self._keep = folder is not None
        self.folder = pathlib.Path(folder) if folder else None

    # Life.

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def __del__(self):
        self.stop()

    def start(self):
        """Starts and waits until the server answers PING. Also starts it again after `kill`."""
        if self.folder is None:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f'sluice-{self.name}-'))
        if self._rdb is not None:
            shutil.copyfile(self._rdb, self.rdb_path)
            self._rdb = None
        for attempt in range(5):
            self.port = self._choose_port()
            self._spawn()
            try:
                self._wait()
                return self
            except OSError as e:  # somebody else took the port in between
                log = self.log()
                self._end(signal.SIGKILL)
                if 'in use' not in log or attempt == 4:
                    self._remove()
                    raise RuntimeError(f'{self.name} did not start: {e}\n{log[-2000:]}') from None

    def _spawn(self):
        command = [self.home / 'run-server', '--bind', '127.0.0.1', '--port', str(self.port),
                   '--daemonize', 'no', '--dir', self.folder, '--logfile', self.folder / 'log',
                   '--dbfilename', 'dump.rdb', '--save', '', '--appendonly', 'no',
                   '--repl-diskless-sync-delay', '0']
        if self.version >= (7, 0):
            command += ['--enable-debug-command', 'yes']
        if self.password is not None:
            command += ['--requirepass', self.password]
        (self.folder / 'log').write_text('')
        with open(self.folder / 'stdout', 'wb') as out:
            self.process = subprocess.Popen(command + self.args, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT,
                                            preexec_fn=_die_with_parent)

    def _wait(self):
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise OSError(f'exit status {self.process.returncode}')
            try:
                with self.client(timeout=5) as client:
                    client.call('PING')
                return
            except resp.ReplyError as e:
                if e.code != 'LOADING':
                    return  # it answers; what it says is the test's business
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise OSError(f'no answer within {_START_SECONDS} s')
            time.sleep(0.01)

    def stop(self):
        """Ends the server without saving and removes its folder. May be called twice."""
        self._end(signal.SIGTERM)
        self._remove()

    def kill(self):
        """kill -9; the folder stays for `start`."""
        self._end(signal.SIGKILL)

    def _end(self, how):
        if getattr(self, 'process', None) is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def _remove(self):
        if getattr(self, 'folder', None) is not None and not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    # What tests ask it.

    @property
    def pid(self):
        return self.process.pid

    @property
    def rdb_path(self):
        """Where SAVE writes."""
        return self.folder / 'dump.rdb'

    def client(self, db=0, timeout=60):
        """A new connection; the caller closes it."""
        return resp.Client(self.port, password=self.password, db=db, timeout=timeout)

    def uri(self, db=None):
        """redis://[:password@]127.0.0.1:port[/db], or valkey://."""
        auth = f':{self.password}@' if self.password is not None else ''
        return f'{self.flavor}://{auth}127.0.0.1:{self.port}' + ('' if db is None else f'/{db}')

    def digest(self):
        """The server's own DEBUG DIGEST over all databases: 40 hex digits."""
        with self.client(timeout=300) as client:
            return client.call('DEBUG', 'DIGEST')

    def save(self, to=None):
        """SAVE; returns the dump's path, copied to `to` when that is given."""
        with self.client(timeout=300) as client:
            # The child that saved for a replica may not have ended yet, and then SAVE is refused.
            while client.info('persistence')['rdb_bgsave_in_progress'] != '0':
                time.sleep(0.01)
            client.call('SAVE')
        return shutil.copyfile(self.rdb_path, to) if to else self.rdb_path

    def log(self):
        """All the server has logged so far."""
        return ''.join((self.folder / name).read_text(errors='replace')
                       for name in ('log', 'stdout') if (self.folder / name).exists())


def check_rdb(name, path):
    """Runs that server's redis-check-rdb or valkey-check-rdb: (accepted, its output)."""
    done = subprocess.run([matrix.ready(name) / 'run-check-rdb', os.fspath(path)],
                          capture_output=True, text=True, errors='replace', timeout=120)
    return done.returncode == 0, done.stdout + done.stderr


if __name__ == '__main__':
    for server, found in available().items():
        print(f'{server:10} {found.path or "absent: " + found.reason}')
