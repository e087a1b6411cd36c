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
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'integration'))

import servers  # noqa: E402

SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))

# One round of the generator: deterministic, about half of it small strings, the rest collections.
GENERATOR = """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local seed = from + 1
local function draw() seed = (seed * 1103515245 + 12345) % 2147483648 return seed end
local function text(n)
  local parts = {}
  for i = 1, math.ceil(n / 8) do parts[i] = string.format('%08x', draw() * 2 % 4294967296) end
  return string.sub(table.concat(parts), 1, n)
end
for i = from, to do
  local kind = i % 20
  if kind < 12 then redis.call('SET', 'user:' .. i .. ':profile', text(200 + draw() % 400))
  elseif kind < 14 then redis.call('SET', 'session:' .. i, text(120), 'EX', 86400 + i % 1000)
  elseif kind < 16 then redis.call('HSET', 'cart:' .. i, 'a', text(40), 'b', text(40), 'n', i)
  elseif kind == 16 then redis.call('RPUSH', 'log:' .. i, text(60), text(60), text(60))
  elseif kind == 17 then redis.call('SADD', 'tags:' .. i, i, i * 7, i * 13)
  elseif kind == 18 then redis.call('ZADD', 'rank:' .. i, i, text(16), i * 2, text(16))
  else redis.call('XADD', 'events:' .. i, '1-1', 'f', text(80)) end
end
"""


def fill(client, keys):
    step = 5000
    for begin in range(0, keys, step):
        client.call('EVAL', GENERATOR, 0, begin, min(begin + step, keys) - 1)


def timed(command):
    """Wall-clock seconds, and CPU seconds of the process, of one command that must succeed."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    if process.returncode != 0:
        sys.exit(f'{command[0]} ended with {process.returncode}: {errors.decode()}')
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def run_sluice(server, folder):
    repo = os.path.join(folder, 'repository')
    result = timed([SLUICE, '--repo', repo, '--quiet', '--json', 'backup', server.uri()])
    size = sum(f.stat().st_size for f in pathlib.Path(repo).rglob('*') if f.is_file())
    shutil.rmtree(repo)
    return *result, size


def run_redis_cli(server, folder):
    path = os.path.join(folder, 'dump.rdb')
    result = timed(['redis-cli', '-p', str(server.port), '--rdb', path])
    size = os.path.getsize(path)
    os.unlink(path)
    return *result, size


def main():
    parser = argparse.ArgumentParser(description='sluice backup beside redis-cli --rdb')
    parser.add_argument('--keys', type=int, default=1_300_000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--server', default='redis70', choices=servers.NAMES)
    options = parser.parse_args()

    tools = {'sluice backup': run_sluice, 'redis-cli --rdb': run_redis_cli}
    seen = {name: [] for name in tools}
    with servers.Server(options.server) as server, \
            tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        with server.client() as client:
            fill(client, options.keys)
        for turn in range(options.rounds):
            order = list(tools) if turn % 2 == 0 else list(reversed(tools))
            for name in order:
                seen[name].append(tools[name](server, folder))
        version = '.'.join(map(str, server.version))

    rdb_bytes = seen['redis-cli --rdb'][0][3]
    print(f'{options.server} ({version}), {options.keys:,} keys, {rdb_bytes / 1e6:,.0f} MB of RDB, '
          f'median of {options.rounds}')
    print('| tool | wall s | min..max | RDB MB/s | CPU s | peak RSS MiB | on disk MB |')
    print('|---|---|---|---|---|---|---|')
    medians = {}
    for name, runs in seen.items():
        walls = [run[0] for run in runs]
        medians[name] = statistics.median(walls)
        print(f'| {name} | {medians[name]:.2f} | {min(walls):.2f}..{max(walls):.2f} '
              f'| {rdb_bytes / medians[name] / 1e6:.0f} '
              f'| {statistics.median(run[1] for run in runs):.2f} '
              f'| {max(run[2] for run in runs) / 2**20:.0f} | {runs[0][3] / 1e6:.0f} |')
    ratio = medians['sluice backup'] / medians['redis-cli --rdb']
    print(f'wall-clock ratio sluice / redis-cli: {ratio:.2f}')


if __name__ == '__main__':
    main()
