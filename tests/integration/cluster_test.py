#!/usr/bin/env python3
"""Clusters and sentinels: a cluster is backed up as one object, and restored into another number of
shards while that changes under the restore."""

import base64
import random
import subprocess
import sys
import threading
import time

import cli
import clusters
import fill
import resp
import servers
from clusters import key_slot, wait_until

NAMES = ('redis70', 'redis86', 'valkey91')
LONG_BYTES = 3 << 20


def add_digests(texts):
    total = sum(int(text.split(':')[1], 16) for text in texts) % (1 << 128)
    return f's1:{total:032x}'


class ClusterCase(cli.Case):
    def need(self, name):
        found = servers.available()[name]
        if not found:
            self.skipTest(f'{name}: {found.reason}')

    def cluster(self, name, shards, **how):
        self.need(name)
        cluster = clusters.Cluster(name, shards, **how)
        self.addCleanup(cluster.stop)
        return cluster.start()

    def filled(self, name, shards, *, scale=1, **how):
        """A cluster with every type, long values, tags and functions."""
        cluster = self.cluster(name, shards, **how)
        source = self.server(name)
        with self.client(source) as client:
            fill.fill(client, source.flavor, source.version, scale=scale)
            client.pipeline(('SET', f'{{tag{i % 7}}}:{i}', 'v' * 300) for i in range(500))
            for i in range(3):
                client.call('SET', f'long:{i}', random.Random(i).randbytes(LONG_BYTES))
            others = sum(n for db, n in client.keyspace().items() if db != 0)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri(), '--name', 'standalone'))
        run = repository.restore('LATEST', cluster.uri(), '--cluster')
        result = self.assert_done(run, cli.INCOMPLETE)  # a cluster has one database
        self.assert_balanced(result)
        self.assertEqual(result['failed'], others)
        self.assertTrue(all(failure['db'] != 0 for failure in result['failures']))
        self.assertEqual(result['written'], cluster.keys())
        source.stop()
        return cluster

    def node_digest(self, cluster):
        """The sum of what its primaries hold, each read by itself."""
        return add_digests(self.assert_done(cli.sluice('digest', '--json', node.uri()))['digest']
                           for node in cluster.primaries())

    def backed_up(self, repository, cluster, *args):
        run = repository.backup(cluster.uri(), '--cluster', '--name', 'c', *args)
        return self.assert_done(run), run


