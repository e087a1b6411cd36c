#!/usr/bin/env python3
"""service/openapi.json is what the service does: each operation is called, and what is sent and what comes back
is held against the document."""

import collections
import http.client
import json
import pathlib
import re
import sys
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'integration')]

import cli  # noqa: E402
import fill  # noqa: E402
import json_schema  # noqa: E402
import servers  # noqa: E402
from service import PASSWORD, Client, Service  # noqa: E402

SERVER = 'redis70'
DOCUMENT = json.loads((cli.ROOT / 'service' / 'openapi.json').read_text())
METHODS = ('get', 'post', 'put', 'delete')
NOWHERE = '20200101T000000000Z-00000000'


def operations():
    """Path, method and operation of each."""
    for path, item in DOCUMENT['paths'].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


RESULTS = {'verify': {'type': 'array', 'items': {'$ref': '#/components/schemas/VerifyResult'}},
           'diff': {'$ref': '#/components/schemas/DiffResult'},
           **dict.fromkeys(('plan', 'restore', 'clone', 'drill'), {'$ref': '#/components/schemas/RestoreResult'})}


class Described(Client):
    """A client that holds all it sends and gets against the document."""

    validator = json_schema.Validator(DOCUMENT)
    seen = collections.defaultdict(set)  # statuses, by operation

    def job(self, method, path, body=None, state='done'):
        found = super().job(method, path, body, state)
        if state == 'done':
            self.validator.check(found['result'], RESULTS.get(found['type'], {'type': 'object'}), found['type'])
        return found

    def find(self, method, path):
        """The operation that a request is meant for. A part without a name wins over one with."""
        found = []
        for pattern, item in DOCUMENT['paths'].items():
            shape = re.sub(r'\{\w+\}', '[^/]+', pattern)
            if re.fullmatch(shape, path) and method.lower() in item:
                found.append((pattern.count('{'), item[method.lower()]))
        if not found:
            raise AssertionError(f'{method} {path} is not in the document')
        return min(found, key=lambda one: one[0])[1]

    def send(self, method, path, body=None, headers=(), timeout=120):
        answer = super().send(method, path, body, headers, timeout)
        where, _, query = path.removeprefix('=').partition('?')
        operation = self.find(method, where)
        self.seen[operation['operationId']].add(answer.status)
        if answer.status < 300:
            self.check_request(operation, body, query)
        self.check_answer(operation, answer)
        return answer

    def check_request(self, operation, body, query):
        """What was taken has to be allowed."""
        known = {one['name']: one for one in operation.get('parameters', [])}
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        for name in given:
            assert name in known, f'{operation["operationId"]}: parameter {name} is not described'
        for name, one in known.items():
            assert name in given or not one['required'], f'{operation["operationId"]}: {name} is required'
        if body is not None:
            schema = operation['requestBody']['content']['application/json']['schema']
            self.validator.check(body, schema, operation['operationId'] + ' request')
        elif operation.get('requestBody', {}).get('required'):
            raise AssertionError(f'{operation["operationId"]}: a body is required')

    def check_answer(self, operation, answer):
        where = f'{operation["operationId"]} {answer.status}'
        described = operation['responses'].get(str(answer.status))
        assert described, f'{where} is not described: {answer}'
        described = self.validator.resolve(described)
        kind = answer.headers['content-type'].partition(';')[0]
        assert kind in described['content'], f'{where}: {kind}'
        for name in described.get('headers', {}):
            assert name.lower() in answer.headers, f'{where}: no header {name}'
        if kind == 'application/json':
            self.validator.check(answer.json, described['content'][kind]['schema'], where)


