#!/usr/bin/env python3
"""Times backup, verify and get of an archive beside `redis-cli --rdb` and the limits of the machine.

    bench/archive_speed.py [--keys N] [--data small|documents] [--change PERCENT] [--rounds R]
                           [--gets N] [--layout L] [--compression C]

The source is bench/feeder, which serves an RDB file (bench/make_rdb) from memory on the same
machine: no server forks, compresses or copies on the cores of what is timed, but for the feeder's
sending, whose CPU time has a column. Each round runs every tool, every second round in the opposite
order: a full backup into a fresh repository; an incremental one, of a second dump with `--change`
percent other keys in another order, into a fresh copy of a repository that has the first; `verify`
of that repository, from the page cache and from the disk; `redis-cli --rdb` of the first dump into
a file, and, as the limit of loopback, to /dev/null; as the limit of the disk, `dd` of the same size
with a sync. Folders of repositories stay until the end: ext4 does not use an inode again within five
seconds, and making the 256 of one after the deletion of another takes it several times as long, in
its search for others.

Prints the tables of docs/performance.md: medians; CPU is user and system time of the tool; MB are
10^6 bytes of RDB. `get`: of keys drawn evenly, each in a process of its own, after the content of
the repository's files left the page cache.
"""

import argparse
import os
import pathlib
import statistics
import tempfile

import archive
import measure

GOALS = {'full backup': 400, 'incremental backup': 300, 'verify': 1000}


class Bench:
    """The two dumps, their feeders, and a repository that has the first."""

    def __init__(self, folder, options, backup_args):
        self.folder = pathlib.Path(folder)
        self.dumps = [self.folder / 'first.rdb', self.folder / 'second.rdb']
        made = ('--data', options.data, '--keys', options.keys)
        self.keys = archive.make_rdb(self.dumps[0], *made, '--sample', options.gets)
        archive.make_rdb(self.dumps[1], *made, '--order', 2, '--change', options.change)
        self.rdb_bytes = os.path.getsize(self.dumps[0])
        self.backup_args = backup_args
        self.base = archive.Repository(self.folder / 'base', backup_args)
        self.said = {}  # by tool: the JSON of its last backup
        self._made = 0

    def _rdb(self, to):
        return ['redis-cli', '-p', str(self.feeders[0].port), '--rdb', str(to)]

    def _fed(self, feeder, run):
        """The cost, and the CPU seconds of the feeder."""
        before = self.feeders[feeder].cpu()
        cost = run()
        return cost, self.feeders[feeder].cpu() - before

    def _new_path(self, what):
        self._made += 1
        return self.folder / f'{what}-{self._made}'

    def full(self):
        return self._backup('full backup', 0, archive.Repository(self._new_path('full'),
                                                                 self.backup_args))

    def incremental(self):
        return self._backup('incremental backup', 1, self.base.copy(self._new_path('grown')))

    def _backup(self, what, feeder, repository):
        def run():
            cost, self.said[what] = repository.backup(self.feeders[feeder].uri())
            return cost
        fed = self._fed(feeder, run)
        self.said[what]['disk_bytes'] = repository.disk_bytes()
        repository.remove_files()
        return fed

    def verify(self):
        self.base.verify()  # into the page cache
        return self.base.verify(), None

    def verify_cold(self):
        self.base.drop_from_page_cache()
        return self.base.verify(), None

    def redis_cli(self):
        path = self.folder / 'received.rdb'
        cost = self._fed(0, lambda: measure.run(self._rdb(path)))
        path.unlink()
        return cost

    def loopback(self):
        return self._fed(0, lambda: measure.run(self._rdb('-')))

    def disk(self):
        path = self.folder / 'copied.rdb'
        cost = measure.run(['dd', f'if={self.dumps[0]}', f'of={path}', 'bs=1M', 'conv=fsync',
                            'status=none'])
        path.unlink()
        return cost, None

    def get(self):
        """Wall seconds of each key."""
        seen = []
        for key in self.keys:
            self.base.drop_from_page_cache()
            seen.append(archive.wall(self.base.command('get', 'LATEST', key, '-o', os.devnull)))
        return seen

    def run(self, rounds):
        """By tool: costs and CPU seconds of the feeder, one of each a round."""
        tools = {'full backup': self.full, 'incremental backup': self.incremental,
                 'verify': self.verify, 'verify, not in the page cache': self.verify_cold,
                 'redis-cli --rdb FILE': self.redis_cli,
                 'redis-cli --rdb - > /dev/null': self.loopback, 'dd bs=1M conv=fsync': self.disk}
        seen = {tool: [] for tool in tools}
        with archive.Feeder(self.dumps[0]) as first, archive.Feeder(self.dumps[1]) as second:
            self.feeders = [first, second]
            self.base.backup(first.uri())
            os.sync()
            for turn in range(rounds):
                for tool in tools if turn % 2 == 0 else reversed(tools):
                    seen[tool].append(tools[tool]())
                    os.sync()  # what one tool left to write is not to be paid by the next
        return seen


