"""XXH3, 128 bits, without a seed, in plain Python: slow, and shares nothing with the library."""

_SECRET = bytes.fromhex(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578'
    '825ad07dccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea3'
    '71644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931'
    'c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e'
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e')
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P1, _P2, _P3, _P4, _P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                           0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_MASK = (1 << 64) - 1


def _u64(data, at):
    return int.from_bytes(data[at:at + 8], 'little')


def _u32(data, at):
    return int.from_bytes(data[at:at + 4], 'little')


def _swap64(x):
    return int.from_bytes(x.to_bytes(8, 'little'), 'big')


def _fold(a, b):
    product = a * b
    return (product ^ product >> 64) & _MASK


def _avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & _MASK
    return h ^ h >> 32


def _avalanche64(h):
    h ^= h >> 33
    h = h * _P2 & _MASK
    h ^= h >> 29
    h = h * _P3 & _MASK
    return h ^ h >> 32


def _mix16(data, at, secret):
    return _fold(_u64(data, at) ^ _u64(_SECRET, secret),
                 _u64(data, at + 8) ^ _u64(_SECRET, secret + 8))


def _mix32(low, high, data, one, two, secret):
    low = ((low + _mix16(data, one, secret)) & _MASK) \
        ^ ((_u64(data, two) + _u64(data, two + 8)) & _MASK)
    high = ((high + _mix16(data, two, secret + 16)) & _MASK) \
        ^ ((_u64(data, one) + _u64(data, one + 8)) & _MASK)
    return low, high


def _up_to_3(data):
    size = len(data)
    one = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
    two = int.from_bytes(one.to_bytes(4, 'little'), 'big')
    two = (two << 13 | two >> 19) & 0xFFFFFFFF
    return (_avalanche64(one ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4)),
            _avalanche64(two ^ _u32(_SECRET, 8) ^ _u32(_SECRET, 12)))


def _up_to_8(data):
    size = len(data)
    keyed = (_u32(data, 0) | _u32(data, size - 4) << 32) ^ _u64(_SECRET, 16) ^ _u64(_SECRET, 24)
    product = keyed * (_P1 + (size << 2))
    low, high = product & _MASK, product >> 64
    high = (high + (low << 1)) & _MASK
    low ^= high >> 3
    low ^= low >> 35
    low = low * 0x9FB21C651E98DF25 & _MASK
    return low ^ low >> 28, _avalanche(high)


def _up_to_16(data):
    size = len(data)
    low, high = _u64(data, 0), _u64(data, size - 8)
    product = (low ^ high ^ _u64(_SECRET, 32) ^ _u64(_SECRET, 40)) * _P1
    first, second = (product + ((size - 1) << 54)) & _MASK, product >> 64
    high ^= _u64(_SECRET, 48) ^ _u64(_SECRET, 56)
    second = (second + high + (high & 0xFFFFFFFF) * (_P32_2 - 1)) & _MASK
    product = (first ^ _swap64(second)) * _P2
    return (_avalanche(product & _MASK), _avalanche((product >> 64) + second * _P2 & _MASK))


def _end_middle(low, high, size):
    return (_avalanche((low + high) & _MASK),
            -_avalanche((low * _P1 + high * _P4 + size * _P2) & _MASK) & _MASK)


def _up_to_128(data):
    size = len(data)
    low, high = size * _P1 & _MASK, 0
    for step in range((size - 1) // 32, -1, -1):
        low, high = _mix32(low, high, data, 16 * step, size - 16 * (step + 1), 32 * step)
    return _end_middle(low, high, size)


def _up_to_240(data):
    size = len(data)
    low, high = size * _P1 & _MASK, 0
    for step in range(size // 32):
        if step == 4:
            low, high = _avalanche(low), _avalanche(high)
        secret = 32 * step if step < 4 else 3 + 32 * (step - 4)
        low, high = _mix32(low, high, data, 32 * step, 32 * step + 16, secret)
    if size // 32 == 4:
        low, high = _avalanche(low), _avalanche(high)
    low, high = _mix32(low, high, data, size - 16, size - 32, 103)
    return _end_middle(low, high, size)


def _stripe(lanes, data, at, secret):
    for i in range(8):
        value = _u64(data, at + 8 * i)
        key = value ^ _u64(_SECRET, secret + 8 * i)
        lanes[i ^ 1] = (lanes[i ^ 1] + value) & _MASK
        lanes[i] = (lanes[i] + (key & 0xFFFFFFFF) * (key >> 32)) & _MASK


def _scramble(lanes):
    for i in range(8):
        lane = lanes[i] ^ lanes[i] >> 47 ^ _u64(_SECRET, 128 + 8 * i)
        lanes[i] = lane * _P32_1 & _MASK


def _merge(lanes, secret, start):
    for i in range(4):
        start += _fold(lanes[2 * i] ^ _u64(_SECRET, secret + 16 * i),
                       lanes[2 * i + 1] ^ _u64(_SECRET, secret + 16 * i + 8))
    return _avalanche(start & _MASK)


def _long(data):
    size = len(data)
    lanes = [_P32_3, _P1, _P2, _P3, _P4, _P32_2, _P5, _P32_1]
    for stripe in range((size - 1) // 64):
        if stripe and stripe % 16 == 0:
            _scramble(lanes)
        _stripe(lanes, data, 64 * stripe, 8 * (stripe % 16))
    if (size - 1) // 64 and (size - 1) // 64 % 16 == 0:
        _scramble(lanes)
    _stripe(lanes, data, size - 64, 121)
    return (_merge(lanes, 11, size * _P1 & _MASK),
            _merge(lanes, 117, ~(size * _P2) & _MASK))


def hash128(data):
    """(low, high): the two halves, as numbers."""
    size = len(data)
    if size > 240:
        return _long(data)
    if size > 128:
        return _up_to_240(data)
    if size > 16:
        return _up_to_128(data)
    if size > 8:
        return _up_to_16(data)
    if size >= 4:
        return _up_to_8(data)
    if size > 0:
        return _up_to_3(data)
    return (_avalanche64(_u64(_SECRET, 64) ^ _u64(_SECRET, 72)),
            _avalanche64(_u64(_SECRET, 80) ^ _u64(_SECRET, 88)))
