"""The data sets of the benchmarks: filled into a real server, the same keys and values every time.

What no client can choose differs between two runs: the order of hash tables, the times at which a
stream consumer was seen.
"""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests' / 'integration'))

import servers  # noqa: E402

_COMMON = """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local seed = from + 1
local FAR = 4102444800000 -- 2100-01-01 in ms
local function draw() seed = (seed * 1103515245 + 12345) % 2147483648 return seed end
local function text(n)
  local parts = {}
  for i = 1, math.ceil(n / 8) do parts[i] = string.format('%08x', draw() * 2 % 4294967296) end
  return string.sub(table.concat(parts), 1, n)
end
"""

# About half of it small strings, the rest collections of a few elements.
_SMALL = _COMMON + """
for i = from, to do
  local kind = i % 20
  if kind < 12 then redis.call('SET', 'user:' .. i .. ':profile', text(200 + draw() % 400))
  elseif kind < 14 then
    redis.call('SET', 'session:' .. i, text(120))
    redis.call('PEXPIREAT', 'session:' .. i, FAR + i)
  elseif kind < 16 then redis.call('HSET', 'cart:' .. i, 'a', text(40), 'b', text(40), 'n', i)
  elseif kind == 16 then redis.call('RPUSH', 'log:' .. i, text(60), text(60), text(60))
  elseif kind == 17 then redis.call('SADD', 'tags:' .. i, i, i * 7, i * 13)
  elseif kind == 18 then redis.call('ZADD', 'rank:' .. i, i, text(16), i * 2, text(16))
  else redis.call('XADD', 'events:' .. i, '1-1', 'f', text(80)) end
end
"""

# A hundred keys for each i: what compresses, what is too large for the compact encodings, intsets.
_SHAPES_KEYS = 100
_SHAPES = _COMMON + """
local function repeated(command, key, count, element)
  local batch = {}
  for j = 1, count do
    for _, part in ipairs({element(j)}) do batch[#batch + 1] = part end
    if j % 100 == 0 or j == count then
      redis.call(command, key, unpack(batch))
      batch = {}
    end
  end
end
local function document(id)
  local items = {}
  for j = 1, 8 do
    items[j] = '{"sku":"' .. text(8) .. '","quantity":' .. draw() % 10 .. ',"price":'
      .. draw() % 10000 .. ',"currency":"EUR","discount":null,"shipped":false}'
  end
  return '{"order":' .. id .. ',"customer":"' .. text(12) .. '","items":['
    .. table.concat(items, ',') .. ']}'
end
for i = from, to do
  seed = i + 1
  for j = 1, 40 do redis.call('SET', 'order:' .. i .. ':' .. j, document(i * 40 + j)) end
  for j = 1, 13 do
    local key = 'counter:' .. i .. ':' .. j
    redis.call('SET', key, draw() % 10 ^ (j % 9 + 1))
    redis.call('PEXPIREAT', key, FAR + draw())
  end
  for j = 1, 10 do
    repeated('SADD', 'friends:' .. i .. ':' .. j, 5, function() return text(12) end)
    repeated('HSET', 'page:' .. i .. ':' .. j, 6, function(k) return 'part' .. k, text(100) end)
  end
  for j = 1, 20 do
    repeated('HSET', 'settings:' .. i .. ':' .. j, 12,
             function(k) return 'option:' .. k, draw() % 2 == 0 and 'enabled' or 'disabled' end)
  end
  repeated('HSET', 'table:' .. i, 600, function(k) return 'field:' .. k, text(30) end)
  repeated('SADD', 'members:' .. i, 600, function() return text(16) end)
  repeated('ZADD', 'scores:' .. i, 300, function() return draw() / 1000, text(16) end)
  repeated('SADD', 'ids:' .. i, 400, function(k) return draw() * 4096 + k end)
  repeated('RPUSH', 'queue:' .. i, i % 50 == 0 and 10000 or 100, function() return text(60) end)
  for k = 1, 200 do
    redis.call('XADD', 'stream:' .. i, k .. '-1', 'at', text(12), 'what', text(40))
  end
  redis.call('XGROUP', 'CREATE', 'stream:' .. i, 'readers', '0')
  redis.call('XREADGROUP', 'GROUP', 'readers', 'one', 'COUNT', 10, 'STREAMS', 'stream:' .. i, '>')
  redis.call('SET', 'token:' .. i, text(64))
end
"""

_VALUE_BYTES = 400


def _evaluate(client, script, count, step):
    for begin in range(0, count, step):
        client.call('EVAL', script, 0, begin, min(begin + step, count) - 1)


def fill_small(client, keys):
    """`keys` small keys of six types: about 300 bytes of RDB each."""
    _evaluate(client, _SMALL, keys, 5000)


def fill_mixed(client, keys):
    """Nine of ten keys as `fill_small`, the tenth of every shape: about 370 bytes of RDB each."""
    shapes = max(1, keys // 10 // _SHAPES_KEYS)
    fill_small(client, keys - shapes * _SHAPES_KEYS)
    _evaluate(client, _SHAPES, shapes, 20)


def fill_strings(client, keys):
    """`keys` strings of 400 printable bytes that are saved as they are."""
    client.call('CONFIG', 'SET', 'rdbcompression', 'no')
    letters = bytes(range(48, 112))
    noise = bytes(letters[b & 63] for b in random.Random(1).randbytes(8 << 20))
    for begin in range(0, keys, 10_000):
        batch = []
        for i in range(begin, min(keys, begin + 10_000)):
            at = i * 7919 % (len(noise) - _VALUE_BYTES)
            batch += (b'key:%08d' % i, noise[at:at + _VALUE_BYTES])
        client.call('MSET', *batch)


FILLS = {'mixed': fill_mixed, 'strings': fill_strings}


def make_file(path, data, keys, server_name):
    """Writes the RDB file of a data set, `mixed` or `strings`, as that server saves it."""
    with servers.Server(server_name) as server:
        with server.client(timeout=600) as client:
            FILLS[data](client, keys)
        partial = f'{path}.partial'
        server.save(partial)
        os.replace(partial, path)
