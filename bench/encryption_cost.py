#!/usr/bin/env python3
"""Tells what encryption costs: a full backup and `verify`, of a plain repository and an encrypted one.

    bench/encryption_cost.py [--keys N] [--data small|documents] [--rounds R] [--layout L]
                             [--compression C]

The source is bench/feeder, as in bench/archive_speed.py. Each round does both by turns, every
second round in the opposite order. The key is a key file: a passphrase takes a third of a second of
scrypt more, whatever the backup. Prints the table of docs/performance.md: medians; CPU is user and
system time of sluice; the ratio is encrypted to plain.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile

import archive


class Encrypted(archive.Repository):
    def __init__(self, path, backup_args=(), key=None):
        super().__init__(path, backup_args)
        self._key = key
        subprocess.run(self.command('init', '--encrypt'), check=True, stdout=subprocess.DEVNULL)

    def command(self, verb, *args):
        return [*super().command(verb, *args), '--repo-key-file', str(self._key)]


class Plain(archive.Repository):
    def __init__(self, path, backup_args=(), key=None):
        super().__init__(path, backup_args)
        subprocess.run(self.command('init'), check=True, stdout=subprocess.DEVNULL)


def one(kind, folder, feeder, backup_args, key):
    """What a full backup and a check cost, and what the repository takes."""
    repository = kind(folder / kind.__name__, backup_args, key)
    backup, _ = repository.backup(feeder.uri())
    repository.verify()  # into the page cache
    costs = {'full backup': backup, 'verify': repository.verify()}
    taken = repository.disk_bytes()
    repository.remove()
    os.sync()
    return costs, taken


def main():
    parser = argparse.ArgumentParser(description='what encryption costs')
    parser.add_argument('--keys', type=int, default=1_500_000)
    parser.add_argument('--data', choices=('small', 'documents'), default='small')
    parser.add_argument('--rounds', type=int, default=5)
    archive.add_options(parser)
    options = parser.parse_args()
    backup_args = archive.backup_options(options, parser)

    kinds = (Plain, Encrypted)
    seen = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as name:
        folder = pathlib.Path(name)
        dump = folder / 'dump.rdb'
        archive.make_rdb(dump, '--data', options.data, '--keys', options.keys)
        key = folder / 'key'
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        with archive.Feeder(dump) as feeder:
            for turn in range(options.rounds):
                for kind in kinds if turn % 2 == 0 else reversed(kinds):
                    seen[kind].append(one(kind, folder, feeder, backup_args, key))
        print(f'{archive.now()}: {options.keys:,} keys ({options.data}), '
              f'{dump.stat().st_size / 1e6:,.0f} MB of RDB, median of {options.rounds}\n')
    print('| what | | plain | encrypted | ratio |')
    print('|---|---|---|---|---|')
    for what in ('full backup', 'verify'):
        for unit, of in (('CPU s', lambda cost: cost.cpu), ('wall s', lambda cost: cost.wall)):
            plain, encrypted = (statistics.median(of(costs[what]) for costs, _ in seen[kind])
                                for kind in kinds)
            print(f'| {what} | {unit} | {plain:.2f} | {encrypted:.2f} | {encrypted / plain:.2f} |')
    plain, encrypted = (seen[kind][0][1] for kind in kinds)
    print(f'| repository | MB | {plain / 1e6:.1f} | {encrypted / 1e6:.1f} '
          f'| {encrypted / plain:.4f} |')


if __name__ == '__main__':
    main()
