"""Runs one command and tells what it cost."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time


@dataclasses.dataclass(frozen=True)
class Cost:
    wall: float  # seconds
    user: float
    system: float
    peak: int  # resident bytes

    @property
    def cpu(self):
        return self.user + self.system


class _PeakMemory(threading.Thread):
    """Asks VmHWM while the process runs.

    ru_maxrss would include what this process had when it started the other. VmHWM only grows, so
    that the last answer is the peak but for the last moment.
    """

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._path = f'/proc/{pid}/status'
        self._ended = threading.Event()
        self._peak = 0
        self.start()

    def run(self):
        while True:
            try:
                with open(self._path) as status:
                    for line in status:
                        if line.startswith('VmHWM:'):
                            self._peak = max(self._peak, int(line.split()[1]) << 10)
            except OSError:
                return
            if self._ended.wait(0.02):
                return

    def end(self):
        self._ended.set()
        self.join()
        return self._peak


def run(command, cwd=None, *, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    """The cost of a command that must succeed; its output goes nowhere unless told."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=stdin, stdout=stdout,
                               stderr=subprocess.PIPE, cwd=cwd, env=env)
    memory = _PeakMemory(process.pid)
    with process.stderr:
        errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f'{command[0]} ended with {process.returncode}: {errors.decode()}')
    return Cost(wall, usage.ru_utime, usage.ru_stime, memory.end())


def run_json(command):
    """Its cost, and the JSON value that it prints."""
    with tempfile.TemporaryFile() as out:
        cost = run(command, stdout=out)
        out.seek(0)
        return cost, json.load(out)
