#!/usr/bin/env python3
"""Every server of the matrix as a source, restored into every other in every mode that there is.

  matrix_test.py [--write] [unittest arguments]    --write: makes docs/compatibility.md anew

The source has every type that it knows (fill.py). What the target can hold has to be there, equal
by sluice's digest and, in the same version, by DEBUG DIGEST; what it cannot hold has to be named. The
table of docs/compatibility.md is what this test finds, and has to be up to date.
"""

import base64
import collections
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import feed_test  # noqa: E402
import fill  # noqa: E402
import servers  # noqa: E402

MODES = ('restore', 'commands', 'feed')
PAGE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'compatibility.md'
BEGIN, END = '<!-- made by tests/integration/matrix_test.py -->\n', '<!-- end -->\n'
WRITE = False


def reason(failure):
    """Why a key is not there, without its name."""
    text = re.sub(r'^db \d+ key ".*" \(', '(', failure['message'], flags=re.S)
    return re.sub(r'at offset .*', '', text)


def escaped(key):
    """A key of a line, as messages have it."""
    data = base64.b64decode(key['$base64']) if isinstance(key, dict) else key.encode()
    return ''.join(chr(b) if 32 <= b < 127 and b not in b'"\\\\' else
                   '\\' + chr(b) if b in b'"\\\\' else f'\\x{b:02x}' for b in data)


class Matrix(feed_test.Feeding):
    @classmethod
    def setUpClass(cls):
        cls.sources, cls.targets = {}, {}
        cls.found = {}  # (source, target, mode): what is lost
        for name in servers.NAMES:
            cls.sources[name] = servers.Server(name).start()
            cls.targets[name] = servers.Server(name).start()

    @classmethod
    def tearDownClass(cls):
        for server in (*cls.sources.values(), *cls.targets.values()):
            server.stop()

    def back_up(self, name):
        source = self.sources[name]
        client = self.client(source)
        if not client.keyspace():
            fill.fill(client, source.flavor, source.version, scale=0.05)
        repository = self.repository()
        return repository, self.assert_done(repository.backup(source.uri()))

    def lines(self, repository, place, but):
        """What `export` says of a place: {(db, key): line}. Without streams, of which old servers
        know less, and without the keys of `but`."""
        run = repository.run('export', place, '--format', 'jsonl')
        self.assertEqual(run.code, cli.DONE, run)
        out = {}
        for text in run.out.splitlines():
            line = json.loads(text)
            name = line['db'], escaped(line['key'])
            if name not in but and line['type'] != 'stream':
                out[name] = line
        return out

    def restored(self, repository, backup, target, mode):
        """Restores, looks whether all is as it was said, and gives what is lost by reason."""
        client = self.client(target)
        before = feed_test.settings(client)
        run = repository.restore(backup['id'], target.uri(), '--mode', mode, '--flush', '--yes')
        self.assertIn(run.code, (cli.DONE, cli.INCOMPLETE), run)
        result = run.json
        self.assert_balanced(result)
        self.assertEqual(result['mode'], mode)
        self.assertIsNone(result['error'])
        self.assertEqual(result['read'], backup['keys'])
        self.assertEqual(result['read'], result['written'] + result['failed'], result['failures'])
        self.assertIs(result['verified'], True, result['notes'])
        lost = collections.Counter(reason(failure) for failure in result['failures'])
        lost.update('keys lose ' + what for loss in result['losses'] for what in loss['what'])
        self.assertEqual(run.code, cli.INCOMPLETE if lost else cli.DONE, result)
        self.assert_free(repository, client, before)
        return result, lost

    def one_pair(self, repository, backup, source, target, mode):
        result, lost = self.restored(repository, backup, target, mode)
        self.found[source.name, target.name, mode] = lost
        if lost:
            named = {(each['db'], each['key']) for each in result['failures']}
            named |= {(each['db'], each['name']) for each in result['losses']}
            self.assertEqual(self.lines(repository, backup['id'], named),
                             self.lines(repository, target.uri(), named))
            return
        there = self.assert_done(repository.run('digest', target.uri()))
        self.assertEqual(there['digest'], backup['digest'])
        if source.version == target.version:
            self.assertEqual(source.digest(), target.digest())

    def one_source(self, name):
        repository, backup = self.back_up(name)
        for target in self.targets.values():
            for mode in MODES:
                with self.subTest(source=name, target=target.name, mode=mode):
                    self.one_pair(repository, backup, self.sources[name], target, mode)

    def test_z_the_page_is_up_to_date(self):
        """Last by its name."""
        if len(self.found) < len(servers.NAMES) ** 2 * len(MODES):
            self.skipTest('needs the whole matrix')
        text = PAGE.read_text()
        head, _, rest = text.partition(BEGIN)
        now = head + BEGIN + page(self.found) + END + rest.partition(END)[2]
        if WRITE:
            PAGE.write_text(now)
        self.assertEqual(text if not WRITE else now, now, 'matrix_test.py --write makes it anew')


def _add_test(name):
    setattr(Matrix, f'test_{name}', lambda self: self.one_source(name))


for each in servers.NAMES:
    _add_test(each)


def cell(found, source, target):
    lost = [found[source, target, mode] for mode in MODES]
    if len({frozenset(each.items()) for each in lost}) == 1:
        lost = lost[:1]
    return ' / '.join(str(sum(each.values())) if each else 'equal' for each in lost)


def page(found):
    """The table of pairs, and what is lost where."""
    out = [f'Modes {", ".join(MODES)}; one number where they do not differ.', '',
           '| from \\ to | ' + ' | '.join(servers.NAMES) + ' |',
           '|---' * (len(servers.NAMES) + 1) + '|']
    for source in servers.NAMES:
        cells = ' | '.join(cell(found, source, target) for target in servers.NAMES)
        out.append(f'| **{source}** | {cells} |')
    out.append('')
    for source in servers.NAMES:
        for target in servers.NAMES:
            lost = {mode: found[source, target, mode] for mode in MODES}
            if not any(lost.values()):
                continue
            same = len({frozenset(each.items()) for each in lost.values()}) == 1
            for mode in MODES[:1] if same else MODES:
                for why, count in sorted(lost[mode].items()):
                    where = '' if same else f', mode {mode}'
                    out.append(f'- {source} → {target}{where}: {count} × {why}')
    return '\n'.join(out) + '\n'


if __name__ == '__main__':
    if '--write' in sys.argv:
        sys.argv.remove('--write')
        WRITE = True
    cli.main(*servers.NAMES)
