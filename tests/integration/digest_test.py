#!/usr/bin/env python3
"""The dataset digest: the same from a file, over PSYNC, after a restart, and after a restore, into the
same version and into others; and restores that are proven by it, while keys expire."""

import gzip
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import digest_oracle  # noqa: E402
import servers  # noqa: E402

DUMPS = cli.CORPUS / 'servers'
DISK = ('--repl-diskless-sync', 'no')  # starts at once
# Where the dump of one server can be restored by RESTORE, keys of every type included.
ONWARDS = (('redis60', 'redis70'), ('redis60', 'redis80'), ('redis60', 'valkey91'),
           ('redis70', 'redis80'), ('redis70', 'redis86'), ('redis70', 'valkey81'),
           ('redis80', 'redis86'), ('valkey81', 'valkey91'))


class Digest(cli.Case):
    def digest(self, repository, place, *args):
        return self.assert_done(repository.run('digest', place, *args))

    def running(self, name, *args, **how):
        if servers.matrix.ready(name) is None:
            self.skipTest(f'{name}: {servers.matrix.why_absent(name)}')
        return self.server(name, (*DISK, *args), **how)

    def assert_verified(self, run, left_out=False):
        result = self.assert_done(run)
        self.assert_balanced(result)
        self.assertIs(result['verified'], True, result)
        self.assertEqual([note for note in result['notes'] if 'verified but' not in note], [])
        if not left_out:
            self.assertEqual(result['notes'], [])
        return result

    # One dataset, many ways to it.

    def test_an_independent_reading_of_the_same_data_agrees(self):
        for name in ('redis70', 'valkey91'):
            with self.subTest(name):
                with gzip.open(DUMPS / f'{name}-default.jsonl.gz') as lines:
                    records = [json.loads(line) for line in lines]
                run = cli.sluice('digest', '--json', DUMPS / f'{name}-default.rdb')
                taken = self.assert_done(run)
                self.assertEqual(taken['keys'], len(records))
                self.assertEqual(taken['digest'], digest_oracle.digest(records))

    def whole_way(self, dump):
        name = dump.name.split('-')[0]
        repository = self.repository()
        taken = self.digest(repository, dump)
        self.assertIsNone(taken['recorded'])
        source = self.running(name, rdb=dump)
        self.assertEqual(self.digest(repository, source.uri()), taken)
        backup = self.assert_done(repository.backup(source.uri()))
        self.assertEqual((backup['digest'], backup['undecodable']), (taken['digest'], 0))
        self.assertEqual(self.digest(repository, 'LATEST'), {**taken, 'recorded': taken['digest']})
        [verified] = self.assert_done(repository.run('verify', '--all'))
        self.assertEqual(verified['digest'], taken['digest'])

        target = self.running(name)
        result = self.assert_verified(repository.restore('LATEST', target.uri()))
        self.assertEqual(result['digest'], taken['digest'])
        # What the server writes after it has read its own dump again.
        target.save()
        target.kill()
        target.start()
        self.assertEqual(self.digest(repository, target.uri()), taken)
        self.assertEqual(self.digest(repository, target.save()), taken)

    def test_restored_into_another_version(self):
        for here, there in ONWARDS:
            with self.subTest(f'{here} to {there}'):
                dump = DUMPS / f'{here}-default.rdb'
                repository = self.repository()
                taken = self.digest(repository, dump)
                self.assert_done(repository.backup(dump))
                target = self.running(there)
                result = self.assert_verified(repository.restore('LATEST', target.uri()))
                self.assertEqual(result['digest'], taken['digest'])
                self.assertEqual(self.digest(repository, target.save()), taken)
                target.stop()

    def test_standard_input(self):
        dump = DUMPS / 'redis70-default.rdb'
        run = cli.sluice('digest', '--json', '-', stdin=dump.read_bytes())
        self.assertEqual(self.assert_done(run),
                         self.assert_done(cli.sluice('digest', '--json', dump)))
        text = self.run_text('digest', dump)
        self.assertRegex(text, r'^s1:[0-9a-f]{32}  [0-9,]+ keys\n$')

    def run_text(self, *args):
        run = cli.sluice(*args)
        self.assertEqual(run.code, cli.DONE, run)
        return run.out

    # A value that cannot be decoded.

    def test_a_value_that_cannot_be_decoded_is_kept_but_not_digested(self):
        dump = cli.CORPUS / 'valkey-assets' / 'corrupt_ziplist.rdb'
        repository = self.repository()
        run = repository.backup(dump)
        backup = self.assert_done(run)
        self.assertIsNone(backup['digest'])
        self.assertGreater(backup['undecodable'], 0)
        self.assertIn('cannot be decoded', run.err)
        self.assertEqual(repository.list(), [backup])
        [verified] = self.assert_done(repository.run('verify', '--all'))
        self.assertIsNone(verified['digest'])
        self.assert_refused(repository.run('digest', 'LATEST'), 'undecodable', 'cannot be decoded')

    # Restores that are proven.

    def expiring(self, name):
        source = self.running(name, '--active-expire-effort', '10')
        there = self.client(source)
        there.pipeline(('SET', f'lasting:{n}', n) for n in range(500))
        now = int(time.time() * 1000)
        there.pipeline(('SET', f'soon:{n}', n, 'PX', 1000 + 20 * n) for n in range(500))
        there.pipeline(('SET', f'later:{n}', n, 'PX', 3_600_000 + n) for n in range(100))
        if name in ('redis80', 'redis86', 'valkey91'):
            for n in range(200):
                there.call('HSET', f'hash:{n}', 'stays', 1, 'goes', 2, 'goes too', 3)
                fields = 3 if n % 2 else 2
                there.call('HPEXPIREAT', f'hash:{n}', now + 1500 + 40 * n, 'FIELDS', fields, 'goes',
                           'goes too', *(['stays'] if fields == 3 else []))
        return source, there

    def test_keys_and_fields_that_expire_meanwhile_are_no_false_alarm(self):
        for name in ('redis60', 'redis80', 'redis86', 'valkey91'):
            with self.subTest(name):
                source, _ = self.expiring(name)
                repository = self.repository()
                self.assert_done(repository.backup(source.uri()))
                for _ in range(4):
                    target = self.running(name)
                    self.assert_verified(repository.restore('LATEST', target.uri()), left_out=True)
                    time.sleep(1)  # what expires is another part each time
                    self.client(target).call('SET', 'one more', 'key')
                    again = repository.restore('LATEST', target.uri(), '--flush', '--yes')
                    self.assert_verified(again, left_out=True)
                    target.stop()
                source.stop()

    def test_what_the_target_lost_is_found(self):
        source = self.running('redis70')
        self.client(source).pipeline(('SET', f'k{n}', 'v' * 1000) for n in range(5000))
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        target = self.running('redis70', '--maxmemory', '4mb', '--maxmemory-policy',
                              'allkeys-random')
        result = self.assert_done(repository.restore('LATEST', target.uri()), cli.DIFFERENT)
        self.assertIs(result['verified'], False)
        self.assertIn('--flush', ' '.join(result['notes']))
        run = repository.restore('LATEST', target.uri(), '--flush', '--yes', '--no-verify')
        result = self.assert_done(run)
        self.assertIsNone(result['verified'])

    def test_a_target_that_holds_keys_is_not_proven(self):
        source, target = self.running('redis70'), self.running('redis70')
        self.client(source).call('SET', 'a', 1)
        self.client(target).call('SET', 'b', 1)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        run = repository.restore('LATEST', target.uri(), '--on-conflict', 'replace')
        result = self.assert_done(run)
        self.assertEqual((result['verified'], result['notes']), (None, []))
        run = repository.restore('LATEST', target.uri(), '--on-conflict', 'replace', '--verify')
        result = self.assert_done(run)
        self.assertIsNone(result['verified'])
        self.assertEqual(result['notes'], ['not verified: the target was not empty'])

    def test_what_failed_is_not_expected_there(self):
        source = self.running('redis70')
        self.client(source).pipeline((('SET', 'db0', 1), ('SELECT', 9), ('SET', 'db9', 1)))
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        target = self.running('redis70', '--databases', '4')
        result = self.assert_done(repository.restore('LATEST', target.uri()), cli.INCOMPLETE)
        self.assertEqual((result['failed'], result['verified']), (1, True))

    def test_a_user_who_may_not_psync_is_told(self):
        source, target = self.running('redis70'), self.running('redis70')
        self.client(source).call('SET', 'a', 1)
        repository = self.repository()
        self.assert_done(repository.backup(source.uri()))
        self.client(target).call('ACL', 'SETUSER', 'tide', 'reset', 'on', '>secret', '~*',
                                 '+restore', '+select', '+info', '+config|get')
        uri = f'redis://tide:secret@127.0.0.1:{target.port}'
        result = self.assert_done(repository.restore('LATEST', uri))
        self.assertIsNone(result['verified'])
        self.assertIn('psync', ' '.join(result['notes']).lower())


def _add_whole_ways():
    for dump in sorted(DUMPS.glob('*.rdb')):
        def test(self, dump=dump):
            self.whole_way(dump)
        setattr(Digest, f'test_whole_way_of_{dump.stem.replace("-", "_")}', test)


_add_whole_ways()

if __name__ == '__main__':
    cli.main('redis70')
