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
import urllib.parse

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
    """The oldest server of the matrix that can load what the source wrote."""
    family, version = backup['source']['server'], backup['source']['version']
    wanted = numbers(version)
    fits = [spec for spec in matrix.SERVERS.values()
            if spec.flavor == family and matrix.ready(spec.name)
            and numbers(spec.version)[:2] >= wanted[:2]]
    if fits:
        return min(fits, key=lambda spec: numbers(spec.version)).name
    raise Failed(f'no server here can take the data of {family} {version}; '
                 'see tests/servers/fetch --list')


def numbers(version):
    return tuple(int(part) for part in version.split('.') if part.isdigit())


def by_digest(client):
    return client.call('DEBUG', 'DIGEST')


def by_keys(client):
    return client.keyspace()


def compare(source, target, look, what, steps):
    begun = time.monotonic()
    ours, theirs = look(source), look(target)
    same = ours == theirs
    steps.add('compare', f'{what}: {"equal" if same else "DIFFERENT"}', time.monotonic() - begun)
    if not same:
        steps.print()
        raise Failed(f'source and restored server differ in {what}: {ours} and {theirs}')


def run_steps(source_uri, source, repo, look, what, steps):
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
            compare(source, client, look, what, steps)


def throw_away_source(repo, steps):
    with servers.Server(SYSTEM_SERVER) as server:
        begun = time.monotonic()
        with server.client() as client:
            filled = fill.fill(client, server.flavor, server.version)
            steps.add('fill', f'{sum(filled.values()):,} keys of {len(filled)} types, '
                      f'redis-server {".".join(map(str, server.version))}',
                      time.monotonic() - begun)
            run_steps(server.uri(), client, repo, by_digest, 'DEBUG DIGEST', steps)


def given_source(uri, repo, steps):
    parts = urllib.parse.urlsplit(uri)
    if uri.startswith(('rediss:', 'valkeys:')):
        raise Failed('the demonstration compares over a plain connection: give a redis:// source')
    secret = {name: urllib.parse.unquote(value) for name, value in
              (('user', parts.username), ('password', parts.password)) if value}
    with resp.Client(parts.port or 6379, parts.hostname or '127.0.0.1', **secret) as client:
        # DEBUG DIGEST would block a server that others use; most do not allow it anyway.
        run_steps(uri, client, repo, by_keys, 'keys of each database', steps)


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
    print('demo: done; the last line of the table says by what both servers agree')
    return 0


if __name__ == '__main__':
    sys.exit(main())