class Backup(ClusterCase):
    def one(self, name, shards, replicas):
        cluster = self.filled(name, shards, replicas=replicas)
        wait_until(cluster.ok, 'replicas')
        repository = self.repository()
        first, run = self.backed_up(repository, cluster)
        self.assertEqual(first['keys'], cluster.keys())
        self.assertEqual((first['order'], first['layout']), ('slot', 'canonical'))
        self.assertEqual(first['digest'], self.node_digest(cluster))
        self.assertEqual(first['source']['server'], cluster.nodes[0].flavor)
        shown = repository.run('show', first['id']).json
        self.assertEqual(shown['shards'], first['shards'])
        self.assertEqual([shard['slots'] for shard in first['shards']],
                         [[list(span)] for span in cluster.ranges()])
        self.assertEqual(sum(shard['keys'] for shard in first['shards']), first['keys'])
        for shard in first['shards']:
            self.assertEqual(shard['replica'], replicas > 0, run)
            self.assertEqual(len(shard['replid']), 40)
            self.assertGreater(shard['rdb_version'], 9)
        self.assertEqual(shown['functions'], 2)
        self.assert_done(repository.run('verify', first['id']))
        self.assert_done(repository.run('digest', first['id']))
        self.gets(repository, cluster, first['id'])
        self.places(repository, cluster, first)
        self.increments(repository, cluster, first)
        self.loads(repository, first['id'], name)

    def gets(self, repository, cluster, backup):
        """Some keys, as their owners have them."""
        sample = random.Random(5).sample(sorted(cluster.values()), 40)
        for key in sample:
            with self.subTest(key=key):
                run = repository.run('get', backup, '--key-base64',
                                     base64.b64encode(key).decode(), '--format', 'dump')
                self.assertEqual(run.code, cli.DONE, run)
        for i in range(3):
            run = subprocess.run(repository.command('get', backup, f'long:{i}', '--format', 'raw'),
                                 stdout=subprocess.PIPE, check=True)
            self.assertEqual(run.stdout, random.Random(i).randbytes(LONG_BYTES))

    def places(self, repository, cluster, first):
        """The live cluster is a place like others."""
        run = cli.sluice('digest', '--json', cluster.uri(), '--cluster')
        self.assertEqual(self.assert_done(run)['digest'], first['digest'])
        run = repository.run('diff', first['id'], cluster.uri(), '--cluster', '--summary')
        self.assertEqual(self.assert_done(run)['same'], first['keys'])

    def increments(self, repository, cluster, first):
        """One percent changed costs about that."""
        keys = [f'session:{i:08d}' for i in range(0, 2500, 60)]
        cluster.pipeline(('SET', key, f'changed {key}') for key in keys)
        gone = '{tag3}:3'
        cluster.call(gone, 'DEL', gone)
        wait_until(cluster.ok, 'replicas')
        second, run = self.backed_up(repository, cluster)
        self.assertEqual(second['parent'], first['id'], run)
        self.assertEqual(second['keys'], cluster.keys())
        self.assertEqual(second['digest'], self.node_digest(cluster))
        self.assertLess(second['new_bytes'], first['new_bytes'] * 0.1)
        diff = repository.run('diff', first['id'], second['id'], '--summary')
        result = self.assert_done(diff, cli.DIFFERENT)
        self.assertEqual(result['only_a'], 1)
        self.assertLessEqual(result['different'] + result['only_b'], len(keys))
        self.assertGreater(result['different'] + result['only_b'], 0)
        self.assert_done(repository.run('verify', second['id']))

    def loads(self, repository, backup, name):
        """What is exported is an RDB that a server loads, with every key."""
        file = repository.path.parent / 'out.rdb'
        result = self.assert_done(repository.run('export', backup, '--format', 'rdb', '-o', file))
        again = self.server(name, rdb=file)
        with self.client(again) as client:
            self.assertEqual(client.call('DBSIZE'), result['keys'])
        want = repository.run('digest', backup).json['digest']
        self.assertEqual(self.assert_done(cli.sluice('digest', '--json', again.uri()))['digest'],
                         want)

    def test_redis70_with_replicas(self):
        self.one('redis70', 3, 1)

    def test_redis86(self):
        self.one('redis86', 3, 0)

    def test_valkey91(self):
        self.one('valkey91', 3, 0)


