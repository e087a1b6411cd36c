#!/usr/bin/env python3
"""The systemd unit is well-formed, and sandboxed as docs/service.md says."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "packaging", "sluice.service")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class Packaging(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.unit = os.path.join(self.directory.name, "sluice.service")
        # The program need not be installed.
        with open(self.unit, "w", encoding="utf-8") as file:
            file.write(read("packaging", "sluice.service").replace("/usr/bin/sluice", "/bin/true"))

    def tearDown(self):
        self.directory.cleanup()

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments, self.unit], capture_output=True,
                              text=True, check=False)

    def test_unit_is_well_formed(self):
        done = self.analyze("verify")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_exposure_is_as_documented(self):
        done = self.analyze("security", "--offline=yes")
        level = re.search(r"exposure level for sluice.service: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(level, done.stdout + done.stderr)
        self.assertIn(f"gives {level[1]})", read("docs", "service.md").replace("\n", " "))

    def test_io_uring_is_allowed(self):
        calls = " ".join(re.findall(r"^SystemCallFilter=([^~].*)$", read("packaging", "sluice.service"),
                                    re.MULTILINE)).split()
        for call in ("@system-service", "io_uring_setup", "io_uring_enter", "io_uring_register"):
            self.assertIn(call, calls)


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        print("systemd-analyze is not there")
        sys.exit(77)
    unittest.main(verbosity=2)
