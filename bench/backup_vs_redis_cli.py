#!/usr/bin/env python3
"""Times `sluice backup` beside `redis-cli --rdb` on the same server, turn by turn in one run.

    bench/backup_vs_redis_cli.py [--keys N] [--rounds R] [--server redis70]

Both act as a replica of a real server filled with a mixed data set, and both end with the data
synced to the same disk. Every round runs both, the first of them alternating, so that a noisy
machine hits both alike. Prints the table of docs/performance.md: wall-clock and CPU time, medians
and the ratio of the medians. CPU is that of the tool alone, user and system.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import tempfile

import dataset
import measure

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))


def run_sluice(server, folder):
    repo = os.path.join(folder, 'repository')
    cost = measure.run([SLUICE, '--repo', repo, '--quiet', '--json', 'backup', server.uri()])
    size = sum(f.stat().st_size for f in pathlib.Path(repo).rglob('*') if f.is_file())
    shutil.rmtree(repo)
    return cost, size


def run_redis_cli(server, folder):
    path = os.path.join(folder, 'dump.rdb')
    cost = measure.run(['redis-cli', '-p', str(server.port), '--rdb', path])
    size = os.path.getsize(path)
    os.unlink(path)
    return cost, size


def main():
    parser = argparse.ArgumentParser(description='sluice backup beside redis-cli --rdb')
    parser.add_argument('--keys', type=int, default=1_300_000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--server', default='redis70', choices=dataset.servers.NAMES)
    options = parser.parse_args()

    tools = {'sluice backup': run_sluice, 'redis-cli --rdb': run_redis_cli}
    seen = {name: [] for name in tools}
    with dataset.servers.Server(options.server) as server, \
            tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        with server.client() as client:
            dataset.fill_small(client, options.keys)
        for turn in range(options.rounds):
            order = list(tools) if turn % 2 == 0 else list(reversed(tools))
            for name in order:
                seen[name].append(tools[name](server, folder))
        version = '.'.join(map(str, server.version))

    rdb_bytes = seen['redis-cli --rdb'][0][1]
    print(f'{options.server} ({version}), {options.keys:,} keys, {rdb_bytes / 1e6:,.0f} MB of RDB, '
          f'median of {options.rounds}')
    print('| tool | wall s | min..max | RDB MB/s | CPU s | peak RSS MiB | on disk MB |')
    print('|---|---|---|---|---|---|---|')
    medians = {}
    for name, runs in seen.items():
        costs = [cost for cost, _ in runs]
        walls = [cost.wall for cost in costs]
        medians[name] = statistics.median(walls)
        print(f'| {name} | {medians[name]:.2f} | {min(walls):.2f}..{max(walls):.2f} '
              f'| {rdb_bytes / medians[name] / 1e6:.0f} '
              f'| {statistics.median(cost.cpu for cost in costs):.2f} '
              f'| {max(cost.peak for cost in costs) / 2**20:.0f} | {runs[0][1] / 1e6:.0f} |')
    ratio = medians['sluice backup'] / medians['redis-cli --rdb']
    print(f'wall-clock ratio sluice / redis-cli: {ratio:.2f}')


if __name__ == '__main__':
    main()