class Document(unittest.TestCase):
    def test_operations_are_whole(self):
        names = [operation['operationId'] for _, _, operation in operations()]
        self.assertEqual(len(names), len(set(names)))
        for path, method, operation in operations():
            with self.subTest(operation['operationId']):
                self.assertIn(operation['x-least-role'], ('none', 'viewer', 'operator', 'admin'))
                self.assertEqual(operation['security'] == [], operation['x-least-role'] == 'none')
                given = {one['name'] for one in DOCUMENT['paths'][path].get('parameters', [])}
                self.assertEqual(given, set(re.findall(r'\{(\w+)\}', path)))
                self.assertTrue(any(status.startswith('2') for status in operation['responses']))

    def test_references_lead_somewhere_and_all_schemas_are_used(self):
        text = json.dumps(DOCUMENT)
        pointers = set(re.findall(r'"\$ref": "([^"]+)"', text))
        validator = json_schema.Validator(DOCUMENT)
        for pointer in pointers:
            self.assertIsInstance(validator.resolve({'$ref': pointer}), dict)
        for kind in ('schemas', 'responses'):
            for name in DOCUMENT['components'][kind]:
                self.assertIn(f'#/components/{kind}/{name}', pointers)

    def test_routes_of_the_program_are_those_of_the_document(self):
        routes = set()
        for path in sorted((cli.ROOT / 'service').glob('api_*.cc')):
            for method, where, role in re.findall(r'\{"([A-Z]+)", "([^"]+)", Role::(\w+),', path.read_text()):
                routes.add((method.lower(), where, role.rstrip('_')))
        self.assertGreater(len(routes), 30)
        described = {(method, path, operation['x-least-role']) for path, method, operation in operations()
                     if 'servers' not in DOCUMENT['paths'][path]}
        self.assertEqual(described, routes)

    def test_the_validator_sees_what_does_not_fit(self):
        validator = json_schema.Validator(DOCUMENT)
        schema = {'$ref': '#/components/schemas/Verified'}
        good = {'finished_at': '2026-11-25T02:00:00.000Z', 'level': 'digest', 'ok': True}
        validator.check(good, schema)
        for change in ({'ok': 1}, {'level': 'deep'}, {'finished_at': 'yesterday'}, {'more': 1}, {'ok': None}):
            with self.assertRaises(json_schema.Mismatch, msg=change):
                validator.check(good | change, schema)
        with self.assertRaises(json_schema.Mismatch):
            validator.check({'ok': True}, schema)