class Choices(ClusterCase):
    """Which nodes are read, and what is refused."""

    def test_nodes(self):
        cluster = self.cluster('redis70', 2, replicas=1)
        cluster.pipeline(('SET', f'k{i}', i) for i in range(1000))
        repository = self.repository()
        for choice, replica in (('primary', False), ('replica', True)):
            taken, _ = self.backed_up(repository, cluster, '--from', choice)
            self.assertEqual([shard['replica'] for shard in taken['shards']], [replica] * 2)
            self.assertEqual(taken['keys'], 1000)
        # One replica is gone: its primary is read, and that is said; or it is refused.
        cluster.nodes[2].kill()
        taken, run = self.backed_up(repository, cluster)
        self.assertEqual([shard['replica'] for shard in taken['shards']], [False, True])
        self.assertIn('the primary is read', run.err)
        run = repository.backup(cluster.uri(), '--cluster', '--name', 'c', '--from', 'replica')
        self.assert_refused(run, 'refused', 'no replica')
        # Any node is a seed, and the next one is asked when the first is gone.
        seeds = f'redis://127.0.0.1:1,127.0.0.1:{cluster.nodes[3].port}'
        self.assertEqual(self.assert_done(
            repository.backup(seeds, '--cluster', '--name', 'c'))['keys'], 1000)
        self.refusals(repository, cluster)

    def refusals(self, repository, cluster):
        uri = cluster.uri()
        run = repository.backup(uri, '--cluster', '--layout', 'stream')
        self.assert_refused(run, 'layout_of_cluster', '--layout stream', exit_code=cli.USAGE)
        run = repository.backup(f'{uri},127.0.0.1:1')
        self.assert_refused(run, 'bad_option', '--cluster', exit_code=cli.USAGE)
        run = repository.restore('c@LATEST', uri)
        self.assert_refused(run, 'refused', '--cluster')
        run = repository.restore('c@LATEST', uri, '--cluster')
        self.assert_refused(run, 'target_not_empty', '--on-conflict', '--flush')
        for option in (('--dry-run',), ('--mode', 'feed')):
            run = repository.restore('c@LATEST', uri, '--cluster', *option)
            self.assert_refused(run, 'bad_option', exit_code=cli.USAGE)
        alone = self.server('redis70')
        for verb in (('backup', alone.uri()), ('restore', 'c@LATEST', alone.uri())):
            run = repository.run(*verb, '--cluster')
            self.assert_refused(run, 'refused', 'leave --cluster out')
        # A backup of one node says what it lacks.
        run = repository.backup(uri, '--name', 'node')
        self.assert_done(run)
        self.assertIn('--cluster', run.err)

    def test_uncovered_slots(self):
        cluster = self.cluster('redis70', 2)
        with self.client(cluster.nodes[0]) as client:
            client.call('CLUSTER', 'DELSLOTS', 5)
        repository = self.repository()
        run = repository.backup(cluster.uri(), '--cluster')
        self.assert_refused(run, 'slots_uncovered', '5')
        self.assertEqual(repository.list(), [])

    def test_passwords(self):
        cluster = self.cluster('redis70', 2, args=('--requirepass', 'pw', '--masterauth', 'pw'),
                               password='pw')
        repository = self.repository()
        uri = cluster.uri()
        with self.client(cluster.nodes[0]) as client:
            key = next(f'k{i}' for i in range(1000) if key_slot(f'k{i}') < 8000)
            client.call('SET', key, 1)
        taken = self.assert_done(repository.backup(uri, '--cluster'))
        self.assertNotIn('pw', str(taken).replace('pwd', ''))
        self.assertEqual(taken['keys'], 1)
        self.assert_done(repository.restore(taken['id'], uri, '--cluster', '--flush', '--yes'))


class Moving(ClusterCase):
    """Slots that move."""

    def keys_of_slot(self, count):
        """Keys of one slot, which are tagged."""
        return [f'{{moving}}:{i}' for i in range(count)], key_slot('moving')

    def test_a_slot_in_migration_counts_once(self):
        cluster = self.cluster('redis70', 3, replicas=1)
        keys, slot = self.keys_of_slot(400)
        cluster.pipeline(('SET', key, key) for key in keys)
        cluster.pipeline(('SET', f'other{i}', i) for i in range(2000))
        source = cluster.owner(slot)
        target = next(node for node in cluster.primaries() if node is not source)
        cluster.begin_migration(slot, source, target)
        self.assertEqual(cluster.move_keys(slot, source, target, 200), 200)
        # Fifty keys are on both: what a MIGRATE that is under way looks like.
        with self.client(source) as client:
            left = client.call('CLUSTER', 'GETKEYSINSLOT', slot, 50)
            client.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'COPY', 'KEYS', *left)
        repository = self.repository()
        taken, run = self.backed_up(repository, cluster)
        self.assertEqual(taken['keys'], 2400, run)
        self.assertIn('50 key(s) of slots that are being moved came from two shards', run.err)
        replicas = {tuple(shard['slots'][0]): shard['replica'] for shard in taken['shards']}
        self.assertEqual(sorted(replicas.values()), [False, False, True], run)  # one is at rest
        self.assert_done(repository.run('verify', taken['id']))
        rows = repository.run('export', taken['id']).out.splitlines()
        self.assertEqual(len(rows), 2400)
        self.assertEqual(sum('{moving}' in row for row in rows), 400)

    def test_resharding_during_a_backup(self):
        """While slots go round the backup is whole, or it is refused."""
        cluster = self.cluster('redis70', 3)
        cluster.pipeline(('SET', f'k{i}', 'v' * 100) for i in range(20000))
        stop = threading.Event()
        moves = []

        def reshard():
            slots = random.Random(3)
            while not stop.is_set():
                slot = slots.randrange(clusters.SLOTS)
                source = cluster.owner(slot)
                target = random.choice([n for n in cluster.nodes if n is not source])
                cluster.begin_migration(slot, source, target)
                cluster.move_keys(slot, source, target)
                cluster.end_migration(slot, target)
                moves.append(slot)
        thread = threading.Thread(target=reshard)
        thread.start()
        repository = self.repository()
        refused = 0
        try:
            for _ in range(4):
                run = repository.backup(cluster.uri(), '--cluster', '--name', 'c')
                if run.code != cli.DONE:
                    refused += 1
                    self.assertIn(run.error, ('slots_moved', 'slots_uncovered'), run)
                else:
                    self.assertEqual(run.json['keys'], 20000, run)
        finally:
            still_moving = thread.is_alive()
            stop.set()
            thread.join()
        self.assertTrue(still_moving and moves)
        self.assertEqual(len(repository.list()), 4 - refused)
        taken, run = self.backed_up(repository, cluster)
        self.assertEqual((taken['keys'], cluster.keys()), (20000, 20000), run)


