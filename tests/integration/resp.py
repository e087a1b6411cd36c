"""A small RESP2 client on the standard library: what tests need, binary safe.

Arguments may be bytes, str (sent as UTF-8), int or float. Replies: simple string -> str, integer ->
int, bulk -> bytes, null -> None, array -> list, error -> ReplyError (raised by `call`).
"""

import socket

_BATCH = 1000  # commands sent before replies are read


class ReplyError(Exception):
    """The server answered with an error; the text is what it said, code first."""

    @property
    def code(self):
        return str(self).split(' ', 1)[0]


def encode(*args):
    """One command as a RESP array."""
    parts = [b'*%d\r\n' % len(args)]
    for arg in args:
        if isinstance(arg, str):
            arg = arg.encode()
        elif isinstance(arg, (int, float)):
            arg = repr(arg).encode()
        parts.append(b'$%d\r\n' % len(arg))
        parts.append(bytes(arg))
        parts.append(b'\r\n')
    return b''.join(parts)


class Client:
    """One connection. Not for use by two threads at once."""

    def __init__(self, port, host='127.0.0.1', *, password=None, user=None, db=0, timeout=60,
                 sock=None):
        self.sock = sock or socket.create_connection((host, port), timeout)
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in = self.sock.makefile('rb')
        if password is not None:
            self.call('AUTH', *([user] if user else []), password)
        if db:
            self.call('SELECT', db)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._in.close()
        self.sock.close()

    def call(self, *args):
        """Sends one command; returns its reply or raises ReplyError."""
        self.sock.sendall(encode(*args))
        reply = self.read()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def pipeline(self, commands, *, errors='raise'):
        """Sends many commands (an iterable of argument tuples); returns their replies in order.

        errors='raise': the first error reply is raised, after its batch was read.
        errors='return': error replies stand in the list as ReplyError objects.
        """
        replies = []
        batch = []
        for command in commands:
            batch.append(encode(*command))
            if len(batch) == _BATCH:
                self._flush(batch, replies, errors)
                batch = []
        self._flush(batch, replies, errors)
        return replies

    def _flush(self, batch, replies, errors):
        if not batch:
            return
        self.sock.sendall(b''.join(batch))
        got = [self.read() for _ in batch]
        if errors == 'raise':
            for reply in got:
                if isinstance(reply, ReplyError):
                    raise reply
        replies.extend(got)

    def read(self):
        """Reads one reply; an error reply is returned, not raised."""
        line = self._in.readline()
        if not line.endswith(b'\r\n'):
            raise ConnectionError('the server closed the connection')
        kind, rest = line[:1], line[1:-2]
        if kind == b'+':
            return rest.decode(errors='replace')
        if kind == b'-':
            return ReplyError(rest.decode(errors='replace'))
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return self._bulk(int(rest))
        if kind == b'*':
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        raise ConnectionError(f'not a RESP2 reply: {line[:40]!r}')

    def _bulk(self, size):
        if size < 0:
            return None
        data = self._in.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError('the server closed the connection in the middle of a reply')
        return data[:-2]

    def info(self, section='everything'):
        """INFO as a dict of text."""
        lines = self.call('INFO', section).decode(errors='replace').splitlines()
        return dict(line.split(':', 1) for line in lines if ':' in line)

    def keyspace(self):
        """Number of keys by database."""
        out = {}
        for name, value in self.info('keyspace').items():
            if name.startswith('db'):
                out[int(name[2:])] = int(dict(p.split('=') for p in value.split(','))['keys'])
        return out

    def config(self, name, value=None):
        """CONFIG GET (None where there is no such setting), or CONFIG SET when value is given."""
        if value is not None:
            return self.call('CONFIG', 'SET', name, value)
        reply = self.call('CONFIG', 'GET', name)
        return reply[1].decode() if reply else None
