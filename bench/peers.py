"""Other programs that keep differing versions of a file: what an archive is measured beside.

They are no part of sluice. Whoever wants them beside it installs them: `apt-get install restic
borgbackup` (Debian 12 has restic 0.14 and borg 1.2.4).
"""

import os
import pathlib
import shutil
import subprocess

import archive
import measure

INSTALL = 'apt-get install restic borgbackup'


class Peer:
    """A repository of one of them, made when it is first used."""

    def __init__(self, name, folder):
        self.path = pathlib.Path(folder) / name.replace(' ', '-')
        self._made = False
        self._env = {**os.environ, 'HOME': str(folder), 'RESTIC_PASSWORD': 'bench',
                     'BORG_BASE_DIR': str(folder), 'BORG_EXIT_CODES': 'modern',
                     'BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK': 'yes'}

    def backup(self, path):
        """The cost of another version of the file at this path, which must be the same each time."""
        if not self._made:
            measure.run(self._init(), env=self._env)
            self._made = True
        return measure.run(self._backup(str(path)), env=self._env)

    def disk_bytes(self):
        return archive.disk_bytes(self.path)

    def remove(self):
        shutil.rmtree(self.path)
        self._made = False


class Restic(Peer):
    """As it comes: zstd, chunks of 1 MiB on average, which it has no option for; encrypts always."""

    def _init(self):
        return ['restic', '--no-cache', '-r', self.path, 'init']

    def _backup(self, path):
        return ['restic', '--no-cache', '-r', self.path, 'backup', path]


class Borg(Peer):
    """As it comes: lz4, chunks of 2 MiB on average. Without encryption."""

    chunker = ()

    def _init(self):
        return ['borg', 'init', '--encryption', 'none', self.path]

    def _backup(self, path):
        return ['borg', 'create', *self.chunker, f'{self.path}::' + '{now:%s.%f}', path]


class BorgSmall(Borg):
    """Chunks of 64 KiB on average: its cut by buzhash, from 1 KiB to 8 MiB, window of 4095."""

    chunker = ('--chunker-params', 'buzhash,10,23,16,4095')


KINDS = {'restic': ('restic', Restic), 'borg': ('borg', Borg),
         'borg, 64 KiB': ('borg', BorgSmall)}


def missing():
    """Programs that are not on this machine."""
    return sorted({program for program, _ in KINDS.values() if not shutil.which(program)})


def versions():
    """One line."""
    said = [subprocess.run([program, how], capture_output=True, text=True).stdout.split()[:2]
            for program, how in (('restic', 'version'), ('borg', '--version'))]
    return ', '.join(' '.join(words) for words in said)


def make(folder):
    """One of each, by name."""
    return {name: kind(name, folder) for name, (_, kind) in KINDS.items()}
