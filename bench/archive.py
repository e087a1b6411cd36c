"""What the benchmarks of the archive share: repositories, the feeder, files made from nothing."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import measure

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = os.environ.get('SLUICE_BIN', str(ROOT / 'build' / 'release' / 'bin' / 'sluice'))
BIN = pathlib.Path(SLUICE).parent

_TICKS = os.sysconf('SC_CLK_TCK')


def add_options(parser):
    """How `sluice backup` is to store; for `backup_options`."""
    parser.add_argument('--layout', help='canonical or stream; else what sluice takes by itself')
    parser.add_argument('--compression', help='lz4, zstd[:LEVEL] or none; likewise')


def _described():
    """What `sluice backup --help` says of each of these options, if it has them."""
    usage = subprocess.run([SLUICE, 'backup', '--help'], capture_output=True, text=True).stdout
    return {name: usage.partition(f'--{name} ')[2].split('\n  -')[0]
            for name in ('layout', 'compression')}


def backup_options(options, parser):
    """The options for `sluice backup`. Ends the program when this sluice does not have them."""
    described = _described()
    if options.layout and options.layout not in described['layout']:
        parser.error(f'{SLUICE} has no --layout {options.layout}')
    if options.compression and not described['compression']:
        parser.error(f'{SLUICE} has no --compression')
    return [part for name in described if getattr(options, name)
            for part in (f'--{name}', getattr(options, name))]


def has_compression():
    return bool(_described()['compression'])


class Repository:
    """A repository whose backups all have the same instance, so that one builds on the other."""

    def __init__(self, path, backup_args=()):
        self.path = pathlib.Path(path)
        self._backup_args = list(backup_args)

    def command(self, verb, *args):
        return [SLUICE, '--repo', str(self.path), '--quiet', '--json', verb, *map(str, args)]

    def backup(self, source):
        """The cost, and what sluice says of the backup."""
        return measure.run_json(self.command('backup', '--name', 'bench', *self._backup_args,
                                             source))

    def verify(self):
        """Every backup, or the program ends."""
        return measure.run(self.command('verify', '--all'))

    def copy(self, path):
        """Another of the same content, on the disk, so that its writing disturbs nobody later."""
        shutil.copytree(self.path, path)
        os.sync()
        return Repository(path, self._backup_args)

    def remove(self):
        shutil.rmtree(self.path)

    def remove_files(self):
        """What takes room; the folders stay."""
        for path in self.path.rglob('*'):
            if path.is_file():
                path.unlink()

    def disk_bytes(self):
        return disk_bytes(self.path)

    def drop_from_page_cache(self):
        """The content of all files; their names stay in the kernel's caches. They must be synced."""
        for path in self.path.rglob('*'):
            if path.is_file():
                file = os.open(path, os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


def disk_bytes(folder):
    """What its files take on the disk, as du counts it."""
    return sum(path.lstat().st_blocks * 512 for path in pathlib.Path(folder).rglob('*')
               if path.is_file())


class Feeder:
    """A primary that serves one RDB file from memory, until the end of `with`."""

    def __init__(self, path):
        # Ends with this process, however that ends.
        self._process = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL', BIN / 'feeder', path], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line.startswith('port '):
            sys.exit(f'the feeder does not serve {path}')
        self.port = int(line.split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def uri(self):
        return f'redis://127.0.0.1:{self.port}'

    def cpu(self):
        """Seconds so far, user and system."""
        stat = pathlib.Path(f'/proc/{self._process.pid}/stat').read_text()
        fields = stat.rpartition(') ')[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def make_rdb(path, *args):
    """Runs make_rdb; the names of the sampled keys."""
    out = subprocess.run([BIN / 'make_rdb', path, *map(str, args)], check=True,
                         stdout=subprocess.PIPE, text=True)
    return out.stdout.split()


def wall(command):
    """Seconds of a command that must succeed. Less around it than in measure.run: for short ones."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def now():
    """The day, for the line above a table."""
    return time.strftime('%Y-%m-%d')
