#!/usr/bin/env python3
"""How much a second backup adds to a repository, beside restic and borg given the same RDB files.

    bench/archive_size.py [--keys N] [--data varied-small|varied-mixed|...] [--percent P [P ...]]
                          [--only CASE [CASE ...]] [--server redis70 | --generated]
                          [--layout L] [--compression C] [--no-peers]

A real server starts from a data set of dataset.py. Then, for each case: a backup, P percent of the
keys changed, another backup into the same repository, verified. The keys are drawn evenly over all
of them, whatever their type; strings are written anew with a text of the same length, of a
collection one element has another value (dataset.change). The cases:

    same       the same process, backed up twice
    restarted  SAVE and a start of the server between the two: hash tables have another seed
    replica    the second backup is of a replica of the first's server
    lru        maxmemory-policy allkeys-lru; keys were last used within a week, and not in between
    lru-read   likewise, and a tenth of all keys is read in between
    lfu        maxmemory-policy allkeys-lfu; frequencies drawn evenly; nothing read in between

The peers (peers.py) get the file that the server saves after each of the two backups, at the same
path. --generated takes the two states from bench/make_rdb instead, as files, in different orders.

Prints the tables of docs/performance.md: sizes of first backups, then growth. *new* is what the
backup says (`new_bytes`), *grew* is what the files of the repository take on the disk, as du counts
it; shares are of the first backup of the same tool on the disk. MB are 10^6 bytes.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import archive
import dataset
import peers

SEED = 20_261


@dataclasses.dataclass(frozen=True)
class Case:
    args: tuple = ()  # of the server
    restart: bool = False
    replica: bool = False
    accessed: str | None = None  # what `dataset.set_accessed` spreads
    read_percent: int = 0


CASES = {
    'same': Case(),
    'restarted': Case(restart=True),
    'replica': Case(replica=True),
    'lru': Case(('--maxmemory-policy', 'allkeys-lru'), accessed='IDLETIME'),
    'lru-read': Case(('--maxmemory-policy', 'allkeys-lru'), accessed='IDLETIME', read_percent=10),
    'lfu': Case(('--maxmemory-policy', 'allkeys-lfu'), accessed='FREQ'),
}


class Grown:
    """One repository of each tool: what a first and a second state took of the disk."""

    def __init__(self, folder, backup_args, with_peers):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.dump = self.folder / 'dump.rdb'
        self._repository = archive.Repository(self.folder / 'repository', backup_args)
        self._peers = peers.make(self.folder) if with_peers else {}
        self.disk = {'sluice': [], **{name: [] for name in self._peers}}
        self.said = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def back_up(self, source, save_to):
        """save_to: puts the same state as an RDB file at a path."""
        _, said = self._repository.backup(source)
        self.said.append(said)
        self.disk['sluice'].append(self._repository.disk_bytes())
        if not self._peers:
            return
        save_to(self.dump)
        for name, peer in self._peers.items():
            peer.backup(self.dump)
            self.disk[name].append(peer.disk_bytes())

    def verify(self):
        self._repository.verify()

    def cells(self):
        first, second = self.said
        new = second['new_bytes']
        yield f'{new / 1e6:,.1f}'
        yield f'{new / first["new_bytes"]:.2%}'.replace('%', ' %')
        for before, after in self.disk.values():
            yield f'{(after - before) / 1e6:,.1f}'
            yield f'{(after - before) / before:.2%}'.replace('%', ' %')


def drawn(names, percent, salt):
    """That many of these keys, drawn evenly; the same whenever it is asked."""
    return random.Random(f'{SEED} {salt}').sample(names, round(len(names) * percent / 100))


def wait_for(client, section, field, value):
    deadline = time.monotonic() + 300
    while client.info(section)[field] != value:
        if time.monotonic() > deadline:
            sys.exit(f'INFO {section} does not get to {field}:{value}')
        time.sleep(0.05)


def save(server, to=None):
    """SAVE, once the child that saved for the backup is gone."""
    with server.client() as client:
        wait_for(client, 'persistence', 'rdb_bgsave_in_progress', '0')
    server.save(to)


def back_up_server(server, grown):
    grown.back_up(server.uri(), lambda to: save(server, to))


@contextlib.contextmanager
def replica_of(server):
    """Another server with the same keys."""
    args = ('--replicaof', '127.0.0.1', server.port)
    with dataset.servers.Server(server.name, args) as replica, replica.client() as client:
        wait_for(client, 'replication', 'master_link_status', 'up')
        yield replica


def run_server(case, percent, base, grown, options):
    with dataset.servers.Server(options.server, case.args, rdb=base) as server:
        with server.client(timeout=600) as client:
            names = dataset.names(client)
            if case.accessed:
                dataset.set_accessed(client, names, case.accessed)
        back_up_server(server, grown)
        with server.client(timeout=600) as client:
            dataset.change(client, drawn(names, percent, 'change'))
            dataset.read(client, drawn(names, case.read_percent, 'read'))
        if case.restart:
            save(server)
            server.kill()
            server.start()
        if not case.replica:
            return back_up_server(server, grown)
        with replica_of(server) as replica:
            back_up_server(replica, grown)


def run_generated(percent, base, grown, options):
    """Both states as files. They have one path, since sluice names an instance after it."""
    source = grown.folder / 'source.rdb'
    shutil.copyfile(base, source)
    grown.back_up(source, lambda to: shutil.copyfile(source, to))
    archive.make_rdb(source, '--keys', options.keys, '--order', 2, '--change', percent)
    grown.back_up(source, lambda to: shutil.copyfile(source, to))


def full_sizes(base, folder, options, backup_args, with_peers):
    """What one backup of this file takes, by tool."""
    out = {'the RDB file': os.path.getsize(base)}
    kinds = {'sluice': backup_args}
    if archive.has_compression():
        others = [part for part in backup_args if part not in ('--compression',
                                                               options.compression)]
        kinds |= {f'sluice, {codec}': [*others, '--compression', codec]
                  for codec in ('lz4', 'zstd', 'none')}
    for name, args in kinds.items():
        repository = archive.Repository(pathlib.Path(folder) / 'full', args)
        repository.backup(base)
        out[name] = repository.disk_bytes()
        repository.remove()
    for name, peer in peers.make(folder).items() if with_peers else ():
        peer.backup(base)
        out[name] = peer.disk_bytes()
        peer.remove()
    return out


def print_full_sizes(sizes):
    print('| one backup | MB | of the RDB file |\n|---|---|---|')
    rdb = sizes['the RDB file']
    for name, size in sizes.items():
        print(f'| {name} | {size / 1e6:,.1f} | {size / rdb:.1%}'.replace('%', ' %') + ' |')


def print_growth(options, base, folder, backup_args, with_peers):
    tools = ['sluice', *(peers.KINDS if with_peers else ())]
    head = ['changed', 'case', 'new MB', 'share']
    for tool in tools:
        head += [f'{tool} grew MB', 'share']
    print('\n| ' + ' | '.join(head) + ' |\n|' + '---|' * len(head))
    for percent in options.percent:
        for name in ['generated'] if options.generated else options.only:
            with Grown(folder, backup_args, with_peers) as grown:
                if options.generated:
                    run_generated(percent, base, grown, options)
                else:
                    run_server(CASES[name], percent, base, grown, options)
                grown.verify()
                row = [f'{percent:g} %', name, *grown.cells()]
                print('| ' + ' | '.join(row) + ' |', flush=True)


def main():
    parser = argparse.ArgumentParser(description='growth of a repository, beside restic and borg')
    parser.add_argument('--keys', type=int, default=1_300_000)
    parser.add_argument('--data', choices=dataset.FILLS, default='varied-small')
    parser.add_argument('--percent', type=float, nargs='+', default=[1, 10])
    parser.add_argument('--only', choices=CASES, nargs='+', default=list(CASES))
    parser.add_argument('--server', default='redis70', choices=dataset.servers.NAMES)
    parser.add_argument('--generated', action='store_true', help='files of make_rdb, no server')
    parser.add_argument('--no-peers', action='store_true', help='without restic and borg')
    archive.add_options(parser)
    options = parser.parse_args()
    backup_args = archive.backup_options(options, parser)
    with_peers = not options.no_peers
    if with_peers and peers.missing():
        parser.error(f'not here: {", ".join(peers.missing())}; {peers.INSTALL}, or --no-peers')

    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as folder:
        base = os.path.join(folder, 'base.rdb')
        if options.generated:
            archive.make_rdb(base, '--keys', options.keys)
        else:
            dataset.make_file(base, options.data, options.keys, options.server)
        print(f'{archive.now()}: {options.keys:,} keys of '
              f'{"make_rdb" if options.generated else f"{options.data}, {options.server}"}, '
              f'{" ".join(backup_args) or "options of backup as they are"}'
              + (f'; {peers.versions()}' if with_peers else '') + '\n')
        print_full_sizes(full_sizes(base, folder, options, backup_args, with_peers))
        print_growth(options, base, folder, backup_args, with_peers)


if __name__ == '__main__':
    main()
