"""A scripted Redis: says to a replica whatever a test wants, and takes its time.

    with Fake(snapshot=counted(rdb([('k', b'v')]))) as fake:
        sluice backup fake.uri()
"""

import contextlib
import os
import socket
import struct
import threading

REPLID = 'f00d' * 10
MARK = b'E' * 40
_INFO = (b'# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:%s\r\n'
         b'# Replication\r\nrole:master\r\n# Persistence\r\nloading:0\r\n' % REPLID.encode())


def length(n):
    """A length as RDB encodes it."""
    if n < 64:
        return bytes([n])
    if n < 1 << 14:
        return bytes([0x40 | n >> 8, n & 0xff])
    return b'\x80' + struct.pack('>I', n)


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return length(len(data)) + data


def rdb_head(version=10):
    return b'REDIS%04d' % version + b'\xfa' + string('redis-ver') + string('7.0.15') + b'\xfe\x00'


def record(key, value, kind=0):
    return bytes([kind]) + string(key) + string(value)


def rdb(pairs, crc=bytes(8)):
    """A dump of string keys in database 0. A checksum of zeros means: none."""
    return rdb_head() + b''.join(record(k, v) for k, v in pairs) + b'\xff' + crc


# What comes after +FULLRESYNC: functions of the connection's `send`.

def counted(data, declared=None):
    def run(send, _):
        send(b'$%d\r\n' % (len(data) if declared is None else declared) + data)
    return run


def marked(data, end=MARK):
    def run(send, _):
        send(b'$EOF:' + MARK + b'\r\n' + data + end)
    return run


def then_stall(first, size, chunk=1 << 20):
    """Sends `first`, then records of random bytes, `size` in all, and is silent until closed."""
    value = os.urandom(chunk)

    def run(send, closing):
        send(b'$EOF:' + MARK + b'\r\n' + first)
        for n in range(size // chunk):
            send(record(f'stall:{n}', value))
        run.sent.set()
        closing.wait()
    run.sent = threading.Event()
    return run


def slowly(pairs, pause, hurry):
    """Sends a dump record by record, with a pause after each until `hurry` is set."""
    def run(send, closing):
        send(b'$EOF:' + MARK + b'\r\n' + rdb_head())
        for key, value in pairs:
            send(record(key, value))
            if not hurry.is_set() and not closing.is_set():
                hurry.wait(pause)
        send(b'\xff' + bytes(8) + MARK)
    return run


def line(text):
    def run(send, _):
        send(text)
    return run


class Fake:
    """Listens on a loopback port. replies: {command: bytes} to override what it says to PING, AUTH,
    INFO, REPLCONF, PSYNC; None: says nothing at all. snapshot: called after a granted PSYNC, then
    the connection is closed."""

    def __init__(self, snapshot=None, replies=None):
        self.snapshot = snapshot
        self.replies = {'PING': b'+PONG\r\n', 'AUTH': b'+OK\r\n', 'REPLCONF': b'+OK\r\n',
                        'INFO': b'$%d\r\n%s\r\n' % (len(_INFO), _INFO),
                        'PSYNC': b'+FULLRESYNC %s 42\r\n' % REPLID.encode(), **(replies or {})}
        self.closing = threading.Event()
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def uri(self):
        return f'redis://127.0.0.1:{self.port}'

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock):
        with sock, sock.makefile('rb') as f, contextlib.suppress(OSError, ValueError):
            while True:
                head = f.readline()
                if not head.startswith(b'*'):
                    return
                args = []
                for _ in range(int(head[1:])):
                    args.append(f.read(int(f.readline()[1:]) + 2)[:-2])
                reply = self.replies.get(args[0].decode().upper(), b'-ERR unknown command\r\n')
                if reply is None:
                    self.closing.wait()
                    return
                sock.sendall(reply)
                if args[0] == b'PSYNC' and reply.startswith(b'+FULLRESYNC'):
                    if self.snapshot:
                        self.snapshot(sock.sendall, self.closing)
                    return
