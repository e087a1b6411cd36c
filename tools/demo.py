#!/usr/bin/env python3
"""The demonstration behind tools/demo: one backup and one restore between real servers, with proof.

Run it through tools/demo, which builds first.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'integration'))
sys.path.insert(0, str(ROOT / 'tests' / 'servers'))

import fill  # noqa: E402
import matrix  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

SLUICE = ROOT / 'build' / 'release' / 'bin' / 'sluice'
SYSTEM_SERVER = 'redis70'  # Debian's own


class Failed(Exception):
    pass


class Steps:
    """What was done, how long it took and how fast that was."""

    def __init__(self):
        self.rows = []

    def add(self, step, result, seconds, count=None, size=None):
        rate = []
        if count is not None:
            rate.append(f'{count / max(seconds, 1e-6):,.0f} keys/s')
        if size is not None:
            rate.append(f'{size / max(seconds, 1e-6) / 1e6:,.1f} MB/s')
        self.rows.append((step, result, f'{seconds:.2f} s', ', '.join(rate)))

    def print(self):
        rows = [('STEP', 'RESULT', 'TIME', 'RATE'), *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for row in rows:
            print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def sluice(repo, *args, env=None):
    """Runs one verb with --json; gives its answer and how long it took."""
    begun = time.monotonic()
    run = subprocess.run([SLUICE, '--repo', repo, '--json', '--quiet', *args],
                         stdout=subprocess.PIPE, text=True, env=env)
    if run.returncode != 0:
        raise Failed(f'sluice {args[0]} ended with {run.returncode}')
    return json.loads(run.stdout), time.monotonic() - begun


def choose_target(backup):
    """The server of the matrix that can load what the source wrote."""
    family, version = backup['source']['server'], backup['source']['version']
    major = version.split('.')[0]
    if family == 'redis' and major.isdigit() and int(major) <= 7 and \
            backup['source']['rdb_version'] <= 10:
        return SYSTEM_SERVER
    fits = [name for name, spec in matrix.SERVERS.items()
            if name.startswith(family) and name[len(family):].startswith(major)
            and matrix.ready(name)]
    if fits:
        return max(fits)
    raise Failed(f'no server here can take the data of {family} {version}; '
                 'run tests/servers/fetch and try again')


def digest(client):
    """DEBUG DIGEST, or None where it is not allowed."""
    try:
        answer = client.call('DEBUG', 'DIGEST')
        return answer.decode() if isinstance(answer, bytes) else str(answer)
    except resp.ReplyError:
        return None


def compare(source, target, steps):
    begun = time.monotonic()
    ours, theirs = digest(source), digest(target)
    how = 'DEBUG DIGEST'
    if ours is None:
        how = 'keys by database (the source does not allow DEBUG DIGEST)'
        ours, theirs = source.keyspace(), target.keyspace()
    same = ours == theirs
    steps.add('compare', f'{how}: {"equal" if same else "DIFFERENT"}', time.monotonic() - begun)
    if not same:
        steps.print()
        raise Failed(f'source and restored server differ: {ours} and {theirs}')


def run_steps(source_uri, source, repo, steps):
    backup, seconds = sluice(repo, 'backup', source_uri)
    steps.add('backup', f'{backup["keys"]:,} keys, {backup["raw_bytes"]:,} bytes of RDB in '
              f'{backup["new_bytes"]:,} bytes', seconds, backup['keys'], backup['raw_bytes'])

    listed, seconds = sluice(repo, 'list')
    if [entry['id'] for entry in listed] != [backup['id']]:
        raise Failed('the backup is not what the repository lists')
    steps.add('list', backup['id'], seconds)

    verified, seconds = sluice(repo, 'verify', backup['id'])
    steps.add('verify', f'every byte of {verified[0]["chunks"]} chunks', seconds,
              verified[0]['keys'], verified[0]['raw_bytes'])

    with servers.Server(choose_target(backup)) as target:
        restored, seconds = sluice(repo, 'restore', backup['id'], target.uri())
        steps.add('restore', f'{restored["written"]:,} written of {restored["read"]:,} read, '
                  f'{restored["expired"]} expired, {restored["failed"]} failed', seconds,
                  restored['read'], restored['raw_bytes'])
        with target.client() as client:
            compare(source, client, steps)


def throw_away_source(repo, steps):
    with servers.Server(SYSTEM_SERVER) as server:
        begun = time.monotonic()
        with server.client() as client:
            filled = fill.fill(client, server.flavor, server.version)
            steps.add('fill', f'{sum(filled.values()):,} keys of {len(filled)} types, '
                      f'redis-server {".".join(map(str, server.version))}',
                      time.monotonic() - begun)
            run_steps(server.uri(), client, repo, steps)


def given_source(uri, repo, steps):
    rest = uri.split('://', 1)[-1].split('/', 1)[0]
    auth, _, address = rest.rpartition('@')
    user, _, password = auth.partition(':')
    host, _, port = address.partition(':')
    if uri.startswith(('rediss:', 'valkeys:')):
        raise Failed('the demonstration compares over a plain connection: give a redis:// source')
    with resp.Client(int(port or 6379), host or '127.0.0.1', password=password or None,
                     user=user or None) as client:
        run_steps(uri, client, repo, steps)


def main():
    parser = argparse.ArgumentParser(description='back up, verify and restore, with proof')
    parser.add_argument('source', nargs='?', help='redis://[user:password@]host:port')
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # unwinds: servers and folders are removed
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix='sluice-demo-') as folder:
        repo = os.path.join(folder, 'repository')
        try:
            if options.source:
                given_source(options.source, repo, steps)
            else:
                throw_away_source(repo, steps)
        except (Failed, servers.Absent, OSError, resp.ReplyError) as problem:
            print(f'demo: {problem}', file=sys.stderr)
            return 1
    steps.print()
    print('demo: source and restored server hold the same')
    return 0


if __name__ == '__main__':
    sys.exit(main())