class Operations(cli.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = servers.Server(SERVER).start()
        client = cls.source.client()
        fill.fill(client, cls.source.flavor, cls.source.version, scale=0.05)
        client.call('SET', 'long', 'x' * 2_000_000)
        client.call('SET', b'\xff\x00"', b'\xfe')
        client.call('SELECT', '1')
        client.call('SET', b'\xff\x00"', b'\xfe')
        cls.service = Service({'orders': {'uri': cls.source.uri(), 'policy': 'nightly'},
                               'by-hand': {'uri': 'redis://127.0.0.1:1'}},
                              policies={'nightly': {'start': '02:00'}}).start()
        first = cls.service.admin()
        cls.admin = Described(cls.service.port)
        cls.admin.cookie, cls.admin.csrf = first.cookie, first.csrf
        cls.roles = {}
        for role in ('viewer', 'operator'):
            cls.admin('POST', '/users', {'name': role, 'password': PASSWORD, 'role': role}, status=201)
            cls.roles[role] = Described(cls.service.port).sign_in(role)

    @classmethod
    def tearDownClass(cls):
        cls.service.__exit__()
        cls.source.stop()
        super().tearDownClass()

    def refused(self, status, method, path, body=None, client=None, **how):
        answer = (client or self.admin).send(method, path, body, **how)
        self.assertEqual(answer.status, status, answer)

    def backup(self):
        return self.admin.job('POST', '/instances/orders/backups')['backup']

    def test_1_the_document_is_served(self):
        self.assertEqual(Described(self.service.port).get('/openapi.json'), DOCUMENT)
        self.assertEqual(self.admin('GET', '=/healthz'), {'status': 'ok'})
        self.assertEqual(self.admin.send('GET', '=/metrics').status, 200)

    def test_1_session(self):
        nobody = Described(self.service.port)
        self.assertIsNone(nobody.get('/session')['user'])
        self.assertEqual(self.admin.get('/session')['user'], {'name': 'admin', 'role': 'admin'})
        self.refused(409, 'POST', '/setup', {'token': 'x', 'name': 'eve', 'password': PASSWORD}, nobody)
        self.refused(401, 'POST', '/session', {'name': 'eve', 'password': 'x' * 12}, nobody)
        self.admin('POST', '/users', {'name': 'ann', 'password': PASSWORD, 'role': 'viewer'}, status=201)
        ann = Described(self.service.port).sign_in('ann')
        self.refused(422, 'PUT', '/session/password', {'old': PASSWORD, 'new': 'short'}, ann)
        ann('PUT', '/session/password', {'old': PASSWORD, 'new': PASSWORD + '!'})
        ann = Described(self.service.port).sign_in('ann', PASSWORD + '!')
        self.assertEqual(ann('DELETE', '/session', {}), {})
        for _ in range(10):
            if nobody.send('POST', '/session', {'name': 'eve', 'password': 'wrong'}).status == 429:
                break
        else:
            self.fail('guesses are not slowed down')

    def test_1_setup(self):
        with Service({}) as fresh:
            nobody = Described(fresh.port)
            self.refused(403, 'POST', '/setup', {'token': 'x', 'name': 'eve', 'password': PASSWORD}, nobody)
            token = re.search('setup\\?token=([0-9a-f]+)', fresh.log)[1]
            self.refused(422, 'POST', '/setup', {'token': token, 'name': 'a', 'password': 'x'}, nobody)
            nobody('POST', '/setup', {'token': token, 'name': 'admin', 'password': PASSWORD})

    def test_1_users_tokens_and_audit(self):
        made = self.admin('POST', '/users', {'name': 'bob', 'password': PASSWORD, 'role': 'viewer'}, status=201)
        self.assertEqual(made, {'name': 'bob'})
        self.refused(409, 'POST', '/users', {'name': 'bob', 'password': PASSWORD, 'role': 'viewer'})
        self.refused(422, 'POST', '/users', {'name': 'tom', 'password': PASSWORD, 'role': 'king'})
        self.admin('PUT', '/users/bob', {'role': 'operator', 'password': PASSWORD + '!'})
        self.refused(404, 'PUT', '/users/nobody', {'role': 'admin'})
        self.refused(409, 'PUT', '/users/admin', {'role': 'viewer'})
        self.refused(409, 'DELETE', '/users/admin', {})
        self.refused(404, 'DELETE', '/users/nobody', {})
        self.admin('DELETE', '/users/bob', {})
        self.assertIn('admin', [user['name'] for user in self.admin.get('/users')['users']])
        token = self.admin('POST', '/tokens', {'label': 'cron', 'role': 'viewer', 'expires_in_days': 7}, status=201)
        self.refused(422, 'POST', '/tokens', {'label': '', 'role': 'viewer'})
        script = Described(self.service.port)
        script.token = token['token']
        script.get('/instances')
        self.admin.get('/tokens')
        self.admin('DELETE', f'/tokens/{token["id"]}', {})
        self.refused(404, 'DELETE', '/tokens/9999', {})
        entries = self.admin.get('/audit?limit=5')
        self.assertTrue(entries['chain_ok'])
        self.admin.get(f'/audit?before={entries["entries"][-1]["seq"]}')

    def test_1_instances_and_policies(self):
        self.assertEqual(self.admin.get('/info')['drill_target'], 'scratch')
        self.admin.get('/instances')
        self.assertEqual(self.admin.get('/instances/by-hand')['policy'], None)
        self.refused(404, 'GET', '/instances/nowhere')
        for method in ('GET', 'PUT', 'DELETE'):
            self.refused(404, method, '/instances/nowhere/policy', None if method == 'GET' else {})
        answer = self.admin.get('/instances/orders/policy')
        self.assertEqual(answer['source'], 'file')
        wanted = answer['policy'] | {'verify': {'days': ['sun']}, 'retention': {'daily': 3}, 'compression': 'zstd:3'}
        self.assertEqual(self.admin('PUT', '/instances/by-hand/policy', wanted)['source'], 'console')
        self.refused(422, 'PUT', '/instances/by-hand/policy', {'retries': -1})
        self.assertEqual(self.admin('DELETE', '/instances/by-hand/policy', {})['source'], 'none')

    def test_2_backups(self):
        first, second = self.backup(), self.backup()
        self.refused(404, 'POST', '/instances/nowhere/backups', {})
        self.assertEqual(self.admin.get('/instances/orders')['health'], 'ok')
        self.admin.get(f'/backups/{first}')
        page = self.admin.get('/backups?instance=orders&limit=1&status=ok&from=2020-01-01T00:00:00.000Z')
        self.assertEqual(page['next'], second)
        self.admin.get(f'/backups?before={second}')
        self.refused(422, 'GET', '/backups?status=fine')
        self.admin.job('POST', f'/backups/{first}/verify', {'level': 'digest'})
        self.refused(422, 'POST', f'/backups/{first}/verify', {'level': 'deep'})
        self.assertEqual(self.admin('PUT', f'/backups/{first}/pin', {'note': 'why'})['backup']['pinned'], 'why')
        self.admin('DELETE', f'/backups/{first}/pin', {})
        self.assertTrue(self.admin.send('GET', f'/backups/{second}/rdb').body.startswith(b'REDIS'))
        self.refused(422, 'DELETE', f'/backups/{first}', {'confirm': 'yes'})
        self.admin.job('DELETE', f'/backups/{first}', {'confirm': first})
        self.assertEqual(self.admin.get('/trash?repository=main')['backups'][0]['id'], first)
        self.admin('POST', f'/trash/{first}/restore', {})
        self.refused(404, 'POST', f'/trash/{NOWHERE}/restore', {})
        for method, path in (('GET', ''), ('GET', '/rdb'), ('GET', '/keys'), ('GET', '/key?key=x'),
                             ('GET', '/analysis'), ('POST', '/verify'), ('POST', '/analysis'), ('PUT', '/pin'),
                             ('DELETE', '/pin'), ('DELETE', '')):
            self.refused(404, method, f'/backups/{NOWHERE}{path}', None if method == 'GET' else {})

    def test_2_keys(self):
        first = self.backup()
        client = self.source.client()
        client.call('SET', 'changed', 'once', 'PXAT', '4102444800000')
        second = self.backup()
        self.assertTrue(self.admin.get(f'/backups/{second}/keys?limit=3')['more'])
        self.admin.get(f'/backups/{second}/keys?prefix=chang&match=*&type=string&db=0')
        self.refused(422, 'GET', f'/backups/{second}/keys?db=x')
        self.assertEqual(self.admin.get(f'/backups/{second}/key?key=changed')['value'], 'once')
        odd = urllib.parse.quote('\\xff\\x00\\"')
        self.assertEqual(self.admin.get(f'/backups/{second}/key?key={odd}&db=1')['value'], {'$base64': '/g=='})
        self.refused(404, 'GET', f'/backups/{second}/key?key=nowhere')
        self.refused(413, 'GET', f'/backups/{second}/key?key=long')
        states = self.admin.get('/instances/orders/history?key=changed&db=0&from=2020-01-01T00:00:00.000Z')['states']
        self.assertIn(True, [state['present'] for state in states])
        self.assertIn(False, [state['present'] for state in states])
        self.refused(404, 'GET', '/instances/nowhere/history?key=x')
        self.refused(422, 'GET', '/instances/orders/history?key=x&from=then')
        self.refused(404, 'GET', f'/backups/{second}/analysis')
        self.admin.job('POST', f'/backups/{second}/analysis')
        self.admin.get(f'/backups/{second}/analysis')
        self.admin.job('POST', '/diffs', {'a': first, 'b': second})
        self.refused(404, 'POST', '/diffs', {'a': first, 'b': NOWHERE})

    def test_3_recovery(self):
        backup = self.backup()
        self.refused(404, 'POST', '/plans', {'backup': NOWHERE})
        self.refused(422, 'POST', '/plans', {'backup': backup, 'on_conflict': 'win'})
        plan = self.admin.job('POST', '/plans', {'backup': backup, 'instance': 'orders', 'flush': True,
                                                 'on_conflict': 'replace', 'match': ['*']})
        self.refused(422, 'POST', '/restores', {'plan': plan['id'], 'confirm': 'no'})
        self.refused(404, 'POST', '/restores', {'plan': 9999, 'confirm': 'orders'})
        self.admin.job('POST', '/restores', {'plan': plan['id'], 'confirm': 'orders'})
        failed = self.admin.job('POST', '/plans', {'backup': backup}, state='failed')
        self.refused(409, 'POST', '/restores', {'plan': failed['id'], 'confirm': 'orders'})
        self.refused(404, 'POST', '/clones', {'backup': backup, 'target': 'nowhere'})
        self.admin.job('POST', '/clones', {'backup': backup, 'target': 'scratch'})
        clone = self.admin.get('/clones')['clones'][0]
        self.refused(422, 'POST', f'/clones/{clone["id"]}/promotions', {'confirm': 'no'})
        self.admin.job('POST', f'/clones/{clone["id"]}/promotions', {'confirm': 'orders'})
        self.admin('DELETE', f'/clones/{clone["id"]}', {})
        self.refused(409, 'POST', f'/clones/{clone["id"]}/promotions', {'confirm': 'orders'})
        self.refused(404, 'POST', '/clones/9999/promotions', {'confirm': 'orders'})
        self.refused(404, 'DELETE', '/clones/9999', {})
        self.admin.job('POST', '/instances/orders/drills')
        self.refused(404, 'POST', '/instances/nowhere/drills', {})
        self.assertEqual(self.admin.get('/drills?instance=orders&limit=1')['drills'][0]['ok'], True)
        self.assertIsNotNone(self.admin.get('/instances/orders')['last_drill'])

    def test_3_jobs_and_events(self):
        with Listening(self.admin) as stream:
            self.assertEqual(stream.next()[0], 'hello')
            failed = self.admin.job('POST', '/instances/by-hand/backups', state='failed')
            self.assertEqual(failed['error']['stage'], 'net')
            names = set()
            while names != {'job', 'instance'}:
                name, data = stream.next()
                names.add(name)
                if name == 'job':
                    self.admin.validator.check(data, {'$ref': '#/components/schemas/Job'}, 'event')
                elif name == 'instance':
                    self.assertEqual(list(data), ['name'])
        self.admin.get('/jobs?instance=by-hand&state=failed&type=backup&limit=1')
        self.admin.get(f'/jobs?before={failed["id"]}')
        self.assertIsNone(self.roles['viewer'].get(f'/jobs/{failed["id"]}')['result'])
        self.refused(404, 'GET', '/jobs/9999')
        self.refused(404, 'POST', '/jobs/9999/cancel', {})
        self.refused(409, 'POST', f'/jobs/{failed["id"]}/cancel', {})

    def test_3_one_that_is_busy_is_cancelled(self):
        self.source.client().call('CONFIG', 'SET', 'repl-diskless-sync-delay', '30')
        self.source.client().call('CONFIG', 'SET', 'repl-diskless-sync', 'yes')
        job = self.admin('POST', '/instances/orders/backups', {}, status=202)['job']['id']
        self.refused(409, 'POST', '/instances/orders/backups', {})
        self.admin.wait(job, states=('running',))
        self.admin.get(f'/jobs/{job}')
        self.assertEqual(self.admin.get('/instances/orders')['running_job'], job)
        self.admin('POST', f'/jobs/{job}/cancel', {})
        self.assertEqual(self.admin.wait(job)['state'], 'cancelled')
        self.source.client().call('CONFIG', 'SET', 'repl-diskless-sync-delay', '0')

    def test_4_who_may_not_and_what_is_malformed(self):
        nobody = Described(self.service.port)
        for path, method, operation in operations():
            if 'servers' in DOCUMENT['paths'][path]:
                continue
            where = path.replace('{id}', NOWHERE).replace('{name}', 'nowhere')
            body = None if method == 'get' else {}
            with self.subTest(operation['operationId']):
                least = operation['x-least-role']
                if least != 'none':
                    self.refused(401, method.upper(), where, body, nobody)
                for role, client in self.roles.items():
                    if (least, role) in (('operator', 'viewer'), ('admin', 'viewer'), ('admin', 'operator')):
                        self.refused(403, method.upper(), where, body, client)
                if path == '/events':
                    continue
                self.refused(403, method.upper(), where, body, headers={'Host': 'evil.example'})
                if method != 'get':
                    self.refused(403, method.upper(), where, body, headers={'Origin': 'http://evil.example'})
                    self.refused(415, method.upper(), where, body, headers={'Content-Type': 'text/plain'})
                    if least != 'none':
                        self.refused(403, method.upper(), where, body, headers={'X-CSRF-Token': 'old'})
                    if 'requestBody' in operation:
                        self.refused(400, method.upper(), where, [])

    def test_9_every_operation_was_called_with_success(self):
        """Runs last, by its name."""
        for _, _, operation in operations():
            name = operation['operationId']
            good = {int(status) for status in operation['responses'] if status.startswith('2')}
            if name != 'getEvents':
                self.assertEqual(good - Described.seen[name], set(), name)


class Listening:
    """The stream of events."""

    def __init__(self, client):
        self._client = client

    def __enter__(self):
        self._connection = http.client.HTTPConnection('127.0.0.1', self._client.port, timeout=60)
        self._connection.request('GET', '/api/v1/events', headers={'Cookie': self._client.cookie})
        self._response = self._connection.getresponse()
        kind = self._response.getheader('Content-Type').partition(';')[0]
        described = DOCUMENT['paths']['/events']['get']['responses'][str(self._response.status)]
        assert kind in described['content'], kind
        return self

    def __exit__(self, *_):
        self._connection.close()

    def next(self):
        """Name and data of the next event."""
        name = data = None
        for line in self._response:
            line = line.decode().rstrip('\n')
            if line.startswith('event: '):
                name = line.removeprefix('event: ')
            elif line.startswith('data: '):
                data = json.loads(line.removeprefix('data: '))
            elif not line and name:
                return name, data
        raise AssertionError('the stream has ended')


if __name__ == '__main__':
    cli.main(SERVER)