class Restore(ClusterCase):
    def test_three_to_two(self):
        source = self.filled('redis70', 3)
        repository = self.repository()
        taken, _ = self.backed_up(repository, source)
        target = self.cluster('redis70', 2)
        run = repository.restore(taken['id'], target.uri(1), '--cluster')
        result = self.assert_done(run)
        self.assert_balanced(result)
        self.assertEqual(result['written'], taken['keys'])
        self.assertTrue(result['verified'], run)
        self.assertEqual(result['digest'], taken['digest'])
        self.assertEqual(target.keys(), source.keys())
        self.assertTrue(target.values() == source.values())  # too many for a message
        for node in target.primaries():
            with self.client(node) as client:
                self.assertEqual(len(client.call('FUNCTION', 'LIST')), 2)
        self.policies(repository, taken, target)

    def policies(self, repository, taken, target):
        gone = [f'{{tag{i % 7}}}:{i}' for i in range(100)]
        changed = [f'{{tag{i % 7}}}:{i}' for i in range(100, 200)]
        target.pipeline(('DEL', key) for key in gone)
        target.pipeline(('SET', key, 'mine') for key in changed)
        run = repository.restore(taken['id'], target.uri(), '--cluster', '--on-conflict', 'skip')
        result = self.assert_done(run, cli.INCOMPLETE)
        self.assertEqual((result['written'], result['skipped']), (100, taken['keys'] - 100))
        self.assertEqual(target.call(changed[0], 'GET', changed[0]), b'mine')
        run = repository.restore(taken['id'], target.uri(), '--cluster', '--on-conflict', 'replace')
        self.assertEqual(self.assert_done(run)['written'], taken['keys'])
        self.assertEqual(self.node_digest(target), taken['digest'])
        target.pipeline([('SET', 'another', '1')])
        run = repository.restore(taken['id'], target.uri(), '--cluster', '--flush', '--yes')
        self.assertTrue(self.assert_done(run)['verified'])
        self.assertEqual(target.keys(), taken['keys'])

    def test_between_versions(self):
        source = self.filled('redis70', 2, scale=0.2)
        repository = self.repository()
        taken, _ = self.backed_up(repository, source)
        for name in ('redis86', 'valkey91'):
            target = self.cluster(name, 3)
            run = repository.restore(taken['id'], target.uri(), '--cluster')
            result = self.assert_done(run)
            self.assertTrue(result['verified'], run)
            self.assertEqual(result['digest'], taken['digest'])
        # A standalone server takes it too, and knows nothing of slots.
        alone = self.server('redis70')
        result = self.assert_done(repository.restore(taken['id'], alone.uri()))
        self.assertEqual(result['digest'], taken['digest'])


