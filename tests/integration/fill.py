#!/usr/bin/env python3
"""Fills a server with the same data every time: every type and encoding that it has.

  fill.py --port N [--host H] [--password P] [--seed S] [--scale X]    prints the counts as JSON

The server should be empty; databases 0, 1, 7 and 15 are used, and all settings that are changed on
the way are set back. Everything that expires does so after the year 2100. Data depend on seed,
scale and server alone, except for what no client can set: the times a stream consumer was seen.
Servers get the same data as far as they have the types and commands for it, and those are asked
from the server.
"""

import argparse
import collections
import contextlib
import json
import random
import struct

import resp

FAR = 4_102_444_800_000  # 2100-01-01 in ms
_PLAIN_KEYS = 2500  # per unit of scale
_INT_BORDER_BITS = (0, 3, 6, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 31, 32, 47, 48, 61, 62, 63)
_INT_BORDERS = sorted({sign * (1 << bits) + off
                       for bits in _INT_BORDER_BITS for sign in (1, -1) for off in (-1, 0, 1)
                       if -(1 << 63) <= sign * (1 << bits) + off < 1 << 63} | {0})


def fill(client, flavor, version, seed=1, scale=1):
    """Fills the server; returns how many keys there are of each type, {'string': n, ...}.

    client: a resp.Client; it is left on database 0. flavor: 'redis' or 'valkey'. version: a tuple
    of int or dotted text. scale multiplies the number of plain keys (1: about 3300 keys in all).
    """
    if flavor not in ('redis', 'valkey'):
        raise ValueError(f'flavor is {flavor!r}')
    if isinstance(version, str):
        version = tuple(int(x) for x in version.split('.'))
    f = _Filler(client, version, seed)
    for db in (0, 1, 7, 15):
        client.call('SELECT', db)
        f.small_database(db)
    client.call('SELECT', 0)
    for section in (f.names, f.strings, f.lists, f.sets, f.zsets, f.hashes, f.field_expiry,
                    f.streams, f.idempotent_stream, f.sketches, f.vectors, f.expiries, f.functions):
        f.random = random.Random(f'{seed}/{section.__name__}')
        section()
    f.random = random.Random(f'{seed}/plain')
    f.plain(int(_PLAIN_KEYS * scale))
    return counts(client)


def counts(client):
    """Keys by type over all databases, asked from the server. Leaves the client on database 0."""
    total = collections.Counter()
    for db in client.keyspace():
        client.call('SELECT', db)
        cursor = b'0'
        while True:
            cursor, keys = client.call('SCAN', cursor, 'COUNT', 1000)
            total.update(client.pipeline(('TYPE', key) for key in keys))
            if cursor == b'0':
                break
    client.call('SELECT', 0)
    return dict(sorted(total.items()))


