#!/usr/bin/env python3
"""CPU time of reading one RDB file: sluice beside redis-check-rdb, librdb's rdb-cli and the limits
of the machine, turn by turn in one run.

    bench/rdb_vs_peers.py [--data mixed|strings] [--keys N] [--rounds R] [--server redis70]
                          [--file FILE] [--rdb-cli PATH]

--file is read if it exists, and made if it does not; without it the file lives for one run. rdb-cli
(github.com/redis/librdb) is no part of sluice: build it elsewhere and tell where it is.

Every round runs every tool, every second round in the opposite order, over a file that is in the
page cache. Prints the table of docs/performance.md: CPU is user and system time of the tool alone,
MB are those of the RDB file, `×` tells how many times the CPU time of the peer is that of the tool.
What this sluice or this machine does not have is shown as `-`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import dataset
import measure

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests' / 'servers'))

import matrix  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))
USAGE_ERROR = 2  # docs/cli.md

KEYS = {'mixed': 1_300_000, 'strings': 1_000_000}
CHECKERS = ('redis70', 'redis86', 'redis80')

CHECK = 'redis-check-rdb'
JSON = 'rdb-cli json'
READ = 'read the file: dd bs=256k'
MEMCPY_ROW = 'memcpy, 256 KiB at a time'

# Copies the file, already in memory, into a block that stays in the cache; prints its CPU seconds.
MEMCPY = """
import sys, time
with open(sys.argv[1], 'rb') as f:
    source = memoryview(f.read())
block = memoryview(bytearray(256 << 10))
begun = time.process_time()
for at in range(0, len(source), len(block)):
    part = source[at:at + len(block)]
    block[:len(part)] = part
print(time.process_time() - begun)
"""


def sluice(*args):
    """The command, or None where this build does not know the verb or the option."""
    probe = subprocess.run([SLUICE, *args, os.devnull], stdin=subprocess.DEVNULL,
                           capture_output=True)
    return None if probe.returncode == USAGE_ERROR else [SLUICE, '--quiet', *args]


def checker(path):
    """redis-check-rdb of the first server that accepts the file, and its name."""
    for name in CHECKERS:
        if matrix.ready(name) and dataset.servers.check_rdb(name, path)[0]:
            return name, [matrix.ready(name) / 'run-check-rdb']
    return '', None


def commands(path, rdb_cli):
    """What is run, by the name in the table; None is a tool that is not there."""
    name, check = checker(path)
    found = {
        'sluice check --depth frame': sluice('check', '--depth', 'frame'),
        'sluice check --depth verify': sluice('check', '--depth', 'verify'),
        'sluice check --depth decode': sluice('check', '--depth', 'decode'),
        'sluice export --format jsonl': sluice('export', '--format', 'jsonl', '-o', os.devnull),
        CHECK: check,
    }
    out = {tool: command and [*command, path] for tool, command in found.items()}
    for format_name in ('print', 'json'):
        out[f'rdb-cli {format_name}'] = rdb_cli and [
            rdb_cli, path, '-l', os.devnull, format_name, '-o', os.devnull]
    out[READ] = ['dd', f'if={path}', f'of={os.devnull}', 'bs=256k', 'status=none']
    return name, out


def memcpy(path):
    out = subprocess.run([sys.executable, '-c', MEMCPY, path], check=True, stdout=subprocess.PIPE)
    return measure.Cost(0, float(out.stdout), 0, 0)


def run_rounds(tools, rounds):
    """Costs by tool."""
    seen = {tool: [] for tool in tools}
    for turn in range(rounds):
        for tool in tools if turn % 2 == 0 else reversed(tools):
            seen[tool].append(tools[tool]())
    return seen


def row(tool, costs, megabytes, peers):
    """One line of the table; peers: median CPU seconds of the peers, None if absent."""
    if not costs:
        return f'| {tool} |' + ' - |' * (5 + len(peers))
    cpu = [cost.cpu for cost in costs]
    median = statistics.median(cpu)
    system = statistics.median(cost.system for cost in costs)
    peak = max(cost.peak for cost in costs)
    ratios = [f'{peer / median:.2f}' if peer else '-' for peer in peers]
    cells = [tool, f'{median:.3f}', f'{min(cpu):.3f}..{max(cpu):.3f}', f'{system:.3f}',
             f'{megabytes / median:,.0f}', *ratios, f'{peak / 2**20:.0f}' if peak else '-']
    return '| ' + ' | '.join(cells) + ' |'


def compare(path, options):
    checked_by, found = commands(path, options.rdb_cli)
    measure.run(found[READ])  # into the page cache
    tools = {tool: lambda c=command: measure.run(c) for tool, command in found.items() if command}
    found[MEMCPY_ROW] = None
    tools[MEMCPY_ROW] = lambda: memcpy(path)
    seen = run_rounds(tools, options.rounds)

    size = os.path.getsize(path)
    version = f' of {checked_by}' if checked_by else ': no server accepts the file'
    print(f'{os.path.basename(path)}, {size / 1e6:,.1f} MB, {CHECK}{version}, '
          f'median of {options.rounds}')
    print(f'| tool | CPU s | min..max | of it system | MB per CPU s | × {CHECK} | × {JSON} '
          '| peak RSS MiB |')
    print('|---|---|---|---|---|---|---|---|')
    peers = [statistics.median(cost.cpu for cost in seen[peer]) if peer in tools else None
             for peer in (CHECK, JSON)]
    for tool in found:
        print(row(tool, seen.get(tool), size / 1e6, peers))


def main():
    parser = argparse.ArgumentParser(description='CPU time of reading an RDB file, beside peers')
    parser.add_argument('--data', choices=KEYS, default='mixed')
    parser.add_argument('--keys', type=int, help='of the file that is made')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--server', default='redis70', choices=dataset.servers.NAMES)
    parser.add_argument('--file', help='read if it exists, else made')
    parser.add_argument('--rdb-cli', type=os.path.abspath, help="librdb's rdb-cli")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        path = os.path.abspath(options.file or os.path.join(folder, f'{options.data}.rdb'))
        if not os.path.exists(path):
            dataset.make_file(path, options.data, options.keys or KEYS[options.data],
                              options.server)
        compare(path, options)


if __name__ == '__main__':
    main()
