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

# What the fills draw from. The products of the first are beyond what Lua's numbers hold: its text is
# one of 84 KB, over and over. The figures of reading were made with it; for the sizes of archives it
# is of no use.
_CYCLING = """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local seed = from + 1
local FAR = 4102444800000 -- 2100-01-01 in ms
local function reseed(number) seed = number end
local function draw() seed = (seed * 1103515245 + 12345) % 2147483648 return seed end
local function text(n)
  local parts = {}
  for i = 1, math.ceil(n / 8) do parts[i] = string.format('%08x', draw() * 2 % 4294967296) end
  return string.sub(table.concat(parts), 1, n)
end
"""
_VARIED_TEXT = """
local reseed = math.randomseed -- drand48 in every server, whatever the machine
local function draw() return math.random(0, 2147483646) end
local function text(n)
  local parts = {}
  for i = 1, math.ceil(n / 6) do parts[i] = string.format('%06x', math.random(0, 16777215)) end
  return string.sub(table.concat(parts), 1, n)
end
"""
_VARIED = _VARIED_TEXT + """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local FAR = 4102444800000 -- 2100-01-01 in ms
reseed(from + 1)
"""

# About half of it small strings, the rest collections of a few elements.
_SMALL = """
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
_SHAPES = """
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
  reseed(i + 1)
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

# Each of KEYS, of whatever type, gets a new value of like size: a string another text (a number
# another number), a collection another value for one of its elements, the middle one in the order of
# their bytes or ranks. A stream gets a new entry for its oldest. ARGV[1] seeds what is new.
_CHANGE = _VARIED_TEXT + """
local function like(old)
  if string.match(old, '^%d+$') then return tostring(draw() % 10 ^ math.min(#old, 9)) end
  return text(#old)
end
local function middle(elements)
  table.sort(elements)
  return elements[math.ceil(#elements / 2)]
end
local change = {
  string = function(key) redis.call('SET', key, like(redis.call('GET', key)), 'KEEPTTL') end,
  list = function(key)
    local at = math.floor(redis.call('LLEN', key) / 2)
    redis.call('LSET', key, at, like(redis.call('LINDEX', key, at)))
  end,
  hash = function(key)
    local field = middle(redis.call('HKEYS', key))
    redis.call('HSET', key, field, like(redis.call('HGET', key, field)))
  end,
  set = function(key)
    local member = middle(redis.call('SMEMBERS', key))
    redis.call('SREM', key, member)
    redis.call('SADD', key, like(member))
  end,
  zset = function(key)
    local at = math.floor(redis.call('ZCARD', key) / 2)
    local old = redis.call('ZRANGE', key, at, at, 'WITHSCORES')
    redis.call('ZREM', key, old[1])
    redis.call('ZADD', key, old[2], like(old[1]))
  end,
  stream = function(key)
    local old = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1][2]
    for i = 2, #old, 2 do old[i] = like(old[i]) end
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1][1]
    local id = string.format('%d-1', tonumber(string.match(last, '^%d+')) + 1)
    redis.call('XADD', key, 'MAXLEN', redis.call('XLEN', key), id, unpack(old))
  end,
}
for i, key in ipairs(KEYS) do
  reseed(ARGV[1] + i)
  change[redis.call('TYPE', key).ok](key)
end
"""

# Puts each of KEYS back as it was, with an idle time of up to a week, in seconds, and a frequency.
_ACCESSED = """
math.randomseed(ARGV[2])
for _, key in ipairs(KEYS) do
  local range = ARGV[1] == 'IDLETIME' and 7 * 86400 or 256
  local when = redis.call('PEXPIRETIME', key)
  redis.call('RESTORE', key, math.max(when, 0), redis.call('DUMP', key), 'REPLACE', 'ABSTTL',
             ARGV[1], math.random(0, range - 1))
end
"""

_VALUE_BYTES = 400


def _evaluate(client, script, count, step):
    for begin in range(0, count, step):
        client.call('EVAL', script, 0, begin, min(begin + step, count) - 1)


def fill_small(client, keys, numbers=_CYCLING):
    """`keys` small keys of six types: about 300 bytes of RDB each."""
    _evaluate(client, numbers + _SMALL, keys, 5000)


def fill_mixed(client, keys, numbers=_CYCLING):
    """Nine of ten keys as `fill_small`, the tenth of every shape: about 370 bytes of RDB each."""
    shapes = max(1, keys // 10 // _SHAPES_KEYS)
    fill_small(client, keys - shapes * _SHAPES_KEYS, numbers)
    _evaluate(client, numbers + _SHAPES, shapes, 20)


def fill_varied_small(client, keys):
    """As `fill_small`, and no text twice."""
    fill_small(client, keys, _VARIED)


def fill_varied_mixed(client, keys):
    """As `fill_mixed`, and no text twice."""
    fill_mixed(client, keys, _VARIED)


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


def names(client):
    """Every key of database 0, in the order of their bytes."""
    out, cursor = set(), b'0'
    while True:
        cursor, page = client.call('SCAN', cursor, 'COUNT', 10_000)
        out.update(page)
        if cursor == b'0':
            return sorted(out)


def _on_keys(client, script, keys, *args):
    """Runs a script on a thousand keys at a time; its last argument is a seed of each batch, a
    thousand more than that of the batch before."""
    for begin in range(0, len(keys), 1000):
        batch = keys[begin:begin + 1000]
        client.call('EVAL', script, len(batch), *batch, *args, (1 << 30) + begin)


def change(client, keys):
    """Gives each of these keys another value of like size; of a collection, one element."""
    _on_keys(client, _CHANGE, keys)


def set_accessed(client, keys, what):
    """Spreads when keys were last used (IDLETIME: over a week) or how often (FREQ)."""
    _on_keys(client, _ACCESSED, keys, what)


def read(client, keys):
    """Makes these keys used just now."""
    for begin in range(0, len(keys), 1000):
        client.call('TOUCH', *keys[begin:begin + 1000])


FILLS = {'small': fill_small, 'mixed': fill_mixed, 'strings': fill_strings,
         'varied-small': fill_varied_small, 'varied-mixed': fill_varied_mixed}


def make_file(path, data, keys, server_name):
    """Writes the RDB file of one of FILLS, as that server saves it."""
    with servers.Server(server_name) as server:
        with server.client(timeout=600) as client:
            FILLS[data](client, keys)
        partial = f'{path}.partial'
        server.save(partial)
        os.replace(partial, path)
