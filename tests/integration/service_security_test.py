#!/usr/bin/env python3
"""Who may do what with the service, and from where: row I5 of docs/reliability.md."""

import json
import pathlib
import re
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
from service import PASSWORD, Client, Service  # noqa: E402

SERVER = 'redis70'
SECRET = 'swordfish-of-the-source'
#: Every operation that changes something: method, path, least role.
CHANGES = [
    ('DELETE', '/session', 'viewer'),
    ('PUT', '/session/password', 'viewer'),
    ('POST', '/users', 'admin'),
    ('PUT', '/users/x', 'admin'),
    ('DELETE', '/users/x', 'admin'),
    ('POST', '/tokens', 'admin'),
    ('DELETE', '/tokens/1', 'admin'),
    ('PUT', '/instances/one/policy', 'admin'),
    ('DELETE', '/instances/one/policy', 'admin'),
    ('POST', '/instances/one/backups', 'operator'),
    ('POST', '/instances/one/drills', 'operator'),
    ('POST', '/backups/x/verify', 'operator'),
    ('PUT', '/backups/x/pin', 'operator'),
    ('DELETE', '/backups/x/pin', 'admin'),
    ('DELETE', '/backups/x', 'admin'),
    ('POST', '/backups/x/analysis', 'operator'),
    ('POST', '/trash/x/restore', 'admin'),
    ('POST', '/diffs', 'operator'),
    ('POST', '/plans', 'operator'),
    ('POST', '/restores', 'admin'),
    ('POST', '/clones', 'operator'),
    ('DELETE', '/clones/1', 'operator'),
    ('POST', '/clones/1/promotions', 'admin'),
    ('POST', '/jobs/1/cancel', 'operator'),
]
#: What only reads, but more than the viewer may see.
READS = [
    ('GET', '/session', None), ('GET', '/openapi.json', None),
    ('GET', '/info', 'viewer'), ('GET', '/instances', 'viewer'), ('GET', '/instances/one', 'viewer'),
    ('GET', '/instances/one/policy', 'viewer'), ('GET', '/backups', 'viewer'),
    ('GET', '/backups/x', 'viewer'), ('GET', '/jobs', 'viewer'), ('GET', '/jobs/1', 'viewer'),
    ('GET', '/drills', 'viewer'), ('GET', '/clones', 'viewer'), ('GET', '/trash', 'viewer'),
    ('GET', '/events', 'viewer'),
    ('GET', '/backups/x/rdb', 'operator'), ('GET', '/backups/x/keys', 'operator'),
    ('GET', '/backups/x/key', 'operator'), ('GET', '/backups/x/analysis', 'operator'),
    ('GET', '/instances/one/history', 'operator'),
    ('GET', '/users', 'admin'), ('GET', '/tokens', 'admin'), ('GET', '/audit', 'admin'),
]
OPEN = [('POST', '/setup', None), ('POST', '/session', None)]
RANK = {'viewer': 1, 'operator': 2, 'admin': 3}


def routes_in_source():
    """Method, path and role of every route that the program has."""
    found = set()
    for path in sorted((cli.ROOT / 'service').glob('api_*.cc')):
        for method, where, role in re.findall(
                r'\{"([A-Z]+)", "([^"]+)", Role::(\w+),', path.read_text()):
            found.add((method, where, {'none': None, 'operator_': 'operator'}.get(role, role)))
    return found


def pattern(path):
    """The path as its route has it."""
    path = re.sub('/(users|backups|tokens|jobs|clones|trash)/(x|1)', lambda m: f'/{m[1]}/' + (
        '{name}' if m[1] == 'users' else '{id}'), path)
    return path.replace('/instances/one', '/instances/{name}')


