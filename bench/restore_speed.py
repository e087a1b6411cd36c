#!/usr/bin/env python3
"""Times the ways to put a backup into a server, each turn into the same server, empty again.

    bench/restore_speed.py [--keys N] [--rounds R] [--server redis70] [--data varied-mixed]
                           [--rdb-cli PATH] [--only NAME...]

The yardstick is what the server needs to load the RDB that `export --format rdb` makes of the same
backup: DEBUG RELOAD NOSAVE with that file as its dump, in the page cache. A restore is timed from
the start of the program to its end. redis-cli --pipe gets a file of RESTOREs that was made before;
rdb-cli (github.com/redis/librdb) reads the exported RDB: it is no part of sluice, build it elsewhere
and tell where it is. CPU is that of the way's own process, and of the server beside it. Rows are functions below: add one to ROWS to have another way
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
import resp  # of the tests, by way of dataset

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))


# What RESTORE takes of each key: its expiry and its payload.
DUMPS = """
local out = {}
for _, key in ipairs(KEYS) do
  out[#out + 1] = redis.call('PEXPIRETIME', key)
  out[#out + 1] = redis.call('DUMP', key)
end
return out
"""


class Bench:
    def __init__(self, server, folder, repository, rdb_cli):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.repository = repository
        self.rdb_cli = rdb_cli
        self.dump = self.folder / 'backup.rdb'
        self.commands = self.folder / 'restores.resp'

    def make_restores(self):
        """The file for redis-cli --pipe."""
        with self.server.client(timeout=600) as client, open(self.commands, 'wb') as out:
            names = dataset.names(client)
            for at in range(0, len(names), 2000):
                some = names[at:at + 2000]
                found = client.call('EVAL', DUMPS, len(some), *some)
                for name, at_ms, payload in zip(some, found[::2], found[1::2]):
                    expiry = (at_ms, payload, 'ABSTTL') if at_ms > 0 else (0, payload)
                    out.write(resp.encode('RESTORE', name, *expiry))

    def server_cpu(self):
        with open(f'/proc/{self.server.process.pid}/stat') as stat:
            fields = stat.read().rpartition(') ')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

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

    def by_commands(self):
        cost = self.sluice('restore', 'LATEST', self.server.uri(), '--mode', 'commands',
                           '--no-verify')
        return cost.wall, cost.cpu

    def pipe(self):
        with open(self.commands, 'rb') as commands:
            cost = measure.run(['redis-cli', '-p', str(self.server.port), '--pipe'], stdin=commands)
        return cost.wall, cost.cpu

    def librdb(self, *how):
        if not self.rdb_cli:
            return None
        version = '.'.join(map(str, self.server.version[:2]))
        cost = measure.run([self.rdb_cli, self.dump, 'redis', *how, '-t', version, '-h',
                            '127.0.0.1', '-p', str(self.server.port)], cwd=self.folder)
        return cost.wall, cost.cpu

    def librdb_restore(self):
        return self.librdb('-r')

    def librdb_commands(self):
        return self.librdb()


ROWS = {
    'DEBUG RELOAD NOSAVE': Bench.reload,
    'restore --mode feed --no-verify': Bench.feed,
    'restore --mode feed': Bench.feed_verified,
    'restore --mode restore --no-verify': Bench.restore,
    'redis-cli --pipe': Bench.pipe,
    'rdb-cli redis --support-restore': Bench.librdb_restore,
    'restore --mode commands --no-verify': Bench.by_commands,
    'rdb-cli redis': Bench.librdb_commands,
}


def fill(server, options):
    fills = {'small': dataset.fill_small, 'varied-small': dataset.fill_varied_small,
             'varied-mixed': dataset.fill_varied_mixed}
    with server.client(timeout=300) as client:
        fills[options.data](client, options.keys)


def main():
    parser = argparse.ArgumentParser(description='ways to restore, beside DEBUG RELOAD NOSAVE')
    parser.add_argument('--keys', type=int, default=1_300_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--server', default='redis70', choices=dataset.servers.NAMES)
    parser.add_argument('--data', default='varied-mixed',
                        choices=('small', 'varied-small', 'varied-mixed'))
    parser.add_argument('--rdb-cli', metavar='PATH')
    parser.add_argument('--only', nargs='+', choices=tuple(ROWS), default=tuple(ROWS))
    options = parser.parse_args()

    seen = {name: [] for name in options.only}
    with dataset.servers.Server(options.server) as server, \
            tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        fill(server, options)
        bench = Bench(server, folder, os.path.join(folder, 'repository'),
                      options.rdb_cli)
        bench.sluice('backup', server.uri())
        measure.run([SLUICE, 'export', 'LATEST', '--repo', bench.repository, '--quiet', '--format',
                     'rdb', '-o', bench.dump])
        if 'redis-cli --pipe' in options.only:
            bench.make_restores()
        expected = bench.keys()
        for turn in range(options.rounds):
            order = options.only if turn % 2 == 0 else tuple(reversed(options.only))
            for name in order:
                bench.empty()
                before = bench.server_cpu()
                took = ROWS[name](bench)
                if took is None:
                    continue
                seen[name].append((*took, bench.server_cpu() - before))
                if bench.keys() != expected:
                    raise SystemExit(f'{name}: {bench.keys()} keys instead of {expected}')
        size = bench.dump.stat().st_size
        version = '.'.join(map(str, server.version))

    print(f'{options.server} ({version}), {expected:,} keys, {size / 1e6:,.0f} MB of RDB, '
          f'median of {options.rounds}')
    print('| way | wall s | min..max | CPU s | CPU s of the server | times DEBUG RELOAD |')
    print('|---|---|---|---|---|---|')
    rows = {name: tuple(zip(*runs)) for name, runs in seen.items()}
    base = statistics.median(rows['DEBUG RELOAD NOSAVE'][0]) if rows.get(
        'DEBUG RELOAD NOSAVE') else None
    for name, columns in rows.items():
        if not columns:
            print(f'| {name} | - | - | - | - | - |')
            continue
        wall, cpu, server_cpu = (statistics.median(column) for column in columns)
        ratio = f'{wall / base:.2f}' if base else '-'
        print(f'| {name} | {wall:.2f} | {min(columns[0]):.2f}..{max(columns[0]):.2f} | {cpu:.2f} '
              f'| {server_cpu:.2f} | {ratio} |')


if __name__ == '__main__':
    main()
