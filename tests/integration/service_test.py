#!/usr/bin/env python3
"""The service: what its API does, with real servers. What people see of it is in tests/console."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fake  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402
from service import PASSWORD, Client, Service  # noqa: E402

SERVER = 'redis70'


class Served(cli.Case):
    def serve(self, instances, **settings):
        service = Service(instances, **settings)
        self.addCleanup(service.__exit__)
        return service.start()

    def filled(self, **how):
        source = self.server(SERVER, **how)
        fill.fill(self.client(source), source.flavor, source.version, scale=0.1)
        return source

    def eventually(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        self.fail(f'not within {seconds} s')


class Jobs(Served):
    def setUp(self):
        super().setUp()
        self.source = self.filled()
        self.service = self.serve({'orders': {'uri': self.source.uri()}})
        self.admin = self.service.admin()

    def backup(self):
        return self.admin.job('POST', '/instances/orders/backups')['backup']

    def test_a_backup_is_what_the_program_lists(self):
        backup = self.backup()
        found = self.admin.get(f'/backups/{backup}')['backup']
        self.assertEqual([one['id'] for one in self.service.listed()], [backup])
        self.assertEqual(found['mode'], 'manual')
        self.assertEqual(found['kind'], 'full')
        self.assertEqual(found['digest'], self.service.listed()[0]['digest'])
        self.assertEqual(self.admin.get('/instances/orders')['last_backup']['id'], backup)
        second = self.backup()
        self.assertEqual(self.admin.get(f'/backups/{second}')['backup']['kind'], 'incremental')

    def test_a_backup_is_listed_as_soon_as_its_job_is_done(self):
        for _ in range(20):
            job = self.admin('POST', '/instances/orders/backups', {}, status=202)['job']['id']
            while (found := self.admin.get(f'/jobs/{job}'))['state'] != 'done':
                self.assertIn(found['state'], ('queued', 'running'), found)
            self.admin.get(f'/backups/{found["backup"]}')

    def test_backups_by_time_range_and_status(self):
        first, second, third = self.backup(), self.backup(), self.backup()
        middle = self.admin.get(f'/backups/{second}')['backup']['started_at']

        def ids(query):
            return [one['id'] for one in self.admin.get(f'/backups?{query}')['backups']]
        self.assertEqual(ids('instance=orders'), [third, second, first])
        self.assertEqual(ids(f'from={middle}'), [third, second])
        self.assertEqual(ids(f'to={middle}'), [second, first])
        self.assertEqual(ids(f'from={middle}&to={middle}'), [second])
        self.assertEqual(ids('instance=other'), [])
        self.assertEqual(ids('limit=2'), [third, second])
        self.assertEqual(ids(f'limit=2&before={second}'), [first])
        self.admin.job('POST', f'/backups/{second}/verify', {'level': 'digest'})
        self.assertEqual(ids('status=verified'), [second])
        self.assertEqual(ids('status=unverified'), [third, first])
        self.admin('PUT', f'/backups/{first}/pin', {'note': 'before the move'})
        self.assertEqual(ids('status=pinned'), [first])
        self.assertEqual(self.admin.send('GET', '/backups?from=yesterday').status, 422)
        self.assertEqual(self.admin.send('GET', '/backups?status=good').status, 422)

    def test_a_download_loads_into_a_server_with_the_same_data(self):
        backup = self.backup()
        answer = self.admin.send('GET', f'/backups/{backup}/rdb')
        self.assertEqual(answer.status, 200, answer)
        self.assertIn(f'orders-{backup}.rdb', answer.headers['content-disposition'])
        path = self.service.folder / 'down.rdb'
        path.write_bytes(answer.body)
        self.assertEqual(self.server(SERVER, rdb=path).digest(), self.source.digest())

    def test_a_download_of_what_is_damaged_is_cut_not_short(self):
        client = self.client(self.source)
        client.pipeline(('SET', f'random:{i}', bytes((i * k * 7) % 251 for k in range(4000)))
                        for i in range(500))
        backup = self.backup()
        for pack in self.service.repository.glob('packs/*/*'):
            data = bytearray(pack.read_bytes())
            data[len(data) // 2] ^= 1
            pack.write_bytes(data)
        with self.assertRaises(Exception) as raised:
            answer = self.admin.send('GET', f'/backups/{backup}/rdb')
            self.fail(f'it came whole: {answer.status}')
        self.assertEqual(type(raised.exception).__name__, 'IncompleteRead')

    def test_keys_values_and_history(self):
        client = self.client(self.source)
        hostile = '<img src=x onerror=alert(1)>'
        client.call('SET', hostile, 'one')
        client.call('SET', b'\xff\x00"', 'bytes')
        first = self.backup()
        client.call('SET', hostile, 'two')
        second = self.backup()
        found = self.admin.get(f'/backups/{second}/keys?prefix=%3Cimg')['keys']
        self.assertEqual([key['key'] for key in found], [hostile])
        quoted = '%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E'
        for backup, value in ((first, 'one'), (second, 'two')):
            self.assertEqual(self.admin.get(f'/backups/{backup}/key?key={quoted}')['value'], value)
        states = self.admin.get(f'/instances/orders/history?key={quoted}')['states']
        self.assertEqual([(one['id'], one['changed']) for one in states], [(first, True), (second, True)])
        escaped = self.admin.get(f'/backups/{second}/keys?prefix=%5Cxff')['keys']
        self.assertIn('\\xff\\x00\\"', [key['key'] for key in escaped])
        self.assertEqual(self.admin.get(f'/backups/{second}/key?key=%5Cxff%5Cx00%5C%22')['value'], 'bytes')
        self.assertEqual(self.admin.send('GET', f'/backups/{second}/key?key=nowhere').status, 404)
        few = self.admin.get(f'/backups/{second}/keys?limit=3')
        self.assertEqual((len(few['keys']), few['more'], few['truncated_by']), (3, True, 'limit'))
        result = self.admin.job('POST', '/diffs', {'a': first, 'b': second})['result']
        self.assertEqual((result['different'], result['only_a'], result['only_b']), (1, 0, 0))
        self.assertEqual(result['differences'][0]['key'], hostile)

    def test_a_recovery_is_planned_confirmed_and_proven(self):
        before = self.source.digest()
        backup = self.backup()
        self.client(self.source).call('FLUSHALL')
        plan = self.admin.job('POST', '/plans', {'backup': backup, 'flush': True})
        self.assertGreater(plan['result']['plan']['added'], 0)
        self.assertEqual(self.source.digest(), '0' * 40, 'a plan writes nothing')
        for confirm in ('', 'ORDERS', backup):
            refused = self.admin.send('POST', '/restores', {'plan': plan['id'], 'confirm': confirm})
            self.assertEqual((refused.status, refused.code), (422, 'not_confirmed'))
        done = self.admin.job('POST', '/restores', {'plan': plan['id'], 'confirm': 'orders'})
        self.assert_balanced(done['result'])
        self.assertIs(done['result']['verified'], True)
        self.assertEqual(self.source.digest(), before)
        self.assertEqual(self.admin.send('POST', '/restores', {'plan': 9999, 'confirm': 'orders'}).status, 404)

    def test_a_recovery_that_is_refused_says_why(self):
        backup = self.backup()
        plan = self.admin.job('POST', '/plans', {'backup': backup}, state='failed')
        self.assertEqual(plan['error']['code'], 'target_not_empty')
        refused = self.admin.send('POST', '/restores', {'plan': plan['id'], 'confirm': 'orders'})
        self.assertEqual((refused.status, refused.code), (409, 'plan_not_done'))

    def test_a_clone_is_checked_and_becomes_the_original(self):
        before = self.source.digest()
        backup = self.backup()
        self.admin.job('POST', '/clones', {'backup': backup, 'target': 'scratch'})
        clone = self.admin.get('/clones')['clones'][0]
        self.assertEqual((clone['state'], clone['verified']), ('ready', True))
        self.client(self.source).call('FLUSHALL')
        where = f'/clones/{clone["id"]}'
        self.assertEqual(self.admin.send('POST', f'{where}/promotions', {'confirm': 'x'}).status, 422)
        self.admin.job('POST', f'{where}/promotions', {'confirm': 'orders'})
        self.assertEqual(self.source.digest(), before)
        self.assertEqual(self.admin('DELETE', where, {})['clone']['state'], 'gone')
        self.assertFalse(pathlib.Path(clone['directory']).exists())

    def test_a_drill_restores_and_compares(self):
        self.backup()
        self.admin.job('POST', '/instances/orders/drills')
        drill = self.admin.get('/drills?instance=orders')['drills'][0]
        self.assertEqual((drill['ok'], drill['digest_equal']), (True, True), drill)
        self.assertEqual(list((self.service.folder / 'clones').iterdir()), [], 'thrown away')

    def test_removed_backups_come_back_from_the_trash(self):
        backup = self.backup()
        self.assertEqual(self.admin.send('DELETE', f'/backups/{backup}', {'confirm': 'y'}).status, 422)
        self.admin.job('DELETE', f'/backups/{backup}', {'confirm': backup})
        self.assertEqual(self.admin.get('/backups')['backups'], [])
        self.assertEqual([one['id'] for one in self.admin.get('/trash')['backups']], [backup])
        self.admin('POST', f'/trash/{backup}/restore', {})
        self.assertEqual([one['id'] for one in self.admin.get('/backups')['backups']], [backup])
        self.service.verify_all()

    def test_a_pinned_backup_is_not_removed(self):
        backup = self.backup()
        self.admin('PUT', f'/backups/{backup}/pin', {'note': 'keep'})
        failed = self.admin.job('DELETE', f'/backups/{backup}', {'confirm': backup}, state='failed')
        self.assertEqual(failed['error']['code'], 'pinned')
        self.assertEqual(len(self.service.listed()), 1)

    def test_an_analysis_is_kept(self):
        backup = self.backup()
        self.assertEqual(self.admin.send('GET', f'/backups/{backup}/analysis').status, 404)
        self.admin.job('POST', f'/backups/{backup}/analysis')
        found = self.admin.get(f'/backups/{backup}/analysis')
        keys = self.admin.get(f'/backups/{backup}')['backup']['keys']
        self.assertEqual(found['total']['keys'] if 'total' in found else found['keys'], keys)


class Sources(Served):
    def test_a_source_that_is_gone_fails_with_advice_and_can_be_cancelled(self):
        source = self.server(SERVER)
        service = self.serve({'gone': {'uri': 'redis://127.0.0.1:1'}, 'here': {'uri': source.uri()}})
        admin = service.admin()
        failed = admin.job('POST', '/instances/gone/backups', state='failed')
        self.assertIn('127.0.0.1:1', failed['error']['message'])
        self.assertEqual(admin.get('/instances/gone')['health'], 'failing')
        self.assertEqual(admin.get('/instances/here')['health'], 'never')

    def test_a_job_is_cancelled_and_the_same_twice_is_refused(self):
        source = self.server(SERVER, ('--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', 20))
        service = self.serve({'slow': {'uri': source.uri()}})
        admin = service.admin()
        job = admin('POST', '/instances/slow/backups', {}, status=202)['job']['id']
        admin.wait(job, states=('running',))
        refused = admin.send('POST', '/instances/slow/backups', {})
        self.assertEqual((refused.status, refused.code), (409, 'busy'))
        admin('POST', f'/jobs/{job}/cancel', {})
        self.assertEqual(admin.wait(job)['state'], 'cancelled')
        self.assertEqual(admin.get('/backups')['backups'], [])
        self.assertEqual(admin.send('POST', f'/jobs/{job}/cancel', {}).status, 409)

    def test_progress_comes_as_events(self):
        pairs = [(f'k{i}', os.urandom(100_000)) for i in range(40)]
        source = fake.Fake(fake.slowly(pairs, 0.05, threading.Event()))
        self.addCleanup(source.__exit__)
        service = self.serve({'big': {'uri': source.uri()}})
        admin = service.admin()
        events = subprocess.Popen(
            ['curl', '-sN', '--max-time', '30', '-H', f'Cookie: {admin.cookie}',
             f'http://127.0.0.1:{service.port}/api/v1/events'], stdout=subprocess.PIPE, text=True)
        self.addCleanup(events.stdout.close)
        self.addCleanup(events.wait)
        self.addCleanup(events.kill)
        self.assertEqual(events.stdout.readline(), 'event: hello\n')
        admin.job('POST', '/instances/big/backups')
        seen = []
        for line in events.stdout:
            if line.startswith('data: {"id"'):
                seen.append(json.loads(line[6:]))
            if seen and seen[-1]['state'] == 'done':
                break
        moved = [one['progress']['bytes'] for one in seen if one['progress']]
        self.assertGreater(len(set(moved)), 1, seen)
        self.assertEqual(moved, sorted(moved))

    def test_a_policy_of_the_console_is_kept_and_taken_back(self):
        source = self.server(SERVER)
        service = self.serve({'one': {'uri': source.uri(), 'policy': 'nightly'}},
                             policies={'nightly': {'start': '02:00', 'window': '1h'}})
        admin = service.admin()
        filed = admin.get('/instances/one/policy')
        self.assertEqual((filed['source'], filed['policy']['name']), ('file', 'nightly'))
        policy = filed['policy'] | {'schedule': {'days': ['mon'], 'start': '04:30', 'window_minutes': 30,
                                                 'every_hours': 0, 'time_zone': 'Europe/Berlin'}}
        self.assertEqual(admin('PUT', '/instances/one/policy', policy)['source'], 'console')
        bad = policy | {'schedule': policy['schedule'] | {'time_zone': 'Mars/Base'}}
        self.assertEqual(admin.send('PUT', '/instances/one/policy', bad).status, 422)
        service.stop()
        service.start()
        admin = service.admin()
        again = admin.get('/instances/one/policy')
        self.assertEqual((again['source'], again['policy']['schedule']['start']), ('console', '04:30'))
        self.assertEqual(admin('DELETE', '/instances/one/policy')['source'], 'file')

    def test_the_configuration_is_read_again(self):
        source = self.server(SERVER)
        service = self.serve({'one': {'uri': source.uri()}})
        admin = service.admin()
        service.write_config(instances={'one': {'uri': source.uri()}, 'two': {'uri': source.uri()}})
        service.reload()
        names = self.eventually(lambda: (found := [one['name'] for one in admin.get('/instances')['instances']])
                                and len(found) == 2 and found)
        self.assertEqual(names, ['one', 'two'])
        service.write_config(instances={'one': {'url': 'x'}})
        service.reload()
        self.eventually(lambda: 'stays as it was' in service.log)
        self.assertEqual(len(admin.get('/instances')['instances']), 2)

    def test_a_second_service_on_the_same_state_is_refused(self):
        service = self.serve({'one': {'uri': 'redis://127.0.0.1:1'}})
        second = Service({'one': {'uri': 'redis://127.0.0.1:1'}},
                         service={'state': str(service.folder / 'state')})
        self.addCleanup(second.__exit__)
        run = cli.sluice('serve', '--config', second.config)
        self.assertEqual(run.code, cli.FAILED, run)
        self.assertIn('another service uses', run.err)

    def test_who_is_told_of_failures_and_of_small_backups(self):
        source = self.server(SERVER)
        client = self.client(source)
        client.pipeline(('SET', f'k{i}', 'x') for i in range(1000))
        told = pathlib.Path(source.folder) / 'told'
        service = self.serve({'one': {'uri': source.uri()}, 'gone': {'uri': 'redis://127.0.0.1:1'}},
                             notify={'ops': {'command': f'cat >> {told}; echo >> {told}'}})
        admin = service.admin()
        admin.job('POST', '/instances/one/backups')
        client.call('FLUSHALL')
        admin.job('POST', '/instances/one/backups')
        admin.job('POST', '/instances/gone/backups', state='failed')

        def events():
            lines = told.read_text().splitlines() if told.exists() else []
            return {(one['event'], one['instance']): one for one in map(json.loads, filter(None, lines))}
        found = self.eventually(lambda: len(events()) == 2 and events())
        self.assertIn('0 keys', found['backup_small', 'one']['message'])
        self.assertIn('127.0.0.1:1', found['backup_failed', 'gone']['message'])
        metrics = admin.send('GET', '=/metrics').body.decode()
        self.assertIn('sluice_backups_total{instance="gone",outcome="failed"} 1', metrics)

    def curl(self, *args):
        done = subprocess.run(['curl', '-s', '-w', '\n%{http_code}', *map(str, args)], capture_output=True,
                              text=True, timeout=60)
        body, _, status = done.stdout.rpartition('\n')
        return int(status), body

    def test_others_come_by_tls_only(self):
        folder = cli.certificates(self)
        port = servers.free_port()
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}},
                          listen={'address': f'0.0.0.0:{port}', 'certificate': str(folder / 'server.crt'),
                                  'key': str(folder / 'server.key'), 'hosts': ['sluice.test']})
        self.addCleanup(service.__exit__)
        service.start(wait=False)
        self.eventually(lambda: 'setup?token=' in service.log)
        where = ('--cacert', folder / 'ca.crt', '--resolve', f'sluice.test:{port}:127.0.0.1')
        self.assertEqual(self.curl(*where, f'https://sluice.test:{port}/healthz')[0], 200)
        self.assertEqual(self.curl(*where, f'https://sluice.test:{port}/metrics')[0], 401,
                         'not open where others can ask')
        status, headers = self.curl(*where, '-D-', '-o/dev/null', f'https://sluice.test:{port}/')
        self.assertIn('strict-transport-security', headers.lower())
        self.assertEqual(self.curl(f'http://127.0.0.1:{port}/healthz')[0], 0, 'no plain HTTP there')
        token = re.search('setup\\?token=([0-9a-f]+)', service.log)[1]
        body = json.dumps({'token': token, 'name': 'admin', 'password': PASSWORD})
        status, headers = self.curl(*where, '-D-', '-o/dev/null', '-H', 'Content-Type: application/json',
                                    '-d', body, f'https://sluice.test:{port}/api/v1/setup')
        self.assertEqual(status, 200)
        self.assertIn('; Secure', headers)

    def test_a_socket_of_files_serves_this_machine_only(self):
        service = Service({'one': {'uri': 'redis://127.0.0.1:1'}})
        self.addCleanup(service.__exit__)
        path = service.folder / 'sluice.sock'
        service.write_config(listen={'address': f'unix:{path}'})
        service.start(wait=False)
        self.eventually(lambda: 'setup?token=' in service.log)
        self.assertEqual(self.curl('--unix-socket', path, 'http://localhost/healthz')[0], 200)
        self.assertEqual(self.curl('--unix-socket', path, 'http://evil.example/healthz')[0], 403)
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)

    def test_tokens_work_without_a_cookie(self):
        source = self.server(SERVER)
        service = self.serve({'one': {'uri': source.uri()}})
        admin = service.admin()
        made = admin('POST', '/tokens', {'label': 'cron', 'role': 'operator'}, status=201)
        script = Client(service.port)
        script.token = made['token']
        script.job('POST', '/instances/one/backups')
        self.assertEqual(script.send('GET', '/users').status, 403)
        self.assertIn('token:cron', [one['actor'] for one in admin.get('/audit')['entries']])
        admin('DELETE', f'/tokens/{made["id"]}')
        self.assertEqual(script.send('GET', '/instances').status, 401)


if __name__ == '__main__':
    cli.main(SERVER)