def print_speed(bench, seen):
    print('| what | wall s | min..max | MB/s | CPU s | CPU s of the feeder | peak RSS MiB |')
    print('|---|---|---|---|---|---|---|')
    speeds = {}
    for tool, runs in seen.items():
        costs = [cost for cost, _ in runs]
        walls = [cost.wall for cost in costs]
        speeds[tool] = bench.rdb_bytes / statistics.median(walls) / 1e6
        fed = [cpu for _, cpu in runs if cpu is not None]
        print(f'| {tool} | {statistics.median(walls):.2f} | {min(walls):.2f}..{max(walls):.2f} '
              f'| {speeds[tool]:,.0f} | {statistics.median(cost.cpu for cost in costs):.2f} '
              f'| {f"{statistics.median(fed):.2f}" if fed else "-"} '
              f'| {max(cost.peak for cost in costs) / 2**20:.0f} |')
    return speeds


def print_goals(bench, speeds, gets):
    print('\n| goal | reached |')
    print('|---|---|')
    for tool, goal in GOALS.items():
        print(f'| {tool} at least {goal} MB/s | {speeds[tool]:,.0f} |')
    ratio = speeds['full backup'] / speeds['redis-cli --rdb FILE']
    print(f'| full backup at least as fast as redis-cli --rdb | {ratio:.2f} times |')
    if gets:
        nothing = statistics.median(archive.wall([archive.SLUICE, '--version']) for _ in gets)
        print(f'| get of one key under 20 ms, not in the page cache | median '
              f'{statistics.median(gets) * 1000:.1f} ms, max {max(gets) * 1000:.1f} ms '
              f'({len(gets)} keys; {nothing * 1000:.1f} ms of it for a process that does nothing) |')
    for what, said in bench.said.items():
        print(f'\n{what}: {said["keys"]:,} keys, layout {said["layout"]}, '
              f'{said["new_bytes"] / 1e6:,.1f} MB new of {said["raw_bytes"] / 1e6:,.1f}; '
              f'repository {said["disk_bytes"] / 1e6:,.1f} MB')


def main():
    parser = argparse.ArgumentParser(description='backup, verify and get beside redis-cli --rdb')
    parser.add_argument('--keys', type=int, default=1_500_000)
    parser.add_argument('--data', choices=('small', 'documents'), default='small')
    parser.add_argument('--change', type=float, default=1.0, help='percent of the keys')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--gets', type=int, default=50)
    archive.add_options(parser)
    options = parser.parse_args()
    backup_args = archive.backup_options(options, parser)

    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        bench = Bench(folder, options, backup_args)
        seen = bench.run(options.rounds)
        gets = bench.get()
        print(f'{archive.now()}: {options.keys:,} keys ({options.data}), '
              f'{bench.rdb_bytes / 1e6:,.0f} MB of RDB, {options.change:g} % changed, '
              f'{" ".join(backup_args) or "options of backup as they are"}, '
              f'median of {options.rounds}\n')
        print_goals(bench, print_speed(bench, seen), gets)


if __name__ == '__main__':
    main()
