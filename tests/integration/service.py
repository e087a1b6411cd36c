"""Starts the service with a configuration, and talks to its API.

    with Service(instances={'orders': {'uri': server.uri()}}) as service:
        admin = service.admin()
        job = admin.job('POST', '/instances/orders/backups')
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import cli
import servers

PASSWORD = 'correct horse battery'
OVER = ('done', 'failed', 'cancelled', 'interrupted')


def toml(value):
    """A value as TOML has it; those here are JSON too, but for tables."""
    if isinstance(value, dict):
        return '{ ' + ', '.join(f'{name} = {toml(inner)}' for name, inner in value.items()) + ' }'
    return json.dumps(value)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Of the error in it."""
        return self.json['error']['code']

    def __repr__(self):
        return f'{self.status} {self.body[:2000]!r}'


class Client:
    """A browser without a page: keeps the cookie, sends the CSRF token with what changes something."""

    def __init__(self, port):
        self.port = port
        self.cookie = self.csrf = self.token = None

    def send(self, method, path, body=None, headers=(), timeout=120):
        """As it is, below /api/v1 unless the path begins with that or is absolute (`=/…`)."""
        target = path[1:] if path.startswith('=') else '/api/v1' + path
        given = {'Host': f'127.0.0.1:{self.port}'}
        if self.cookie:
            given['Cookie'] = self.cookie
        if self.token:
            given['Authorization'] = f'Bearer {self.token}'
        if self.csrf and method != 'GET':
            given['X-CSRF-Token'] = self.csrf
        if body is not None:
            given['Content-Type'] = 'application/json'
            body = json.dumps(body)
        given.update(headers)
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            connection.request(method, target, body, {k: v for k, v in given.items() if v is not None})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        cookie = answer.headers.get('set-cookie')
        if cookie:
            self.cookie = cookie.partition(';')[0]
        return answer

    def __call__(self, method, path, body=None, status=200):
        """What it answers, which has to be of that status."""
        answer = self.send(method, path, body)
        if answer.status != status:
            raise AssertionError(f'{method} {path}: {answer}')
        found = answer.json
        if isinstance(found, dict) and found.get('csrf'):
            self.csrf = found['csrf']
        return found

    def get(self, path):
        return self('GET', path)

    def sign_in(self, name, password=PASSWORD):
        self('POST', '/session', {'name': name, 'password': password})
        return self

    def wait(self, job, seconds=120, states=OVER):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.get(f'/jobs/{job}')
            if found['state'] in states:
                return found
            time.sleep(0.05)
        raise AssertionError(f'not over in {seconds} s: {found}')

    def job(self, method, path, body=None, state='done'):
        """Queues a job and waits for its end."""
        found = self.wait(self(method, path, body or {}, status=202)['job']['id'])
        if found['state'] != state:
            raise AssertionError(f'{method} {path}: {found}')
        return found


class Service:
    """A service on a port of its own, in a folder of its own; both gone on exit."""

    def __init__(self, instances, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='sluice-service-'))
        self.port = servers.free_port()
        self.repository = self.folder / 'repository'
        self._process = None
        self._tables = {
            'service': {'state': str(self.folder / 'state'), 'drill_target': 'scratch'}
            | settings.pop('service', {}),
            'listen': {'address': f'127.0.0.1:{self.port}'} | settings.pop('listen', {}),
            'repositories': {'main': {'path': str(self.repository)}},
            'targets': {'scratch': {'provide': f'local:{self.folder / "clones"}'}},
            'instances': instances,
        } | settings
        self.write_config()

    def write_config(self, **tables):
        self._tables |= tables
        lines = []
        for name, table in self._tables.items():
            plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
            if name in ('service', 'listen', 'metrics'):
                lines += [f'[{name}]', *(f'{key} = {toml(value)}' for key, value in table.items())]
                continue
            assert not plain, plain
            for key, inner in table.items():
                lines += [f'[{name}.{json.dumps(key)}]',
                          *(f'{setting} = {toml(value)}' for setting, value in inner.items())]
        self.config = self.folder / 'sluice.toml'
        self.config.write_text('\n'.join(lines) + '\n')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        for conf in self.folder.glob('clones/*/server.pid'):
            os.kill(int(conf.read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self):
        return (self.folder / 'log').read_text()

    @property
    def pid(self):
        return self._process.pid

    def start(self, wait=True):
        with open(self.folder / 'log', 'a') as log:
            self._process = subprocess.Popen(
                ['setpriv', '--pdeathsig', 'KILL', cli.binary(), 'serve', '--config', self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=cli.environment())
        deadline = time.monotonic() + 60
        while wait and time.monotonic() < deadline:
            try:
                if Client(self.port).send('GET', '=/healthz', timeout=5).status == 200:
                    return self
            except OSError:
                if self._process.poll() is not None:
                    raise AssertionError(f'the service ended: {self.log}') from None
            time.sleep(0.02)
        if wait:
            raise AssertionError(f'the service does not answer: {self.log}')
        return self

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def reload(self):
        self._process.send_signal(signal.SIGHUP)

    def client(self):
        return Client(self.port)

    def admin(self):
        """Signed in as the first admin, who is made if need be."""
        client = self.client()
        if client.get('/session')['setup_needed']:
            token = re.search('setup\\?token=([0-9a-f]+)', self.log)[1]
            client('POST', '/setup', {'token': token, 'name': 'admin', 'password': PASSWORD})
            return client
        return client.sign_in('admin')

    def user(self, role):
        """Signed in as somebody of that role, who is made."""
        self.admin()('POST', '/users', {'name': role, 'password': PASSWORD, 'role': role}, status=201)
        return self.client().sign_in(role)

    def listed(self):
        """What `sluice list` says of the repository."""
        run = cli.sluice('list', '--repo', self.repository, '--json')
        if run.code != cli.DONE:
            raise AssertionError(run)
        return run.json

    def verify_all(self):
        run = cli.sluice('verify', '--repo', self.repository, '--json', '--all', timeout=600)
        if run.code != cli.DONE:
            raise AssertionError(run)
        return run.json
