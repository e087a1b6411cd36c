#!/usr/bin/env python3
"""Retention: which backups go, that the rest stays whole, and that what went can be had back.

The backups are taken from RDB files of the corpus, which needs no server.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402

FILES = sorted((cli.CORPUS / 'servers').rglob('*.rdb'))


class Prune(cli.Case):
    def setUp(self):
        super().setUp()
        self.repo = self.repository()

    def take(self, count, name='a', first=0):
        """Ids of new backups, oldest first."""
        ids = []
        for i in range(first, first + count):
            run = self.repo.run('backup', FILES[i % len(FILES)], '--name', name)
            self.assertEqual(run.code, cli.DONE, run)
            ids.append(run.json['id'])
        return ids

    def listed(self):
        return [backup['id'] for backup in self.repo.run('list').json]

    def prune(self, *options, code=cli.DONE):
        run = self.repo.run('prune', *options)
        self.assertEqual(run.code, code, run)
        return run.json

    def assert_whole(self, count):
        run = self.repo.run('verify', '--all')
        self.assertEqual(run.code, cli.DONE, run)
        self.assertEqual(len(run.json), count)

    def test_is_a_dry_run_unless_confirmed(self):
        ids = self.take(4)
        told = self.prune('--keep-last', 2)
        self.assertTrue(told['dry_run'])
        self.assertEqual(told['removed_backups'], 2)
        self.assertEqual([backup['keep'] for backup in told['backups']],
                         [False, False, True, True])
        self.assertEqual(self.listed(), ids)
        done = self.prune('--keep-last', 2, '--confirm')
        self.assertFalse(done['dry_run'])
        self.assertEqual(done['removed_backups'], 2)
        self.assertEqual(self.listed(), ids[2:])
        self.assert_whole(2)

    def test_a_policy_that_keeps_nothing_is_refused(self):
        self.take(1)
        for options in ([], ['--keep-last', 0], ['--keep-minimum', 5]):
            run = self.repo.run('prune', *options, '--confirm')
            self.assertEqual(run.code, cli.USAGE, run)
            self.assertEqual(run.error, 'empty_policy')
        self.assertEqual(len(self.listed()), 1)

    def test_each_instance_is_judged_by_itself_and_keeps_its_last(self):
        ours, theirs = self.take(2, 'a'), self.take(2, 'b')
        self.prune('--keep-last', 1, '--name', 'a', '--confirm')
        self.assertEqual(self.listed(), ours[1:] + theirs)
        self.prune('--keep-last', 1, '--confirm')
        self.assertEqual(self.listed(), [ours[1], theirs[1]])
        self.assert_whole(2)

    def test_what_went_can_be_had_back_until_the_trash_is_emptied(self):
        ids = self.take(3)
        self.repo.run('remove', ids[0], ids[1], '--confirm')
        trash = self.repo.run('trash', 'list').json
        self.assertEqual([entry['id'] for entry in trash['backups']], ids[:2])
        back = self.repo.run('trash', 'restore', ids[0])
        self.assertEqual(back.code, cli.DONE, back)
        self.assertEqual(self.listed(), [ids[0], ids[2]])
        self.assert_whole(2)
        dry = self.repo.run('trash', 'empty', '--older-than', '0d')
        self.assertEqual(len(dry.json['backups']), 1)
        emptied = self.repo.run('trash', 'empty', '--older-than', '0d', '--confirm')
        self.assertEqual(emptied.code, cli.DONE, emptied)
        gone = self.repo.run('trash', 'restore', ids[1])
        self.assertEqual(gone.code, cli.FAILED, gone)
        self.assertEqual(gone.error, 'not_found')
        self.assert_whole(2)

    def test_without_trash_what_goes_is_gone_and_so_is_its_room(self):
        ids = self.take(6)
        before = self.repository_bytes()
        self.prune('--keep-last', 1, '--trash', '0d', '--confirm')
        self.assertEqual(self.listed(), ids[-1:])
        self.assertLess(self.repository_bytes(), before)
        self.assertEqual(self.repo.run('trash', 'list').json['packs'], 0)
        self.assert_whole(1)

    def repository_bytes(self):
        return sum(path.stat().st_size for path in pathlib.Path(self.repo.path).rglob('*')
                   if path.is_file())

    def test_a_pin_holds_against_everything(self):
        ids = self.take(3)
        self.repo.run('pin', ids[0], '--note', 'before the move')
        self.assertEqual(self.repo.run('list').json[0]['pinned'], 'before the move')
        self.assertEqual(self.repo.run('show', ids[0]).json['pinned'], 'before the move')
        self.assertIsNone(self.repo.run('show', ids[1]).json['pinned'])
        self.prune('--keep-last', 1, '--confirm')
        self.assertEqual(self.listed(), [ids[0], ids[2]])
        refused = self.repo.run('remove', ids[0], '--confirm')
        self.assertEqual(refused.code, cli.FAILED, refused)
        self.assertEqual(refused.error, 'pinned')
        self.assertIn('before the move', refused.err)
        self.repo.run('unpin', ids[0])
        self.prune('--keep-last', 1, '--confirm')
        self.assertEqual(self.listed(), [ids[2]])

    def test_a_damaged_backup_takes_no_whole_ones_place(self):
        ids = self.take(3)
        for name in ('manifest', 'manifest.copy'):
            path = pathlib.Path(self.repo.path) / 'instances/a' / ids[2] / name
            path.chmod(0o600)
            path.write_bytes(b'damaged')
        told = self.prune('--keep-last', 1, '--confirm', code=cli.INCOMPLETE)
        self.assertEqual([backup['keep'] for backup in told['backups']], [False, True, True])
        self.assertIn('manifest', told['kept_because'])
        self.assertEqual(self.listed(), ids[1:])

    def test_many_missing_backups_keep_packs_from_going(self):
        self.take(3, 'a')
        self.take(3, 'b')
        self.prune('--keep-last', 2, '--confirm')
        instances = pathlib.Path(self.repo.path) / 'instances'
        os.rename(instances / 'a', instances.parent.parent / 'unmounted')
        told = self.prune('--keep-last', 1, '--trash', '0d', '--confirm', code=cli.INCOMPLETE)
        self.assertIn('are listed', told['kept_because'])
        os.rename(instances.parent.parent / 'unmounted', instances / 'a')
        self.assert_whole(3)
        done = self.prune('--collect-only', '--trash', '0d', '--confirm')
        self.assertIsNone(done['kept_because'])
        self.assert_whole(3)


if __name__ == '__main__':
    cli.main()
