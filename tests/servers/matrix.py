"""The servers that sluice is tested against, and where they are kept.

`fetch` fills the cache; the integration tests only read it. The cache has one folder a server:

    run-server     starts the server with the arguments given
    run-cli        its redis-cli / valkey-cli
    run-check-rdb  its redis-check-rdb / valkey-check-rdb
    VERSION        first line: the version; second line: where it came from

A folder gets its name only when everything in it works. `NAME.skipped` beside it holds the reason
why the last attempt to fetch it failed.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess

# Raised when what a folder must contain changes; older folders are fetched again.
RECIPE = 1


@dataclasses.dataclass(frozen=True)
class Spec:
    """One server of the matrix."""

    name: str
    flavor: str  # redis or valkey
    version: str  # upstream version that is wanted
    suite: str  # Debian suite of the server; '' = this machine's own installation
    library_suite: str = ''  # suite of the libraries beside it
    libraries: tuple[str, ...] = ()
    own_loader: bool = True  # started through the loader of its own libc6


# Everything a server of a newer Debian is linked against, with its loader.
_NEWER = ('libc6', 'libsystemd0', 'libjemalloc2', 'liblua5.1-0', 'lua-cjson', 'lua-bitop',
          'liblzf1', 'libatomic1', 'libssl3t64', 'libstdc++6', 'libgcc-s1', 'zlib1g', 'libzstd1',
          'libcap2', 'liblz4-1')

SERVERS = {spec.name: spec for spec in (
    # Old enough for the system's C library; only what bookworm lacks or renamed lies beside it.
    Spec('redis60', 'redis', '6.0.16', 'bullseye', 'bullseye',
         ('libssl1.1', 'libhiredis0.14', 'libjemalloc2', 'liblua5.1-0', 'lua-cjson', 'lua-bitop',
          'liblzf1', 'libatomic1'), own_loader=False),
    Spec('redis70', 'redis', '7.0', ''),
    Spec('redis80', 'redis', '8.0.2', 'trixie', 'trixie', _NEWER + ('libhiredis1.1.0',)),
    Spec('redis86', 'redis', '8.6.3', 'experimental', 'sid', _NEWER),
    Spec('valkey81', 'valkey', '8.1.1', 'trixie', 'trixie', _NEWER),
    Spec('valkey91', 'valkey', '9.1.2', 'sid', 'sid', _NEWER),
)}


def cache_dir():
    """Where the servers are kept: outside the tree, shared by all clones."""
    if explicit := os.environ.get('SLUICE_SERVER_CACHE'):
        return pathlib.Path(explicit).absolute()
    base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
    return pathlib.Path(base).absolute() / 'sluice' / 'servers'


def ready(name):
    """The folder of a server that was fetched, or None."""
    folder = cache_dir() / name
    try:
        recipe = (folder / 'recipe').read_text().strip()
    except OSError:
        return None
    return folder if recipe == str(RECIPE) and (folder / 'VERSION').exists() else None


def why_absent(name):
    """One line that says why `ready` has nothing."""
    try:
        return (cache_dir() / f'{name}.skipped').read_text().strip()
    except OSError:
        return f'not fetched; run tests/servers/fetch {name}'


def version_of(folder):
    """The version of a fetched server, as text."""
    return (folder / 'VERSION').read_text().split('\n')[0]


def system_server():
    """The machine's own redis-server and its version, or (None, reason)."""
    binary = shutil.which('redis-server') or '/usr/bin/redis-server'
    try:
        out = subprocess.run([binary, '--version'], capture_output=True, text=True, timeout=20)
    except OSError as e:
        return None, f'no redis-server on this machine ({e.strerror}); run tools/bootstrap'
    for word in out.stdout.split():
        if word.startswith('v='):
            return binary, word[2:]
    return None, f'{binary} --version says nothing that is understood'
