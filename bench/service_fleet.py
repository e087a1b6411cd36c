#!/usr/bin/env python3
"""A fleet that one service backs up in one window: how long, in how much memory, and how the API
answers meanwhile.

  service_fleet.py [--instances N] [--real N] [--keys N] [--rounds N] [--memory SIZE]

The sources are real redis-servers (`--real` of them), and for the others bench/feeder, a stand-in
that serves an RDB file: four of these for all, since a snapshot is the same whoever sends it. Every
instance has the same policy, whose window begins at the next minute, so the schedule starts the
jobs. A client asks for the pages that the console shows, all the time, one after another.

Prints JSON: seconds from the first job to the end of the last, the memory at the peak (VmHWM, all
of the process, and its anonymous part), and percentiles of the answers in ms. Two rounds: the first
is of full backups, the second of incremental ones.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / 'bench'), str(ROOT / 'tests' / 'integration')]

import archive  # noqa: E402
import servers  # noqa: E402
from service import Service  # noqa: E402

FEEDERS = 4
PAGES = ('/instances', '/backups?limit=100', '/jobs?limit=50', '/instances/i000', '/info',
         '/backups?instance=i001&status=ok', '/instances/i002/policy', '=/metrics', '=/')


class Reader(threading.Thread):
    """Asks for one page after another, as one who looks at the console does."""

    def __init__(self, client, pause):
        super().__init__(daemon=True)
        self.times = {page: [] for page in PAGES}
        self.failure = None
        self._client, self._pause, self._end = client, pause, threading.Event()

    def run(self):
        while not self._end.is_set():
            for page in PAGES:
                begin = time.perf_counter()
                status = self._client.send('GET', page).status
                self.times[page].append((time.perf_counter() - begin) * 1000)
                if status != 200:
                    self.failure = f'{page}: {status}'
                    return
                self._end.wait(self._pause)

    def stop(self):
        self._end.set()
        self.join()
        if self.failure:
            raise SystemExit(self.failure)
        return self.times


def percentile(values, percent):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * percent / 100))], 1)


def status_of(pid):
    fields = dict(line.split(':', 1) for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines())
    return {name: int(fields[name].split()[0]) * 1024 for name in ('VmHWM', 'VmRSS', 'RssAnon', 'Threads')
            if name != 'Threads'} | {'threads': int(fields['Threads'])}


def next_minute():
    """The minute that is to come, with some seconds left to get ready."""
    now = time.time()
    begin = (int(now + 8) // 60 + 1) * 60
    return time.strftime('%H:%M', time.gmtime(begin))


def window(service, names):
    """Runs one window; what it took."""
    admin = service.admin()
    before = {name: admin.get(f'/instances/{name}')['backups'] for name in names}
    policy = {'days': 'daily', 'start': next_minute(), 'window': '1m', 'retries': 0}
    service.write_config(policies={'all': policy})
    service.reload()
    reader = Reader(service.client().sign_in('admin'), 0.02)
    reader.start()
    begin = end = None
    peak = {}
    while True:
        time.sleep(0.25)
        info = admin.get('/info')
        status = status_of(service.pid)
        peak = {name: max(peak.get(name, 0), value) for name, value in status.items()}
        jobs = admin.get('/jobs?type=backup&limit=500')['jobs'][:len(names)]
        if begin is None and info['jobs_running'] > 0:
            begin = time.monotonic()
        mine = [job for job in jobs if job['trigger'] != 'manual']
        if begin and not any(job['state'] in ('queued', 'running', 'retrying') for job in mine):
            found = {one['name']: one['backups'] for one in admin.get('/instances')['instances']}
            if all(found[name] > before[name] for name in names):
                end = time.monotonic()
                break
        failed = [job for job in mine if job['state'] == 'failed']
        if failed:
            raise SystemExit(f'a backup failed: {failed[0]}')
    times = reader.stop()
    every = [one for values in times.values() for one in values]
    return {'seconds': round(end - begin, 1), 'peak_bytes': peak['VmHWM'],
            'peak_anonymous_bytes': peak['RssAnon'], 'threads': peak['threads'],
            'answers': len(every), 'p50_ms': percentile(every, 50), 'p99_ms': percentile(every, 99),
            'max_ms': percentile(every, 100),
            'p99_ms_by_page': {page: percentile(values, 99) for page, values in times.items()}}


def fill(server, keys):
    client = server.client()
    client.pipeline(('HSET', f'user:{i}', 'name', f'n{i}', 'mail', f'{i}@example.test', 'blob', 'x' * 200)
                    for i in range(keys))
    client.close()


def measure(instances, real, keys, rounds, memory):
    with tempfile.TemporaryDirectory(prefix='sluice-fleet-') as folder:
        feeders, reals = [], []
        try:
            for n in range(FEEDERS):
                path = pathlib.Path(folder) / f'{n}.rdb'
                archive.make_rdb(path, '--keys', str(keys * (n + 1)), '--order', str(n))
                feeders.append(archive.Feeder(path))
            for _ in range(real):
                reals.append(servers.Server('redis70', ('--repl-diskless-sync-delay', 0)).start())
                fill(reals[-1], keys)
            uris = [one.uri() for one in reals]
            uris += [feeders[n % FEEDERS].uri() for n in range(instances - real)]
            names = [f'i{n:03}' for n in range(instances)]
            tables = {name: {'uri': uri, 'policy': 'all'} for name, uri in zip(names, uris)}
            with Service(tables, service={'memory': memory},
                         policies={'all': {'days': 'daily', 'start': '00:00', 'enabled': False}}) as service:
                windows = [window(service, names) for _ in range(rounds)]
                listed = service.listed()
                stored = {'backups': len(listed),
                          'raw_bytes': sum(one['raw_bytes'] for one in listed)}
            return {'instances': instances, 'real': real, 'windows': windows} | stored
        finally:
            for one in feeders:
                one.__exit__()
            for one in reals:
                one.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--instances', type=int, default=200)
    parser.add_argument('--real', type=int, default=10)
    parser.add_argument('--keys', type=int, default=20_000, help='of the smallest; up to four times that')
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--memory', default='384M', help='the setting of the service')
    options = parser.parse_args()
    print(json.dumps(measure(options.instances, options.real, options.keys, options.rounds,
                             options.memory), indent=1))


if __name__ == '__main__':
    main()
