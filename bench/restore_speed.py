#!/usr/bin/env python3
"""Times the ways to put a backup into a server, each turn into the same server, empty again.

    bench/restore_speed.py [--keys N] [--rounds R] [--server redis70] [--data small]
                           [--only NAME...]

The yardstick is what the server needs to load the RDB that `export --format rdb` makes of the same
backup: DEBUG RELOAD NOSAVE with that file as its dump, in the page cache. A restore is timed from
the start of the program to its end. Rows are functions below: add one to ROWS to have another way
timed. Prints the table of docs/performance.md.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import tempfile
import time

import dataset
import measure

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))


class Bench:
    def __init__(self, server, folder, repository):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.repository = repository
        self.dump = self.folder / 'backup.rdb'

    def sluice(self, verb, *args):
        return measure.run([SLUICE, verb, '--repo', self.repository, '--quiet', '--json', *args])

    def empty(self):
        with self.server.client(timeout=300) as client:
            client.call('FLUSHALL')
            if self.server.version >= (7, 0):
                client.call('FUNCTION', 'FLUSH')

    def keys(self):
        with self.server.client() as client:
            return sum(client.keyspace().values())

    # The ways.

    def reload(self):
        shutil.copyfile(self.dump, self.server.rdb_path)
        with self.server.client(timeout=600) as client:
            start = time.monotonic()
            client.call('DEBUG', 'RELOAD', 'NOSAVE')
            return time.monotonic() - start, 0

    def feed(self):
        cost = self.sluice('restore', 'LATEST', self.server.uri(), '--mode', 'feed', '--no-verify')
        return cost.wall, cost.cpu

    def feed_verified(self):
        cost = self.sluice('restore', 'LATEST', self.server.uri(), '--mode', 'feed')
        return cost.wall, cost.cpu

    def restore(self):
        cost = self.sluice('restore', 'LATEST', self.server.uri(), '--mode', 'restore',
                           '--no-verify')
        return cost.wall, cost.cpu


ROWS = {
    'DEBUG RELOAD NOSAVE': Bench.reload,
    'restore --mode feed --no-verify': Bench.feed,
    'restore --mode feed': Bench.feed_verified,
    'restore --mode restore --no-verify': Bench.restore,
}


def fill(server, options):
    fills = {'small': dataset.fill_small, 'varied-small': dataset.fill_varied_small}
    with server.client(timeout=300) as client:
        fills[options.data](client, options.keys)


def main():
    parser = argparse.ArgumentParser(description='ways to restore, beside DEBUG RELOAD NOSAVE')
    parser.add_argument('--keys', type=int, default=1_300_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--server', default='redis70', choices=dataset.servers.NAMES)
    parser.add_argument('--data', default='small', choices=('small', 'varied-small'))
    parser.add_argument('--only', nargs='+', choices=tuple(ROWS), default=tuple(ROWS))
    options = parser.parse_args()

    seen = {name: [] for name in options.only}
    with dataset.servers.Server(options.server) as server, \
            tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        fill(server, options)
        bench = Bench(server, folder, os.path.join(folder, 'repository'))
        bench.sluice('backup', server.uri())
        measure.run([SLUICE, 'export', 'LATEST', '--repo', bench.repository, '--quiet', '--format',
                     'rdb', '-o', bench.dump])
        expected = bench.keys()
        for turn in range(options.rounds):
            order = options.only if turn % 2 == 0 else tuple(reversed(options.only))
            for name in order:
                bench.empty()
                seen[name].append(ROWS[name](bench))
                if bench.keys() != expected:
                    raise SystemExit(f'{name}: {bench.keys()} keys instead of {expected}')
        size = bench.dump.stat().st_size
        version = '.'.join(map(str, server.version))

    print(f'{options.server} ({version}), {expected:,} keys, {size / 1e6:,.0f} MB of RDB, '
          f'median of {options.rounds}')
    print('| way | wall s | min..max | CPU s of sluice | times DEBUG RELOAD |')
    print('|---|---|---|---|---|')
    medians = {name: statistics.median(wall for wall, _ in runs) for name, runs in seen.items()}
    base = medians.get('DEBUG RELOAD NOSAVE')
    for name, runs in seen.items():
        walls = [wall for wall, _ in runs]
        ratio = f'{medians[name] / base:.2f}' if base else '-'
        print(f'| {name} | {medians[name]:.2f} | {min(walls):.2f}..{max(walls):.2f} '
              f'| {statistics.median(cpu for _, cpu in runs):.2f} | {ratio} |')


if __name__ == '__main__':
    main()
