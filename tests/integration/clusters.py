"""Starts clusters of the servers of tests/servers on loopback ports.

    with Cluster('redis70', 3, replicas=1) as cluster:
        cluster.call(key, 'SET', key, 'v')
"""

import random
import socket
import time

import resp
import servers

SLOTS = 16384
_PORT_MAX = 45536  # the bus has the port ten thousand above


def cluster_port():
    """A free loopback port whose bus port is free too."""
    for port in random.sample(range(20000, _PORT_MAX), 200):
        try:
            for number in (port, port + 10000):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(('127.0.0.1', number))
            return port
        except OSError:
            continue
    raise RuntimeError('no free port for a cluster node')


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc


def key_slot(key):
    if isinstance(key, str):
        key = key.encode()
    start = key.find(b'{')
    if start >= 0:
        end = key.find(b'}', start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return _crc16(key) % SLOTS


def wait_until(true, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f'waited {seconds} s for {what}')
        time.sleep(0.05)


class Cluster:
    """`shards` primaries with `replicas` replicas each. `nodes` has the primaries first."""

    def __init__(self, name, shards, *, replicas=0, args=(), password=None):
        self.name = name
        self.shards = shards
        self.replicas = replicas
        self.args = ('--cluster-enabled', 'yes', '--cluster-node-timeout', '2000',
                     '--cluster-config-file', 'nodes.conf', '--repl-diskless-sync', 'yes',
                     '--cluster-migration-barrier', '99', *args)
        self.password = password
        self.nodes = []

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        for node in self.nodes:
            node.stop()

    def _start(self):
        for _ in range(self.shards * (1 + self.replicas)):
            port = cluster_port()  # kept when a node is started again
            self.nodes.append(servers.Server(self.name, self.args, password=self.password,
                                             port=lambda port=port: port).start())
        for index, (first, last) in enumerate(self.ranges()):
            with self.nodes[index].client() as client:
                client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
                client.call('CLUSTER', 'ADDSLOTS', *range(first, last + 1))
        with self.nodes[0].client() as client:
            for node in self.nodes[1:]:
                client.call('CLUSTER', 'MEET', '127.0.0.1', node.port)
        wait_until(lambda: all(self._knows(n) == len(self.nodes) for n in self.nodes), 'nodes')
        for index, node in enumerate(self.nodes[self.shards:]):
            with node.client() as client:
                client.call('CLUSTER', 'REPLICATE', self.id_of(self.nodes[index % self.shards]))
        wait_until(lambda: all(self._replicas_seen(n) == self.shards * self.replicas
                               for n in self.nodes), 'gossip')
        wait_until(self.ok, 'the cluster')

    def ranges(self):
        """First and last slot of each shard as it is started."""
        borders = [SLOTS * i // self.shards for i in range(self.shards + 1)]
        return [(a, b - 1) for a, b in zip(borders, borders[1:])]

    def _knows(self, node):
        with node.client() as client:
            lines = client.call('CLUSTER', 'NODES').decode().splitlines()
        return sum('handshake' not in line and 'connected' in line.split()[7] for line in lines)

    @staticmethod
    def _replicas_seen(node):
        with node.client() as client:
            lines = client.call('CLUSTER', 'NODES').decode().splitlines()
        return sum('slave' in line.split()[2] for line in lines)

    def ok(self):
        """Whether every living node sees all slots served, and every replica its primary."""
        for node in self.alive():
            with node.client() as client:
                if b'cluster_state:ok' not in client.call('CLUSTER', 'INFO'):
                    return False
                info = client.info('replication')
            if info['role'] == 'slave' and info['master_link_status'] != 'up':
                return False
        return sum(not self._is_primary(n) for n in self.alive()) >= self.replicas * self.shards - (
            len(self.nodes) - len(self.alive()))

    def alive(self):
        return [node for node in self.nodes if node.process is not None]

    @staticmethod
    def _is_primary(node):
        with node.client() as client:
            return client.info('replication')['role'] == 'master'

    def primaries(self):
        return [node for node in self.alive() if self._is_primary(node)]

    @staticmethod
    def id_of(node):
        with node.client() as client:
            return client.call('CLUSTER', 'MYID').decode()

    def uri(self, index=0):
        return self.nodes[index].uri()

    def owner(self, slot):
        """The living primary that serves a slot, as the first living node sees it."""
        with self.alive()[0].client() as client:
            for entry in client.call('CLUSTER', 'SLOTS'):
                if entry[0] <= slot <= entry[1]:
                    return next(n for n in self.nodes if n.port == entry[2][1])
        return None

    def replica_of(self, node):
        """A living replica of a primary."""
        for other in self.alive():
            with other.client() as client:
                info = client.info('replication')
            if info['role'] == 'slave' and int(info['master_port']) == node.port:
                return other
        return None

    def call(self, key, *args):
        """One command about `key`, sent to the owner of its slot."""
        with self.owner(key_slot(key)).client() as client:
            return client.call(*args)

    def pipeline(self, commands):
        """Commands, each about the key that is its second word, to the owners of their slots."""
        owners = {}
        parts = {}
        for node in self.primaries():
            with node.client() as client:
                me = client.call('CLUSTER', 'MYID')
                for line in client.call('CLUSTER', 'NODES').splitlines():
                    words = line.split()
                    if words[0] != me:
                        continue
                    for word in words[8:]:
                        if word.startswith(b'['):
                            continue
                        first, _, last = word.decode().partition('-')
                        for slot in range(int(first), int(last or first) + 1):
                            owners[slot] = node
        for command in commands:
            parts.setdefault(owners[key_slot(command[1])], []).append(command)
        for node, part in parts.items():
            with node.client(timeout=300) as client:
                client.pipeline(part)

    def keys(self):
        """How many keys its primaries hold."""
        total = 0
        for node in self.primaries():
            with node.client() as client:
                total += client.call('DBSIZE')
        return total

    def values(self):
        """What DEBUG DIGEST-VALUE says of every key of the primaries."""
        out = {}
        for node in self.primaries():
            with node.client(timeout=300) as client:
                keys = client.call('KEYS', '*')
                replies = client.pipeline(('DEBUG', 'DIGEST-VALUE', key) for key in keys)
                out.update((key, reply[0]) for key, reply in zip(keys, replies))
        return out

    # Moving slots.

    def begin_migration(self, slot, source, target):
        with target.client() as client:
            client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', self.id_of(source))
        with source.client() as client:
            client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', self.id_of(target))

    def move_keys(self, slot, source, target, count=10 ** 9, batch=100):
        """Moves up to `count` keys of a slot; returns how many."""
        moved = 0
        with source.client(timeout=300) as client:
            while moved < count:
                keys = client.call('CLUSTER', 'GETKEYSINSLOT', slot, min(batch, count - moved))
                if not keys:
                    break
                client.call('MIGRATE', '127.0.0.1', target.port, '', 0, 30000, 'KEYS', *keys)
                moved += len(keys)
        return moved

    def end_migration(self, slot, target):
        name = self.id_of(target)
        for node in [target, *(n for n in self.primaries() if n is not target)]:
            with node.client() as client:
                try:
                    client.call('CLUSTER', 'SETSLOT', slot, 'NODE', name)
                except resp.ReplyError:  # a primary that serves no slots any more
                    pass
        self.spread_epochs()

    def spread_epochs(self):
        """Waits until the primaries agree on each one's epoch. A slot that moves on before that may
        be claimed by two of them, and the one that loses it drops its keys."""
        deadline = time.monotonic() + 30
        while True:
            views = set()
            for node in self.primaries():
                with node.client() as client:
                    rows = client.call('CLUSTER', 'NODES').decode().splitlines()
                views.add(tuple(sorted((row.split()[0], row.split()[6]) for row in rows
                                       if 'master' in row.split()[2])))
            if len(views) == 1:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f'the nodes do not agree on epochs: {views}')
            time.sleep(0.01)
