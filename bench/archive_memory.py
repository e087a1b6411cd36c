#!/usr/bin/env python3
"""Peak memory of backup, incremental backup, verify and get, over many keys and over large values.

    bench/archive_memory.py [--keys N] [--large BYTES] [--only keys string hash]
                            [--layout L] [--compression C]

    keys    20 million strings of 32 bytes
    string  one string of 2 GB, in its middle 1000 small keys
    hash    one hash of 2 GB, 15 million fields, kept as a table

Each dataset is an RDB file of bench/make_rdb, served by bench/feeder; the second backup is of a file
with 1 % other keys, fields or blocks, in another order. Prints the table of docs/performance.md:
VmHWM and wall time. Exit code 1 when a peak is over the budget, 256 MiB. Needs the size of a dataset
in memory and some five times that below $TMPDIR.
"""

import argparse
import os
import pathlib
import sys
import tempfile

import archive
import measure

LIMIT_BYTES = 256 << 20
JOBS = ('backup', 'incremental backup', 'verify', 'get')


def dataset(name, options):
    """Arguments of make_rdb, and a key to get with the format to get it in."""
    few = ('--keys', 1000, '--data', 'tiny')
    return {
        'keys': (('--keys', options.keys, '--data', 'tiny'), None, 'raw'),
        'string': ((*few, '--large-string', options.large), 'large:string', 'raw'),
        'hash': ((*few, '--large-hash', options.large), 'large:hash', 'json'),
    }[name]


def measured(name, options, backup_args, folder):
    """The size of the RDB file, and the cost of each job."""
    made, key, value_format = dataset(name, options)
    dump = folder / f'{name}.rdb'
    repository = archive.Repository(folder / name, backup_args)
    sampled = archive.make_rdb(dump, *made, '--sample', 2)
    costs = {}
    with archive.Feeder(dump) as feeder:
        costs['backup'], _ = repository.backup(feeder.uri())
    archive.make_rdb(dump, *made, '--order', 2, '--change', 1)
    with archive.Feeder(dump) as feeder:
        costs['incremental backup'], _ = repository.backup(feeder.uri())
    costs['verify'] = repository.verify()
    costs['get'] = measure.run(repository.command(
        'get', 'LATEST', key or sampled[-1], '--format', value_format, '-o', os.devnull))
    size = os.path.getsize(dump)
    dump.unlink()
    repository.remove()
    return size, costs


def main():
    parser = argparse.ArgumentParser(description='peak memory of an archive at its limits')
    parser.add_argument('--keys', type=int, default=20_000_000)
    parser.add_argument('--large', type=int, default=2_000_000_000, help='bytes of a large value')
    parser.add_argument('--only', choices=('keys', 'string', 'hash'), nargs='+',
                        default=['keys', 'string', 'hash'])
    archive.add_options(parser)
    options = parser.parse_args()
    backup_args = archive.backup_options(options, parser)

    print(f'{archive.now()}: {options.keys:,} keys; large values of {options.large / 1e6:,.0f} MB; '
          f'{" ".join(backup_args) or "options of backup as they are"}; peak MiB (seconds)\n')
    print('| dataset | RDB MB | ' + ' | '.join(JOBS) + ' |\n|---|---|' + '---|' * len(JOBS))
    over = False
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        for name in options.only:
            size, costs = measured(name, options, backup_args, pathlib.Path(folder))
            cells = [f'{costs[job].peak / 2**20:.0f} ({costs[job].wall:.1f})' for job in JOBS]
            print(f'| {name} | {size / 1e6:,.0f} | ' + ' | '.join(cells) + ' |', flush=True)
            over |= any(cost.peak >= LIMIT_BYTES for cost in costs.values())
    if over:
        sys.exit(f'over {LIMIT_BYTES >> 20} MiB')


if __name__ == '__main__':
    main()
