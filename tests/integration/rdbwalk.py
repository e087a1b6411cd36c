#!/usr/bin/env python3
"""Walks the frame of an RDB file: a second opinion for tests, written from the format description
and sharing nothing with sluice's own parser.

  rdbwalk.py FILE...     version, keys, keys that expire, type numbers and checksum of each

It finds the border of every key and checks the CRC; it does not look into values. Unlike a server
it counts keys that have expired, and needs no modules.
"""

import collections
import dataclasses
import struct
import sys

_POLY = 0x95AC9329AC4BC9B5


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (_POLY if n & 1 else 0)
        table.append(n)
    return table


_TABLE = _crc_table()


def crc64(data):
    """CRC-64/Jones as in RDB files."""
    crc = 0
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc


class Malformed(Exception):
    """The file cannot be walked; `offset` is where."""

    def __init__(self, offset, what):
        super().__init__(f'at {offset}: {what}')
        self.offset = offset


@dataclasses.dataclass
class Walk:
    """What a file contains."""

    magic: str = ''
    version: int = 0
    keys: int = 0
    expiring: int = 0
    types: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    databases: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    aux: dict = dataclasses.field(default_factory=dict)
    functions: int = 0
    crc: str = ''  # ok, mismatch or absent (switched off, or before version 5)
    trailing: int = 0  # bytes after the end


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Malformed(self.at, f'{size} bytes wanted, {len(self.data) - self.at} left')
        self.at += size
        return self.data[self.at - size:self.at]

    def byte(self):
        return self.take(1)[0]

    def length(self):
        """A plain length; the encoded forms are for strings only."""
        start = self.at
        value, encoded = self.length_or_encoding()
        if encoded:
            raise Malformed(start, 'encoded string where a length must be')
        return value

    def length_or_encoding(self):
        start = self.at
        first = self.byte()
        if first < 0x40:
            return first, False
        if first < 0x80:
            return (first & 0x3F) << 8 | self.byte(), False
        if first == 0x80:
            return struct.unpack('>I', self.take(4))[0], False
        if first == 0x81:
            return struct.unpack('>Q', self.take(8))[0], False
        if first >= 0xC0:
            return first & 0x3F, True
        raise Malformed(start, f'length byte {first:#x}')

    def string(self):
        """Steps over a string; returns its bytes as stored (compressed ones stay so)."""
        start = self.at
        value, encoded = self.length_or_encoding()
        if not encoded:
            return self.take(value)
        if value in (0, 1, 2):
            size = 1 << value
            return str(int.from_bytes(self.take(size), 'little', signed=True)).encode()
        if value == 3:
            packed = self.length()
            self.length()
            return self.take(packed)
        raise Malformed(start, f'string encoding {value}')

    def strings(self, count):
        for _ in range(count):
            self.string()

    def module(self):
        """The parts of a module value, to its end mark."""
        while True:
            start = self.at
            kind = self.length()
            if kind == 0:
                return
            if kind in (1, 2):
                self.length()
            elif kind == 3:
                self.take(4)
            elif kind == 4:
                self.take(8)
            elif kind == 5:
                self.string()
            else:
                raise Malformed(start, f'module part {kind}')

    def value(self, kind, valkey):
        """Steps over one value; False when the object type is unknown."""
        if kind in (0, 9, 10, 11, 12, 13, 16, 17, 20):
            self.string()
        elif kind in (1, 2, 14):
            self.strings(self.length())
        elif kind == 3:
            for _ in range(self.length()):
                self.string()
                size = self.byte()
                if size < 253:
                    self.take(size)
        elif kind == 4:
            self.strings(2 * self.length())
        elif kind == 5:
            for _ in range(self.length()):
                self.string()
                self.take(8)
        elif kind == 7:
            self.length()
            self.module()
        elif kind == 18:
            for _ in range(self.length()):
                self.length()
                self.string()
        elif kind in (15, 19, 21, 26):
            self.stream(kind)
        elif kind == 22 and valkey:
            for _ in range(self.length()):
                self.strings(2)
                self.take(8)
        elif kind == 24 and not valkey:
            self.take(8)
            for _ in range(self.length()):
                self.length()
                self.strings(2)
        elif kind == 25 and not valkey:
            self.take(8)
            self.string()
        else:
            return False
        return True

    def stream(self, kind):
        self.strings(2 * self.length())
        for _ in range(3 if kind == 15 else 8):  # length, ids, (first, deleted, added)
            self.length()
        for _ in range(self.length()):
            self.string()
            for _ in range(2 if kind == 15 else 3):
                self.length()
            for _ in range(self.length()):
                self.take(16 + 8)
                self.length()
            for _ in range(self.length()):
                self.string()
                self.take(8 if kind < 21 else 16)
                self.take(16 * self.length())
        if kind == 26:
            self.length()
            self.length()
            for _ in range(self.length()):
                self.string()
                for _ in range(self.length()):
                    self.string()
                    self.length()
                    self.length()
            self.length()
            self.length()


def walk(data):
    """Walks a whole dump; raises Malformed."""
    r = _Reader(data)
    out = Walk()
    head = bytes(r.take(9))
    for magic in (b'REDIS', b'VALKEY'):
        if head.startswith(magic) and head[len(magic):].isdigit():
            out.magic, out.version = magic.decode(), int(head[len(magic):])
            break
    else:
        raise Malformed(0, f'magic {head!r}')
    db = 0
    expires = False
    while True:
        start = r.at
        opcode = r.byte()
        if opcode == 255:
            break
        if opcode == 254:
            db = r.length()
        elif opcode in (252, 253):
            expires = True
            r.take(8 if opcode == 252 else 4)
        elif opcode == 251:
            r.length()
            r.length()
        elif opcode == 250:
            key = bytes(r.string()).decode(errors='replace')
            out.aux[key] = bytes(r.string())
        elif opcode == 249:
            r.take(1)
        elif opcode == 248:
            r.length()
        elif opcode == 247:
            r.length()
            r.module()
        elif opcode == 245:
            r.string()
            out.functions += 1
        elif opcode == 244 and out.magic == 'REDIS':
            for _ in range(3):
                r.length()
        elif opcode > 240:
            raise Malformed(start, f'opcode {opcode}')
        else:
            r.string()
            if not r.value(opcode, out.magic == 'VALKEY'):
                raise Malformed(start, f'object type {opcode}')
            out.keys += 1
            out.expiring += expires
            out.types[opcode] += 1
            out.databases[db] += 1
            expires = False
    out.crc = _checksum(r, out.version)
    out.trailing = len(data) - r.at
    return out


def _checksum(r, version):
    if version < 5:
        return 'absent'
    covered = r.data[:r.at]
    stored = struct.unpack('<Q', r.take(8))[0]
    if stored == 0:
        return 'absent'
    return 'ok' if stored == crc64(covered) else 'mismatch'


def main():
    for name in sys.argv[1:]:
        with open(name, 'rb') as f:
            try:
                w = walk(f.read())
            except Malformed as e:
                print(f'{name}: {e}')
                continue
        types = ' '.join(f'{t}:{n}' for t, n in sorted(w.types.items()))
        print(f'{name}: {w.magic} {w.version} keys={w.keys} expiring={w.expiring} crc={w.crc} '
              f'trailing={w.trailing} functions={w.functions} types={types}')


if __name__ == '__main__':
    main()