class Storm(ClusterCase):
    """A restore from three shards into two while a slot migrates and a primary is killed."""

    def storm(self, name, keys, seed):
        rng = random.Random(seed)
        source = self.cluster(name, 3)
        source.pipeline(('SET', f'k{i}', rng.randbytes(rng.randrange(10, 2000)))
                        for i in range(keys))
        source.pipeline(('HSET', f'{{moving}}:{i}', 'f', i) for i in range(300))
        longs = [f'{{moving}}:long{i}' for i in range(4)]
        source.pipeline(('SET', key, rng.randbytes(LONG_BYTES)) for key in longs)
        repository = self.repository()
        taken, _ = self.backed_up(repository, source)
        target = self.cluster(name, 2, replicas=1)
        slot = key_slot('moving')
        mover = threading.Thread(target=self.change, args=(target, slot, rng))
        command = repository.command('restore', taken['id'], target.uri(), '--cluster')
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=cli.environment())
        mover.start()
        out, err = process.communicate(timeout=300)
        mover.join()
        run = cli.Run(tuple(command), process.returncode, out.decode(), err.decode())
        result = self.assert_done(run)
        self.assert_balanced(result)
        self.assertEqual(result['written'], taken['keys'], run)
        self.assertEqual(result['failed'], 0)
        self.assertIsNot(result['verified'], False, run)
        wait_until(lambda: len(target.primaries()) == 2, 'the failover')
        self.assertEqual(target.keys(), taken['keys'], run)
        self.assertEqual(self.node_digest(target), taken['digest'], run)
        return result

    @staticmethod
    def change(target, slot, rng):
        """A slot goes from one primary to the other; the one that gave it is killed."""
        giver = target.owner(slot)
        taker = next(node for node in target.primaries() if node is not giver)
        wait_until(lambda: target.keys() > 100, 'some keys')
        target.begin_migration(slot, giver, taker)
        deadline = time.monotonic() + rng.uniform(0.1, 0.5)
        while time.monotonic() < deadline:
            target.move_keys(slot, giver, taker)
        target.end_migration(slot, taker)
        target.move_keys(slot, giver, taker)
        replica = target.replica_of(giver)
        giver.kill()
        time.sleep(rng.uniform(0, 1))
        with replica.client() as client:  # one primary of two is no majority that could vote
            client.call('CLUSTER', 'FAILOVER', 'TAKEOVER')

    def test_storm(self):
        results = [self.storm('redis70', 60000, 1)]
        self.assertTrue(any('changed meanwhile' in note for r in results for note in r['notes']),
                        results)


class SoakStorm(Storm):
    """The same in the other servers, and again."""

    def test_storm(self):
        for name in NAMES:
            for seed in range(5):
                with self.subTest(name=name, seed=seed):
                    self.storm(name, 60000, seed)


class Clone(ClusterCase):
    """Live to live, into another shape."""

    def test_into_a_cluster_and_out_of_it(self):
        source = self.server('redis70')
        with self.client(source) as client:
            client.pipeline(('SET', f'k{i}', i) for i in range(3000))
            client.call('HSET', 'h', 'f', 1)
        cluster = self.cluster('redis70', 3)
        run = cli.sluice('clone', '--json', source.uri(), cluster.uri(), '--cluster')
        result = self.assert_done(run)
        self.assert_balanced(result)
        self.assertEqual((result['written'], cluster.keys()), (3001, 3001))
        self.assertTrue(result['verified'], run)
        back = self.server('valkey91')
        run = cli.sluice('clone', '--json', cluster.uri(1), back.uri(), '--source-cluster')
        self.assertEqual(self.assert_done(run)['digest'], result['digest'])
        other = self.cluster('redis70', 2)
        run = cli.sluice('clone', '--json', cluster.uri(), other.uri(), '--source-cluster',
                         '--cluster')
        self.assertEqual(self.assert_done(run)['digest'], result['digest'])
        self.assertEqual(other.keys(), 3001)
        run = cli.sluice('clone', '--json', source.uri(), cluster.uri(), '--cluster', '--follow')
        self.assert_refused(run, 'bad_option', '--follow', exit_code=cli.USAGE)