class _Filler:
    def __init__(self, client, version, seed):
        self.client = client
        self.version = version
        self.random = random.Random(f'{seed}/small')

    # Tools.

    def send(self, commands):
        return self.client.pipeline(commands)

    def has(self, command):
        """Whether the server knows a command."""
        return bool(self.client.call('COMMAND', 'INFO', command)[0])

    @contextlib.contextmanager
    def settings(self, **wanted):
        """CONFIG SET for a while; names that the server does not know are left out."""
        wanted = {name.replace('_', '-'): value for name, value in wanted.items()}
        # All are read before any is set: some are two names of one setting.
        before = {name: self.client.config(name) for name in wanted}
        before = {name: old for name, old in before.items() if old is not None}
        for name in before:
            self.client.config(name, wanted[name])
        try:
            yield
        finally:
            for name, value in before.items():
                self.client.config(name, value)

    def blob(self, size):
        """Bytes that do not compress."""
        return self.random.randbytes(size)

    def words(self, size):
        """Text that compresses."""
        vocabulary = ('sluice', 'gate', 'water', 'lock', 'level', 'basin', 'river', '0', 'canal')
        out = []
        length = 0
        while length < size:
            out.append(self.random.choice(vocabulary))
            length += len(out[-1]) + 1
        return ' '.join(out)[:size]

    def element(self, index):
        """A varied element: integers of all widths, text, binary; unique by index."""
        kind = index % 6
        if kind == 0:
            return index
        if kind == 1:
            return -index * 7919 ** (index % 4)
        if kind == 2:
            return f'member:{index}'
        if kind == 3:
            return b'\x00\xff' + struct.pack('<I', index) + b'\r\n'
        if kind == 4:
            return index << 33
        return f'{index}:' + 'x' * (index % 50)

    # Sections. Keys are named type:what.

    def small_database(self, db):
        """A few keys in each of the four databases; the same key names with other values."""
        commands = []
        for i in range(20):
            commands.append(('SET', f'same:{i}', f'{db}/{i}'))
            commands.append(('SET', f'only:{db}:{i}', self.blob(i)))
        commands += [('RPUSH', 'same:list', db, 'a', 'b'), ('SADD', 'same:set', db, 1, 2),
                     ('HSET', 'same:hash', 'db', db), ('ZADD', 'same:zset', db, 'm'),
                     ('XADD', 'same:stream', f'{db + 1}-1', 'db', db),
                     ('PEXPIREAT', 'same:0', FAR + db), ('PEXPIREAT', 'same:hash', FAR + 1000 + db)]
        self.send(commands)

    def names(self):
        """Key names: every byte, empty, integers, long and compressible, long and not."""
        commands = [('SET', bytes([b]), b) for b in range(256)]
        commands += [('SET', b'all:' + bytes(range(256)), 'all bytes'), ('SET', b'', 'empty name'),
                     ('SET', b'\xc3\x28 not utf-8', 'x'), ('SET', 'a\r\nb\r\n', 'lines'),
                     ('SET', 'na\u00efve \u6c34 \U0001f30a', 'utf-8'),
                     ('SET', '"quoted\\"', 'q'), ('SET', '{tag}x', 't')]
        commands += [('SET', n, 'integer name') for n in (
            -1, 127, 128, -129, 32768, 2147483647, 2147483648, -2147483649, 9999999999, '007')]
        commands += [('SET', 'r' * n, n) for n in (20, 21, 63, 64, 100, 16383, 16384, 70000)]
        commands += [('RPUSH', 'long:' + 'ab' * 30 + str(n), n) for n in range(10)]
        commands += [('HSET', b'random:' + self.blob(n), 'n', n) for n in (21, 64, 300)]
        self.send(commands)

    def strings(self):
        commands = [('SET', f'string:int:{n}', n) for n in _INT_BORDERS]
        commands += [('SET', f'string:likeint:{i}', text) for i, text in enumerate((
            '007', '+1', '-0', ' 1', '1 ', '1e5', '0x10', '18446744073709551615',
            '-9223372036854775809', '00000000000', '-', '1.0', '12345678901', '123456789012'))]
        commands += [('SET', 'string:empty', ''), ('SET', 'string:bytes', bytes(range(256)) * 3),
                     ('SET', 'string:crlf', '\r\n$5\r\n'), ('SET', 'string:zeros', bytes(5000))]
        for size in (1, 19, 20, 21, 22, 44, 45, 63, 64, 255, 256, 4096, 16383, 16384, 32769):
            commands += [('SET', f'string:random:{size}', self.blob(size)),
                         ('SET', f'string:words:{size}', self.words(size)),
                         ('SET', f'string:same:{size}', b'a' * size)]
        commands += [('SET', 'string:random:100k', self.blob(100 << 10)),
                     ('SET', 'string:words:100k', self.words(100 << 10)),
                     ('APPEND', 'string:appended', 'ab'), ('APPEND', 'string:appended', 'cd'),
                     ('SETRANGE', 'string:range', 30, 'tail')]
        self.send(commands)

    def lists(self):
        send = self.send
        send([('RPUSH', 'list:one', ''), ('RPUSH', 'list:ints', *_INT_BORDERS),
              ('RPUSH', 'list:small', *(self.element(i) for i in range(20))),
              ('RPUSH', 'list:lengths', *(self.blob(n) for n in (
                  0, 1, 62, 63, 64, 126, 127, 4094, 4095, 4096, 7000)))])
        send(('RPUSH', 'list:many', *(self.element(i) for i in range(n, n + 100)))
             for n in range(0, 5000, 100))
        with self.settings(list_max_listpack_size=8, list_max_ziplist_size=8):
            send(('RPUSH', 'list:nodes', self.element(i)) for i in range(300))
        for depth in (1, 2):
            with self.settings(list_compress_depth=depth, list_max_listpack_size=16,
                               list_max_ziplist_size=16):
                send(('RPUSH', f'list:compressed:{depth}', self.words(100)) for _ in range(200))
                send(('RPUSH', f'list:incompressible:{depth}', self.blob(60)) for _ in range(100))
        # Plain nodes hold one large element each; 7.0 makes them only above a threshold of its own.
        send([('RPUSH', 'list:large', 'a', self.blob(9000), 'b', self.words(20000),
               self.words(9000), 3)])
        if self._packed_threshold('2000b'):
            for depth in (0, 1):
                with self.settings(list_compress_depth=depth):
                    send([('RPUSH', f'list:plain:{depth}', 'head', self.words(3000),
                           self.blob(2500), self.words(5000), 'x', 'y', self.words(2001), 'tail')])
            self._packed_threshold('0')

    def _packed_threshold(self, size):
        try:
            self.client.call('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', size)
            return True
        except resp.ReplyError:
            return False

    def sets(self):
        commands = [('SADD', 'set:int16', *range(-300, 3000, 17), -32768, 32767),
                    ('SADD', 'set:int32', 1, -32769, 32768, 2147483647, -2147483648),
                    ('SADD', 'set:int64', 1, 2147483648, -2147483649, (1 << 63) - 1, -(1 << 63)),
                    ('SADD', 'set:intborders', *_INT_BORDERS),
                    ('SADD', 'set:one', ''),
                    ('SADD', 'set:small', *(self.element(i) for i in range(40))),
                    ('SADD', 'set:mixed', 1, 2, 3, 'three', b'\xff\xfe', ''),
                    ('SADD', 'set:longmember', 'x' * 65, 'y', self.blob(5000))]
        commands += [('SADD', 'set:ints:many', *range(n, n + 100)) for n in range(0, 2000, 100)]
        commands += [('SADD', 'set:many', *(self.element(i) for i in range(n, n + 100)))
                     for n in range(0, 3000, 100)]
        self.send(commands)

    def zsets(self):
        scores = ['0', '-0.0', '1', '-1', '0.1', '3.141592653589793', '1e-300', '5e-324', '-5e-324',
                  '1.7976931348623157e308', '-1.7976931348623157e308', 'inf', '-inf', '1e21',
                  '9007199254740993', '4611686018427387904', '-4611686018427387904',
                  '9223372036854775807', '0.30000000000000004', '2.2250738585072014e-308']
        pairs = [x for i, s in enumerate(scores) for x in (s, f'm{i}')]
        commands = [('ZADD', 'zset:scores', *pairs), ('ZADD', 'zset:one', 1, ''),
                    ('ZADD', 'zset:samescore', *(x for i in range(50)
                                                 for x in (7, self.element(i)))),
                    ('ZADD', 'zset:longmember', 1, 'x' * 65, 2, self.blob(3000)),
                    ('ZADD', 'zset:borders', *(x for n in _INT_BORDERS for x in (n, n)))]
        # The same scores added to a skiplist, which unlike a listpack keeps -0.0 apart from 0.
        commands += [('ZADD', 'zset:scores:many', i / 3, f'f{i}') for i in range(400)]
        commands.append(('ZADD', 'zset:scores:many', *pairs))
        commands += [('ZADD', 'zset:many', *(x for i in range(n, n + 100) for x in (
            repr(self.random.uniform(-1e6, 1e6)), self.element(i)))) for n in range(0, 2000, 100)]
        self.send(commands)

    def hashes(self):
        commands = [('HSET', 'hash:one', '', ''),
                    ('HSET', 'hash:small', *(x for i in range(20)
                                             for x in (self.element(i), f'v{i}'))),
                    ('HSET', 'hash:ints', *(x for n in _INT_BORDERS for x in (n, -n))),
                    ('HSET', 'hash:longvalue', 'f', 'x' * 65, b'\x00', self.blob(2000)),
                    ('HSET', 'hash:words', *(x for i in range(30)
                                             for x in (f'field:{i}', 'same value')))]
        commands += [('HSET', 'hash:many', *(x for i in range(n, n + 100) for x in (
            self.element(i), self.words(i % 40)))) for n in range(0, 1500, 100)]
        self.send(commands)

    def field_expiry(self):
        """Fields that expire: Redis >= 7.4, Valkey >= 9."""
        if not self.has('HPEXPIREAT'):
            return
        commands = []
        for name, fields, volatile in (('one', 1, 1), ('small', 10, 4), ('all', 10, 10),
                                       ('large', 700, 300), ('large:all', 600, 600)):
            key = f'hash:ttl:{name}'
            commands.append(('HSET', key, *(x for i in range(fields) for x in (f'f{i}', f'v{i}'))))
            commands += [('HPEXPIREAT', key, FAR + 86_400_000 * i, 'FIELDS', 1, f'f{i}')
                         for i in range(volatile)]
        # Same time for many fields; times that are not whole seconds; a key that expires as well.
        names = [self.element(i) for i in range(30)]
        commands += [('HSET', 'hash:ttl:same', *(x for i, name in enumerate(names)
                                                 for x in (name, i))),
                     ('HPEXPIREAT', 'hash:ttl:same', FAR, 'FIELDS', len(names), *names),
                     ('HSET', 'hash:ttl:both', 'a', 1, 'b', 2, b'\xff\x00', b''),
                     ('HPEXPIREAT', 'hash:ttl:both', FAR + 1, 'FIELDS', 2, 'a', b'\xff\x00'),
                     ('PEXPIREAT', 'hash:ttl:both', FAR + 2),
                     ('HSET', 'hash:ttl:removed', 'a', 1, 'b', 2),
                     ('HPEXPIREAT', 'hash:ttl:removed', FAR, 'FIELDS', 2, 'a', 'b'),
                     ('HPERSIST', 'hash:ttl:removed', 'FIELDS', 2, 'a', 'b'),
                     ('HSET', 'hash:ttl:longvalue', 'a', self.blob(300), 'b', self.words(300)),
                     ('HPEXPIREAT', 'hash:ttl:longvalue', FAR + 999, 'FIELDS', 1, 'a')]
        self.send(commands)

    def streams(self):
        send = self.send
        send([('XADD', 'stream:one', '1-1', 'f', 'v'), ('XADD', 'stream:zero', '0-1', '', ''),
              ('XADD', 'stream:max', '18446744073709551615-18446744073709551614', 'f', 'v'),
              ('XGROUP', 'CREATE', 'stream:empty', 'g', '0', 'MKSTREAM'),
              ('XADD', 'stream:emptied', '5-5', 'f', 'v'), ('XDEL', 'stream:emptied', '5-5')])
        # Same fields, other fields, several entries in a millisecond, many nodes.
        for i in range(1000):
            fields = ('a', i, 'b', self.words(i % 30)) if i % 7 else (f'f{i}', self.element(i))
            send([('XADD', 'stream:many', f'{1000 + i // 3}-{i % 3 + 1}', *fields)])
        send([('XADD', 'stream:back', '10-9999', 'f', 1), ('XADD', 'stream:back', '11-1', 'f', 2),
              ('XADD', 'stream:large', '1-1', 'f', self.blob(6000), 'g', self.words(6000))])
        send(('XADD', 'stream:holes', f'{i}-0', 'n', i) for i in range(1, 301))
        send(('XDEL', 'stream:holes', f'{i}-0') for i in (1, 2, *range(5, 290, 3), 300))
        send(('XADD', 'stream:trimmed', f'{i}-0', 'n', i) for i in range(1, 301))
        send([('XTRIM', 'stream:trimmed', 'MAXLEN', '=', 33)])
        send([('XADD', 'stream:lastid', '1-1', 'f', 'v'), ('XSETID', 'stream:lastid', '99-9')])
        if self.version >= (7, 0):
            send([('XADD', 'stream:setid', '1-1', 'f', 'v'),
                  ('XSETID', 'stream:setid', '99-9', 'ENTRIESADDED', 50, 'MAXDELETEDID', '98-1')])
        self._groups()

    def _groups(self):
        send = self.send
        send(('XADD', 'stream:groups', f'{i}-1', 'n', i, 'text', self.words(20))
             for i in range(1, 201))
        send([('XGROUP', 'CREATE', 'stream:groups', group, start) for group, start in (
            ('all', '0'), ('middle', '100-1'), ('end', '$'), (b'bin\x00\xff', '0'), ('', '0'))])
        # XCLAIM ... TIME makes pending entries whose delivery time does not depend on the clock.
        for n, consumer in enumerate(('alice', 'bob', b'\xff\x00', '')):
            ids = [f'{i}-1' for i in range(1 + n, 120, 4)]
            send([('XCLAIM', 'stream:groups', 'all', consumer, 0, *ids,
                   'TIME', 1_600_000_000_000 + n, 'RETRYCOUNT', n + 1, 'FORCE', 'JUSTID',
                   'LASTID', '120-1')])
        send([('XCLAIM', 'stream:groups', 'middle', 'solo', 0, '100-1',
               'TIME', 1, 'RETRYCOUNT', 70000, 'FORCE', 'JUSTID'),
              # a consumer that asks for its pending entries and has none
              ('XREADGROUP', 'GROUP', 'end', 'idle', 'COUNT', 1, 'STREAMS', 'stream:groups', '0')])
        if self.version >= (6, 2):
            send([('XGROUP', 'CREATECONSUMER', 'stream:groups', 'all', 'never-read')])
        # Pending entries whose entry was deleted.
        send([('XDEL', 'stream:groups', '4-1', '5-1', '119-1')])

    def idempotent_stream(self):
        """Idempotent producers, Redis >= 8.6. Ids of entries are the server's; a last id in the far
        future makes them the same every time."""
        if not self.has('XCFGSET'):
            return
        key = 'stream:idempotent'
        self.send([('XADD', key, f'{FAR}-0', 'f', 'v'),
                   ('XCFGSET', key, 'IDMP-DURATION', 86400, 'IDMP-MAXSIZE', 50)])
        self.send(('XADD', key, 'IDMP', f'producer{i % 3}', f'id{i}', '*', 'n', i)
                  for i in range(40))
        self.send(('XADD', key, 'IDMP', 'producer0', 'id0', '*', 'n', 'again') for _ in range(3))
        self.send([('XADD', key, 'IDMPAUTO', b'auto\xff', '*', 'n', 1)])

    def sketches(self):
        """HyperLogLogs, bitmaps, geo sets: strings and a zset to the format."""
        commands = [('PFADD', 'hll:empty'), ('PFADD', 'hll:sparse', 'a', 'b', 'c')]
        commands += [('PFADD', 'hll:dense', *range(n, n + 500)) for n in range(0, 20000, 500)]
        commands += [('SETBIT', 'bitmap', bit, 1) for bit in (0, 7, 8, 1000, 99_999)]
        commands += [('GEOADD', 'geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669,
                      'Catania', -179.9, -85.0, 'edge', 0, 0, 'null')]
        self.send(commands)

    def vectors(self):
        """Vector sets: Redis >= 8.0, all quantisations, attributes, a projection."""
        if not self.has('VADD'):
            return

        def vector(dim):
            return [f'{self.random.uniform(-1, 1):.6f}' for _ in range(dim)]
        for name, dim, count, options in (('q8', 8, 60, ()), ('f32', 5, 40, ('NOQUANT',)),
                                          ('bin', 70, 40, ('BIN',)), ('one', 1, 1, ())):
            self.send(('VADD', f'vector:{name}', 'VALUES', dim, *vector(dim), f'item{i}', *options)
                      for i in range(count))
        self.send(('VADD', 'vector:attributes', 'VALUES', 4, *vector(4), f'item{i}', 'SETATTR',
                   json.dumps({'n': i, 'even': i % 2 == 0})) for i in range(10))
        self.send(('VADD', 'vector:reduced', 'REDUCE', 4, 'VALUES', 16, *vector(16),
                   b'\x00\xff%d' % i) for i in range(10))

    def expiries(self):
        """Keys of every type that expire; expiries at borders of what fits where."""
        make = (('SET', 'v'), ('RPUSH', 'a', 'b'), ('SADD', 'a', 1), ('ZADD', 1, 'a'),
                ('HSET', 'f', 'v'), ('XADD', '1-1', 'f', 'v'))
        commands = []
        for n in range(120):
            command, *values = make[n % len(make)]
            commands += [(command, f'expiry:{n}', *values),
                         ('PEXPIREAT', f'expiry:{n}', FAR + n * 997)]
        for n, at in enumerate((4294967296000, 4398046511104, 1 << 47, 9_007_199_254_740_993)):
            commands += [('SET', f'expiry:border:{n}', at), ('PEXPIREAT', f'expiry:border:{n}', at)]
        commands += [('SET', 'expiry:removed', 1, 'EX', 1000), ('PERSIST', 'expiry:removed')]
        self.send(commands)

    def functions(self):
        if not self.has('FUNCTION'):
            return
        for name in ('fill_one', 'fill_two'):
            body = (f"#!lua name={name}\n"
                    f"redis.register_function('{name}_f', function(keys, args)\n"
                    f"  -- {'comment ' * 40}\n  return '{name}'\nend)\n")
            self.client.call('FUNCTION', 'LOAD', 'REPLACE', body)

    def plain(self, number):
        """The bulk: what an ordinary dataset looks like."""
        def commands():
            r = self.random
            for i in range(number):
                kind = r.random()
                if kind < 0.5:
                    yield 'SET', f'session:{i:08d}', self.words(r.randrange(20, 300))
                elif kind < 0.65:
                    yield 'SET', f'counter:{i}', r.randrange(1 << r.randrange(1, 60))
                elif kind < 0.8:
                    yield ('HSET', f'user:{i}:profile', 'id', i, 'name', self.words(12), 'score',
                           r.randrange(10000), 'mail', f'user{i}@example.org')
                elif kind < 0.86:
                    count = r.randrange(1, 20)
                    yield 'RPUSH', f'queue:{i}', *(self.words(20) for _ in range(count))
                elif kind < 0.92:
                    count = r.randrange(1, 20)
                    yield 'SADD', f'tags:{i}', *(r.randrange(100000) for _ in range(count))
                else:
                    yield 'ZADD', f'rank:{i}', *(x for j in range(r.randrange(1, 15))
                                                for x in (r.randrange(1000), f'player{j}'))
                if kind < 0.1:
                    yield 'PEXPIREAT', f'session:{i:08d}', FAR + r.randrange(10 ** 10)
        self.send(commands())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--password')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--scale', type=float, default=1)
    args = parser.parse_args()
    with resp.Client(args.port, args.host, password=args.password) as client:
        about = client.info('server')
        flavor = 'valkey' if 'valkey_version' in about else 'redis'
        by_type = fill(client, flavor, about[f'{flavor}_version'], args.seed, args.scale)
        print(json.dumps({'keys': sum(by_type.values()), 'types': by_type,
                          'databases': client.keyspace()}))


if __name__ == '__main__':
    main()