class Security(cli.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = __import__('servers').Server(SERVER, password=SECRET).start()
        (folder := pathlib.Path(cls.source.folder) / 'secret').write_text(SECRET + '\n')
        folder.chmod(0o600)
        cls.service = Service({'one': {'uri': f'redis://127.0.0.1:{cls.source.port}',
                                       'password_file': str(folder)}}).start()
        cls.roles = {'admin': cls.service.admin(), 'operator': cls.service.user('operator'),
                     'viewer': cls.service.user('viewer')}

    @classmethod
    def tearDownClass(cls):
        cls.service.__exit__()
        cls.source.stop()
        super().tearDownClass()

    def test_every_route_is_in_the_tables_here(self):
        known = {(method, pattern(path), role) for method, path, role in CHANGES + READS + OPEN}
        self.assertEqual(routes_in_source(), known)

    def test_without_a_session(self):
        nobody = Client(self.service.port)
        for method, path, role in CHANGES + READS:
            with self.subTest(method=method, path=path):
                if role:
                    answer = nobody.send(method, path, {} if method != 'GET' else None)
                    self.assertEqual((answer.status, answer.code), (401, 'signed_out'), answer)

    def test_with_a_session_that_never_was(self):
        forged = Client(self.service.port)
        forged.cookie = 'sluice_session=' + '0' * 64
        for method, path, _ in CHANGES:
            with self.subTest(method=method, path=path):
                self.assertEqual(forged.send(method, path, {}).status, 401)

    def test_with_a_role_that_is_too_low(self):
        for method, path, role in CHANGES + READS:
            for lower, client in self.roles.items():
                if role and RANK[lower] < RANK[role]:
                    with self.subTest(method=method, path=path, role=lower):
                        answer = client.send(method, path, {} if method != 'GET' else None)
                        self.assertEqual((answer.status, answer.code), (403, 'role_too_low'), answer)

    def test_from_a_foreign_origin_or_host(self):
        admin = self.roles['admin']
        for method, path, _ in CHANGES + OPEN:
            for headers, code in (({'Origin': 'http://evil.example'}, 'foreign_origin'),
                                  ({'Origin': 'null'}, 'foreign_origin'),
                                  ({'Sec-Fetch-Site': 'cross-site'}, 'foreign_origin'),
                                  ({'Host': 'evil.example'}, 'foreign_host'),
                                  ({'Host': f'evil.example:{self.service.port}'}, 'foreign_host'),
                                  ({'Host': f'127.0.0.1:{self.service.port}.evil.example'},
                                   'foreign_host')):
                with self.subTest(method=method, path=path, headers=headers):
                    answer = admin.send(method, path, {}, headers.items())
                    self.assertEqual((answer.status, answer.code), (403, code), answer)
        for path in ('/instances', '=/', '=/metrics', '=/healthz'):
            self.assertEqual(admin.send('GET', path, headers={'Host': 'evil.example'}.items()).status, 403)

    def test_with_a_stale_csrf_token(self):
        admin = self.roles['admin']
        other = self.service.admin()  # another session of the same person
        for method, path, _ in CHANGES:
            for token in (None, '', '0' * 32, other.csrf):
                with self.subTest(method=method, path=path, token=token):
                    answer = admin.send(method, path, {}, {'X-CSRF-Token': token}.items())
                    self.assertEqual((answer.status, answer.code), (403, 'stale_csrf'), answer)

    def test_a_session_ends(self):
        client = self.service.admin()
        old = client.cookie
        client.send('DELETE', '/session', {})
        client.cookie = old
        self.assertEqual(client.send('GET', '/instances').status, 401)

    def test_a_session_is_not_the_one_before_signing_in(self):
        client = self.service.client()
        client.cookie = 'sluice_session=' + 'a' * 64
        client.sign_in('admin')
        self.assertNotIn('a' * 64, client.cookie)

    def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self):
        answer = self.service.client().send('POST', '/session', {'name': 'admin', 'password': PASSWORD})
        self.assertIn('HttpOnly', answer.headers['set-cookie'])
        self.assertIn('SameSite=Strict', answer.headers['set-cookie'])

    def test_pages_say_what_a_browser_may_do(self):
        for path in ('=/', '=/api/v1/session', '=/nowhere'):
            headers = self.service.client().send('GET', path).headers
            self.assertIn("default-src 'none'", headers['content-security-policy'])
            self.assertNotIn('unsafe', headers['content-security-policy'])
            self.assertEqual(headers['x-content-type-options'], 'nosniff')
            self.assertEqual(headers['x-frame-options'], 'DENY')

    def test_paths_lead_nowhere_else(self):
        admin = self.roles['admin']
        for part in ('..', '%2e%2e', '..%2f..%2fetc%2fpasswd', '%2e%2e%2f', '....//', '%00', 'a%00b', '*'):
            for path in (f'/backups/{part}', f'/backups/{part}/rdb', f'/instances/{part}',
                         f'/instances/{part}/policy', f'/trash/{part}/x', f'/jobs/{part}'):
                with self.subTest(path=path):
                    self.assertEqual(admin.send('GET', path).status, 404)
            self.assertEqual(admin.send('GET', f'=/{part}').status, 404)
            self.assertEqual(admin.send('POST', f'/trash/{part}/restore', {}).status, 404)
        self.assertEqual(admin.send('GET', '=/%zz').status, 404)

    def test_what_is_no_json_is_refused(self):
        admin = self.roles['admin']
        form = admin.send('POST', '/plans', {}, {'Content-Type': 'text/plain'}.items())
        self.assertEqual(form.status, 415)
        self.assertEqual(admin.send('POST', '/plans', [1]).status, 400)
        self.assertEqual(admin.send('POST', '/plans', {'backup': {'a': 1}, 'match': 7}).status, 404)

    def test_guessing_is_slowed_down(self):
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}})
        self.addCleanup(service.__exit__)
        service.start()
        service.admin()
        statuses = []
        for i in range(12):
            answer = service.client().send('POST', '/session', {'name': 'admin', 'password': f'guess {i}'})
            statuses.append(answer.status)
        self.assertEqual(set(statuses), {401, 429})
        self.assertLessEqual(statuses.count(401), 6)
        right = service.client().send('POST', '/session', {'name': 'admin', 'password': PASSWORD})
        self.assertEqual(right.status, 429, 'nor does the right one get through meanwhile')
        self.assertIn('retry-after', right.headers)
        time.sleep(int(re.search(r'in (\d+) s', right.json['error']['message'])[1]) + 0.1)
        self.assertEqual(service.client().send('POST', '/session',
                                               {'name': 'admin', 'password': PASSWORD}).status, 200)

    def test_the_first_admin_needs_the_token_and_there_is_only_one(self):
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}})
        self.addCleanup(service.__exit__)
        service.start()
        for token in ('', '0' * 32):
            answer = service.client().send('POST', '/setup', {'token': token, 'name': 'eve',
                                                              'password': PASSWORD})
            self.assertEqual((answer.status, answer.code), (403, 'bad_token'))
        weak = {'token': re.search('token=([0-9a-f]+)', service.log)[1], 'name': 'a', 'password': 'short'}
        self.assertEqual(service.client().send('POST', '/setup', weak).code, 'weak_password')
        service.admin()
        self.assertEqual(service.client().send('POST', '/setup', weak | {'password': PASSWORD}).code, 'exists')

    def test_the_last_admin_stays(self):
        admin = self.roles['admin']
        self.assertEqual(admin.send('DELETE', '/users/admin', {}).code, 'last_admin')
        self.assertEqual(admin.send('PUT', '/users/admin', {'role': 'viewer'}).code, 'last_admin')

    def test_no_secret_is_shown_or_written(self):
        admin = self.roles['admin']
        job = admin.job('POST', '/instances/one/backups')
        admin.send('POST', '/session', {'name': 'admin', 'password': 'a wrong guess'})
        said = self.service.log + json.dumps(job)
        for path in ('/info', '/instances', '/instances/one', '/backups', '/jobs', '/audit', '/users',
                     '/tokens', '=/metrics', '/openapi.json'):
            said += admin.send('GET', path).body.decode()
        for secret in (SECRET, PASSWORD, 'a wrong guess', admin.cookie.partition('=')[2]):
            self.assertNotIn(secret, said)
        state = (self.service.folder / 'state' / 'service.db').read_bytes()
        for secret in (SECRET, PASSWORD, admin.cookie.partition('=')[2]):
            self.assertNotIn(secret.encode(), state)
        self.assertEqual((self.service.folder / 'state' / 'service.db').stat().st_mode & 0o077, 0)

    def test_the_audit_log_is_added_to_only(self):
        admin = self.roles['admin']
        admin.send('PUT', '/instances/one/policy', {'schedule': 1})
        entries = admin.get('/audit?limit=1000')
        self.assertTrue(entries['chain_ok'])
        last = entries['entries'][0]
        self.assertEqual((last['actor'], last['action'], last['object'], last['outcome']),
                         ('admin', 'policy.set', 'one', 'refused'))
        self.roles['viewer'].send('POST', '/instances/one/backups', {})
        self.assertEqual(admin.get('/audit')['entries'][0]['actor'], 'viewer', 'who may not, is logged')
        with sqlite3.connect(self.service.folder / 'state' / 'service.db') as state:
            for change in ('UPDATE audit SET actor = 1', 'DELETE FROM audit'):
                with self.assertRaisesRegex(sqlite3.IntegrityError, 'append only'):
                    state.execute(change)

    def test_a_log_that_was_tampered_with_is_told(self):
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}})
        self.addCleanup(service.__exit__)
        service.start()
        admin = service.admin()
        self.assertTrue(admin.get('/audit')['chain_ok'])
        with sqlite3.connect(service.folder / 'state' / 'service.db') as state:
            state.execute('DROP TRIGGER audit_is_not_changed')
            state.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 1")
        self.assertFalse(admin.get('/audit')['chain_ok'])

    def test_others_can_connect_only_with_tls(self):
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}}, listen={'address': '0.0.0.0:7799'})
        self.addCleanup(service.__exit__)
        run = cli.sluice('serve', '--check', '--config', service.config)
        self.assertEqual(run.code, cli.FAILED if run.code == cli.FAILED else cli.USAGE)
        self.assertIn('certificate', run.err)


if __name__ == '__main__':
    cli.main(SERVER)
