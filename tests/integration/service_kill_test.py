#!/usr/bin/env python3
"""kill -9 of the service while twenty jobs run, again and again: nothing is listed that is not whole,
jobs are shown as interrupted, and done again.

  service_kill_test.py [--rounds N] [--seed S] [unittest arguments]     4 rounds unless told

The seed is printed; the moments also depend on how fast the machine is.
"""

import argparse
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fake  # noqa: E402
from service import Service  # noqa: E402

SERVER = 'redis70'
ROUNDS = 4
SEED = None
JOBS = 20
#: Twenty sources that nobody knows the size of are let in side by side.
ROOM = {'memory': '4G', 'jobs': 32}


class Kill(cli.Case):
    def serve(self, instances, **settings):
        service = Service(instances, **settings)
        self.addCleanup(service.__exit__)
        return service.start()

    def backups_of(self, admin, names):
        return [admin('POST', f'/instances/{name}/backups', {}, status=202)['job']['id'] for name in names]

    def test_twenty_jobs_in_the_middle_of_their_work(self):
        hurry = threading.Event()
        names = [f'i{n:02}' for n in range(JOBS)]
        sources = {}
        for name in names:
            pairs = [(f'{name}:{i}', os.urandom(20_000)) for i in range(100)]
            sources[name] = fake.Fake(fake.slowly(pairs, 2, hurry))
            self.addCleanup(sources[name].__exit__)
        service = self.serve({name: {'uri': source.uri()} for name, source in sources.items()},
                             service=ROOM)
        admin = service.admin()
        jobs = self.backups_of(admin, names)
        for job in jobs:
            self.wait_for_bytes(admin, job)
        self.assertEqual(admin.get('/info')['jobs_running'], JOBS)
        service.kill()
        self.assertEqual(service.listed(), [])
        service.start()
        admin.sign_in('admin')
        for job in jobs:
            found = admin.get(f'/jobs/{job}')
            self.assertEqual(found['state'], 'interrupted')
            self.assertEqual(found['error']['code'], 'interrupted')
        again = {job['retry_of']: job for job in admin.get('/jobs?type=backup')['jobs'] if job['retry_of']}
        self.assertEqual(sorted(again), sorted(jobs))
        self.assertEqual({job['trigger'] for job in again.values()}, {'retry'})
        hurry.set()
        for job in again.values():
            self.assertEqual(admin.wait(job['id'])['state'], 'done')
        self.assertEqual(sorted(one['instance'] for one in service.listed()), names)
        self.assertTrue(all(one['ok'] for one in service.verify_all()))

    def wait_for_bytes(self, admin, job, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = admin.get(f'/jobs/{job}')
            if found['progress'] and found['progress']['bytes'] > 0:
                return
            self.assertIn(found['state'], ('queued', 'running'), found)
            time.sleep(0.05)
        self.fail(f'nothing received: {found}')

    def test_at_any_moment(self):
        seed = SEED if SEED is not None else random.randrange(1 << 32)
        print('seed', seed, flush=True)
        r = random.Random(seed)
        sources = [self.server(SERVER, ('--repl-diskless-sync-delay', 0)) for _ in range(4)]
        for source in sources:
            self.client(source).pipeline(('SET', f'k{i}', r.randbytes(2000)) for i in range(2000))
        names = [f'i{n:02}' for n in range(JOBS)]
        service = self.serve({name: {'uri': sources[n % 4].uri()} for n, name in enumerate(names)},
                             service=ROOM)
        admin = service.admin()
        for job in self.backups_of(admin, names[:10]):
            self.assertEqual(admin.wait(job)['state'], 'done')
        listed = {one['id'] for one in service.listed()}
        interrupted = 0
        for _ in range(ROUNDS):
            self.queue_all_sorts(admin, names)
            time.sleep(r.uniform(0, 2))
            service.kill()
            kept = {one['id'] for one in service.listed()}
            self.assertLessEqual(listed, kept, 'what was listed stays')
            service.start()
            admin.sign_in('admin')
            interrupted += len(admin.get('/jobs?state=interrupted&limit=500')['jobs'])
            listed = {one['id'] for one in service.listed()}
        self.let_all_end(admin)
        self.assertGreater(interrupted, 0)
        self.assertTrue(all(one['ok'] for one in service.verify_all()))
        self.assertEqual(list((service.folder / 'clones').glob('drill-*')), [])
        self.assertTrue(admin.get('/audit')['chain_ok'])

    def queue_all_sorts(self, admin, names):
        """As many as are taken: some are under way from the round before."""
        for name in names:
            admin.send('POST', f'/instances/{name}/backups', {})
        backup = admin.get(f'/backups?instance={names[0]}')['backups'][0]['id']
        admin.send('POST', f'/backups/{backup}/verify', {})
        admin.send('POST', f'/backups/{backup}/analysis', {})
        admin.send('POST', f'/instances/{names[0]}/drills', {})

    def let_all_end(self, admin):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            open_jobs = [job for state in ('queued', 'running')
                         for job in admin.get(f'/jobs?state={state}&limit=500')['jobs']
                         if job['type'] != 'prune']
            if not open_jobs:
                return
            time.sleep(0.2)
        self.fail(f'they do not end: {open_jobs}')


def main():
    global ROUNDS, SEED
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seed', type=int)
    args, rest = parser.parse_known_args()
    ROUNDS, SEED = args.rounds, args.seed
    sys.argv[1:] = rest
    cli.main(SERVER)


if __name__ == '__main__':
    main()
