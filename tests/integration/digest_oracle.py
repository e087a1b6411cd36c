"""The dataset digest of docs/digest.md once more, from the JSON lines of the corpus. Shares no code
with sluice: what both get from one dataset is what the document says.

  digest_oracle.py FILE.jsonl[.gz]...
"""

import base64
import functools
import gzip
import json
import struct
import sys

import xxh3

TYPES = ('string', 'list', 'set', 'zset', 'hash', 'stream', 'module', 'array')
_WORD = (1 << 64) - 1
_ALL = (1 << 128) - 1


def node(kind, *words):
    """N(): a number."""
    low, high = xxh3.hash128(struct.pack(f'<{len(words) + 1}Q', kind,
                                         *(word & _WORD for word in words)))
    return high << 64 | low


@functools.lru_cache(maxsize=1 << 16)
def text(value):
    """T(): two words."""
    return xxh3.hash128(value)


def words(number):
    """A sum as two words."""
    return number & _WORD, number >> 64 & _WORD


def _bytes(value):
    return base64.b64decode(value['$base64']) if isinstance(value, dict) else value.encode()


def _id(value):
    ms, seq = value.split('-')
    return int(ms), int(seq)


def _score(value):
    return struct.unpack('<Q', struct.pack('<d', float(value) + 0.0))[0]


def _stream(value):
    entries = groups = 0
    for name, flat in value['entries']:
        pairs = sum(node(9, i, *text(_bytes(flat[2 * i])), *text(_bytes(flat[2 * i + 1])))
                    for i in range(len(flat) // 2))
        entries += node(8, *_id(name), *words(pairs))
    for group in value['groups']:
        pending = 0
        owned = [(_bytes(consumer['name']), []) for consumer in group['consumers']]
        for name, consumer, time_ms, count in group['pending']:
            pending += node(11, *_id(name), time_ms, count)
            dict(owned)[_bytes(consumer)].append(name)
        consumers = sum(node(12, *text(name), *words(sum(node(13, *_id(i)) for i in ids)))
                        for name, ids in owned)
        read = -1 if group['entries_read'] is None else group['entries_read']
        groups += node(10, *text(_bytes(group['name'])), *_id(group['last_id']), read,
                       *words(pending), *words(consumers), 0, 0)
    return words(node(7, *words(entries), value['length'], *_id(value['last_id']),
                      *_id(value['max_deleted_id']), value['entries_added'], *words(groups), 0, 0))


def _value(kind, value):
    """V(): two words, but for the fields of a hash that expire."""
    if kind == 'string':
        return text(_bytes(value))
    if kind == 'list':
        return words(sum(node(3, i, *text(_bytes(element))) for i, element in enumerate(value)))
    if kind == 'set':
        return words(sum(node(4, *text(_bytes(member))) for member in value))
    if kind == 'zset':
        return words(sum(node(5, *text(_bytes(member)), _score(score)) for member, score in value))
    if kind == 'hash':
        return words(sum(node(6, *text(_bytes(f[0])), *text(_bytes(f[1])))
                         for f in value if len(f) == 2))
    return _stream(value)


def terms(record):
    """What one key adds."""
    kind, value, db = record['type'], record['value'], record['db']
    key = text(_bytes(record['key']))
    expiry = record.get('pexpireat')
    out = [node(1, db, TYPES.index(kind), -1 if expiry is None else expiry, *key,
                *_value(kind, value))]
    if kind == 'hash':
        out += [node(2, db, *key, *text(_bytes(f[0])), *text(_bytes(f[1])), f[2])
                for f in value if len(f) == 3]
    return out


def digest(records):
    return f's1:{sum(sum(terms(record)) for record in records) & _ALL:032x}'


def of_file(path):
    with (gzip.open if str(path).endswith('.gz') else open)(path, 'rb') as lines:
        return digest(map(json.loads, lines))


if __name__ == '__main__':
    for name in sys.argv[1:]:
        print(of_file(name), name)
