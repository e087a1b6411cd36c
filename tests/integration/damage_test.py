#!/usr/bin/env python3
"""One flipped bit, a cut or a deletion in each kind of file of a repository: `verify` exits 4 and
names the object, `restore` does not pass it off as good, and other backups do not suffer.

  damage_test.py [--seed S] [unittest arguments]
"""

import argparse
import pathlib
import json
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402

SERVER = 'redis70'
DUMP = cli.CORPUS / 'servers' / 'redis70-default.rdb'
SEED = None


class Damage(cli.Case):
    @classmethod
    def setUpClass(cls):
        cls.seed = SEED if SEED is not None else random.randrange(1 << 32)
        print(f'damage_test: seed {cls.seed}', flush=True)
        cls.whole = cli.Repository()
        cls.addClassCleanup(cls.whole.__exit__)
        cls.target = servers.Server(SERVER).start()
        cls.addClassCleanup(cls.target.stop)
        cls.digests = {}
        with servers.Server(SERVER, ('--repl-diskless-sync', 'no')) as source:
            with source.client() as client:
                fill.fill(client, 'redis', source.version, scale=0.1)
                for name in ('hurt', 'sound'):
                    client.call('SET', 'which', name)
                    run = cls.whole.backup(source.uri(), '--name', name)
                    assert run.code == 0, run
                    cls.digests[name] = source.digest()
        cls.ids = {b['instance']: b['id'] for b in cls.whole.list()}

    def setUp(self):
        self.random = random.Random(f'{self.seed}/{self.id()}')

    def files(self, repository, kind):
        """The file of that kind of the backup that is to be damaged."""
        if kind == 'pack':
            return next(repository.path.glob(f'packs/*/{self.ids["hurt"]}-*'))
        if kind in ('FORMAT', 'FORMAT.copy'):
            return repository.path / kind
        return repository.path / 'instances' / 'hurt' / self.ids['hurt'] / kind

    def damage(self, path, how):
        data = bytearray(path.read_bytes())
        where = f'{how} {path.name}'
        if how == 'flip':
            bit = self.random.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            where += f' bit {bit} of {len(data) * 8}'
        elif how == 'truncate':
            del data[self.random.randrange(len(data)):]
            where += f' to {len(data)}'
        path.unlink()
        if how != 'delete':
            path.write_bytes(data)
        return where

    def hurt(self, kinds, how):
        """A damaged copy, and what was done to it."""
        repository = self.repository()
        self.whole.copy(repository)
        return repository, ', '.join(self.damage(self.files(repository, k), how) for k in kinds)

    def restore(self, repository, name):
        return repository.restore(f'{name}@LATEST', self.target.uri(), '--flush', '--yes')

    def assert_other_is_sound(self, repository):
        run = repository.run('verify', 'sound@LATEST')
        self.assertTrue(self.assert_done(run)[0]['ok'])
        self.assert_done(self.restore(repository, 'sound'))
        self.assertEqual(self.target.digest(), self.digests['sound'])
        self.assertIsNone(next(b for b in repository.list() if b['instance'] == 'sound')['damage'])

    def assert_named(self, repository, words):
        """verify names the object; the other backup is told to be good."""
        run = repository.run('verify', '--all')
        self.assertEqual(run.code, cli.DIFFERENT, run)
        results = {result['instance']: result for result in run.json}
        self.assertEqual((results['hurt']['ok'], results['sound']['ok']), (False, True), run)
        self.assertGreater(results['hurt']['problem_count'], 0)
        self.assertTrue(any(words in problem for problem in results['hurt']['problems']), run)
        run = cli.sluice('verify', '--all', '--repo', repository.path)
        self.assertEqual(run.code, cli.DIFFERENT, run)
        self.assertIn('DAMAGED', run.out)

    def assert_not_passed_off(self, repository, words, may_work):
        """A restore fails and says why; or, where what was damaged is not needed for it, it gives
        the very data."""
        run = self.restore(repository, 'hurt')
        if run.code == cli.DONE and may_work:
            self.assertEqual(self.target.digest(), self.digests['hurt'])
            return
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assertIn(words, run.err)
        self.assertIsNotNone(run.error)
        if 'read' in run.json:
            self.assert_balanced(run.json)

    def check(self, kinds, words, how, times, may_work):
        for _ in range(times):
            repository, what = self.hurt(kinds, how)
            with self.subTest(what):
                self.assert_named(repository, words)
                self.assert_not_passed_off(repository, words, may_work)
                self.assert_other_is_sound(repository)

    def test_pack(self):
        pack = f'{self.ids["hurt"]}-00000000'
        self.check(['pack'], pack, 'flip', 8, may_work=True)  # the end of it is for scrubbers only
        self.check(['pack'], pack, 'truncate', 3, may_work=True)
        self.check(['pack'], pack, 'delete', 1, may_work=False)

    def test_one_manifest(self):
        """There are two; either will do, and the loss of one is told."""
        for kind in ('manifest', 'manifest.copy'):
            self.check([kind], kind, 'flip', 2, may_work=True)
            self.check([kind], kind, 'truncate', 1, may_work=True)
            self.check([kind], kind, 'delete', 1, may_work=True)

    def test_both_manifests(self):
        for how in ('flip', 'truncate', 'delete'):
            self.check(['manifest', 'manifest.copy'], 'manifest', how, 1, may_work=False)

    def test_head(self):
        for how, times in (('flip', 4), ('truncate', 2), ('delete', 1)):
            self.check(['HEAD'], 'HEAD', how, times, may_work=True)

    def test_damage_is_listed(self):
        for kinds in (['HEAD'], ['manifest', 'manifest.copy']):
            repository, what = self.hurt(kinds, 'flip')
            with self.subTest(what):
                damage = {b['instance']: b['damage'] for b in repository.list()}
                self.assertIsNone(damage['sound'])
                self.assertIn(kinds[0], damage['hurt'])
                run = cli.sluice('list', '--repo', repository.path)
                self.assertEqual(run.code, cli.DONE)
                self.assertIn('DAMAGED', run.out)

    def test_a_new_backup_does_not_clear_away_what_is_damaged(self):
        """A damaged HEAD may be that of a good backup: that is for a person to decide."""
        for kinds, how in ((['HEAD'], 'flip'), (['HEAD'], 'delete'),
                           (['manifest', 'manifest.copy'], 'flip')):
            repository, what = self.hurt(kinds, how)
            with self.subTest(what):
                self.assert_done(repository.backup(DUMP, '--name', 'hurt'))
                self.assertTrue(self.files(repository, 'pack').exists())
                self.assert_other_is_sound(repository)

    def test_one_format(self):
        """There are two; either will do. A backup tells of the loss of one, verify names it."""
        for kind in ('FORMAT', 'FORMAT.copy'):
            for how, times in (('flip', 2), ('truncate', 1), ('delete', 1)):
                for _ in range(times):
                    repository, what = self.hurt([kind], how)
                    with self.subTest(what):
                        self.assertEqual(len(repository.list()), 2)
                        run = repository.run('verify', '--all')
                        self.assertEqual(run.code, cli.DIFFERENT, run)
                        self.assertIn(kind, json.dumps(run.json))
                        self.assert_done(self.restore(repository, 'sound'))
                        run = repository.backup(DUMP)
                        self.assert_done(run)
                        self.assertEqual('FORMAT' in run.err, kind == 'FORMAT', run)

    def test_both_formats(self):
        """Nothing can be opened: exit 1, and it is named."""
        for how, times in (('flip', 3), ('truncate', 2)):
            for _ in range(times):
                repository, what = self.hurt(['FORMAT', 'FORMAT.copy'], how)
                with self.subTest(what):
                    for verb in (('list',), ('verify', '--all'),
                                 ('restore', 'sound@LATEST', self.target.uri(), '--flush', '--yes'),
                                 ('backup', DUMP)):
                        run = repository.run(*verb)
                        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
                        self.assertIsNotNone(run.error)
                        self.assertIn('FORMAT', run.err)
                    self.assertTrue(self.files(repository, 'pack').exists())

    def test_no_new_repository_over_an_old_one(self):
        """Without FORMAT, a directory that holds backups is not one to make a repository of: a new
        repository id would make every backup in it unreadable for good."""
        repository, _ = self.hurt(['FORMAT', 'FORMAT.copy'], 'delete')
        for verb in (('list',), ('verify', '--all'), ('show', 'LATEST'),
                     ('restore', 'sound@LATEST', self.target.uri(), '--flush', '--yes')):
            self.assert_refused(repository.run(*verb), 'not_a_repository', 'FORMAT')
        run = repository.backup(DUMP)
        self.assertEqual((run.code, run.err.count('\n')), (cli.FAILED, 1), run)
        self.assertIn('FORMAT', run.err)
        # And with both back, all is as it was.
        for kind in ('FORMAT', 'FORMAT.copy'):
            (repository.path / kind).write_bytes((self.whole.path / kind).read_bytes())
        self.assert_done(repository.run('verify', '--all'))
        self.assertEqual([b['id'] for b in repository.list()], [b['id'] for b in self.whole.list()])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--seed', type=int)
    options, rest = parser.parse_known_args()
    SEED = options.seed
    sys.argv[1:] = rest
    cli.main(SERVER)