class Sentinel(ClusterCase):
    def sentinel(self, name, primary, *lines):
        """A sentinel that watches `primary` under the name main."""
        home = servers.matrix.ready(name)
        port = servers.free_port()
        folder = cli.tempfile.mkdtemp(prefix='sluice-sentinel-')
        self.addCleanup(cli.shutil.rmtree, folder, True)
        conf = cli.pathlib.Path(folder) / 'sentinel.conf'
        conf.write_text('\n'.join((
            f'port {port}', 'bind 127.0.0.1', f'dir {folder}', f'logfile {folder}/log',
            f'sentinel monitor main 127.0.0.1 {primary.port} 1',
            'sentinel down-after-milliseconds main 1000', 'sentinel failover-timeout main 5000',
            *lines)) + '\n')
        process = subprocess.Popen([home / 'run-server', conf, '--sentinel'],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=servers._die_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def knows_replica():
            try:
                with resp.Client(port) as client:
                    return bool(client.call('SENTINEL', 'REPLICAS', 'main'))
            except OSError:
                return False
        wait_until(knows_replica, 'the sentinel')
        return port

    def one(self, name):
        self.need(name)
        primary = self.server(name, password='pw', args=('--masterauth', 'pw'))
        replica = self.server(name, password='pw', args=(
            '--masterauth', 'pw', '--replicaof', f'127.0.0.1 {primary.port}'))
        with self.client(primary) as client:
            client.pipeline(('SET', f'k{i}', i) for i in range(1000))
        with self.client(replica) as client:
            wait_until(lambda: client.info('replication')['master_link_status'] == 'up', 'a link')
        port = self.sentinel(name, primary, 'sentinel auth-pass main pw')
        uri = f'redis-sentinel://:pw@127.0.0.1:1,127.0.0.1:{port}?master=main'
        repository = self.repository()
        run = repository.backup(uri)
        taken = self.assert_done(run)
        self.assertEqual((taken['instance'], taken['keys']), ('main', 1000))
        self.assertIn(f'reading from the replica 127.0.0.1:{replica.port}', run.err)
        self.assertNotIn('pw', taken['source']['uri'])
        run = repository.backup(uri, '--from', 'primary')
        self.assertIn(f'reading from the primary 127.0.0.1:{primary.port}', run.err)
        self.assert_refused(repository.backup(uri.replace('main', 'x')), 'refused', "no master 'x'")
        self.assert_refused(repository.backup(uri, '--cluster'), 'bad_option', 'sentinels',
                            exit_code=cli.USAGE)
        self.assertEqual(self.assert_done(cli.sluice('digest', '--json', uri))['keys'], 1000)
        run = repository.restore(taken['id'], uri, '--mode', 'feed', '--flush', '--yes')
        self.assert_refused(run, 'bad_option', 'sentinels', exit_code=cli.USAGE)
        result = self.assert_done(repository.restore(taken['id'], uri, '--flush', '--yes'))
        self.assertTrue(result['verified'])
        self.fails_over(repository, taken, primary, replica, uri)

    def fails_over(self, repository, taken, primary, replica, uri):
        primary.kill()

        def is_primary():
            with self.client(replica) as client:
                return client.info('replication')['role'] == 'master'
        wait_until(is_primary, 'the failover')
        self.assertEqual(self.assert_done(repository.backup(uri))['keys'], 1000)
        result = self.assert_done(repository.restore(taken['id'], uri, '--flush', '--yes'))
        self.assertTrue(result['verified'])
        with self.client(replica) as client:
            self.assertEqual(client.call('DBSIZE'), 1000)

    def test_redis70(self):
        self.one('redis70')

    def test_valkey91(self):
        self.one('valkey91')


if __name__ == '__main__':
    if '--soak' in sys.argv:
        sys.argv.remove('--soak')
        sys.argv[1:1] = ['SoakStorm']
    else:
        del SoakStorm
    cli.main('redis70')
