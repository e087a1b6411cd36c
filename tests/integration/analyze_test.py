#!/usr/bin/env python3
"""`sluice analyze`: counts against `check` over the corpus, memory estimates against what servers
say, the page, and places of every kind."""

import collections
import html.parser
import os
import pathlib
import re
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cli  # noqa: E402
import corpus_test  # noqa: E402
import fake  # noqa: E402
import fill  # noqa: E402
import memory_test  # noqa: E402
import servers  # noqa: E402

ROWS = [row for row in corpus_test.load() if row.verdict == 'ok']
AMOUNT = ('keys', 'serialized_bytes', 'elements', 'memory_bytes')
ERROR_MAX = 0.25  # of the sum of all estimates
HOSTILE = ('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "'&amp;<!--",
           b'\xff\xfe\x00\x1b[31m', '</td></table>', 'javascript:alert(1)', 'url(x)', ']]>')


def analyze(place, *args, **how):
    return cli.sluice('analyze', '--json', *args, place, **how)


def add(amounts):
    return {name: sum(amount[name] for amount in amounts) for name in AMOUNT}


class Page(html.parser.HTMLParser):
    """Which tags and attributes a page has."""

    def __init__(self, text):
        super().__init__()
        self.tags = collections.Counter()
        self.attributes = collections.Counter()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)


class Analyze(cli.Case):
    def assert_adds_up(self, result):
        """Groups to the whole, and each prefix to the one above it."""
        for groups in ('types', 'encodings', 'databases'):
            self.assertEqual(add(result[groups].values()), result['total'], groups)
        for cluster in result['slots']['clusters']:
            self.assertEqual(add(cluster['shards']), result['total'])
        self.assertEqual(sum(bar['keys'] for bar in result['expiries']), result['expiring'])
        for sizes in ('serialized_sizes', 'element_counts'):
            self.assertEqual(sum(bar['keys'] for bar in result[sizes]['powers']),
                             result['total']['keys'])
        todo = [result['prefixes']]
        while todo:
            node = todo.pop()
            parts = [node['own'], node['other'], *node['children']]
            self.assertEqual(add(parts), {name: node[name] for name in AMOUNT}, node['prefix'])
            todo += node['children']

    def assert_page_is_safe(self, text):
        self.assertTrue(text.isascii())
        self.assertEqual(xml.etree.ElementTree.fromstring(text).tag, 'html')  # well-formed
        page = Page(text)
        self.assertLessEqual(set(page.tags), {
            'html', 'head', 'meta', 'title', 'style', 'body', 'h1', 'h2', 'p', 'section', 'dl',
            'div', 'dt', 'dd', 'figure', 'figcaption', 'svg', 'text', 'rect', 'table', 'caption',
            'thead', 'tbody', 'tr', 'th', 'td'})
        self.assertLessEqual(set(page.attributes), {
            'lang', 'charset', 'http-equiv', 'content', 'name', 'class', 'style', 'scope', 'role',
            'aria-label', 'viewbox', 'text-anchor', 'x', 'y', 'width', 'height', 'rx'})
        self.assertIsNone(re.search(r'://', re.sub(r'<p>.*?</p>|<title>.*?</title>|<h1>.*?</h1>',
                                                   '', text)), 'it refers to something')

    def test_corpus(self):
        for row in ROWS:
            with self.subTest(row.file):
                path = cli.CORPUS / row.file
                run = analyze(path)
                result = run.json
                self.assertIn(run.code, (cli.DONE, cli.INCOMPLETE), run)
                self.assertEqual(run.code == cli.INCOMPLETE, result['unreadable'] > 0, run)
                checked = cli.sluice('check', '--json', '--depth', 'frame', path).json
                types = {name: amount['keys'] for name, amount in result['types'].items()}
                self.assertEqual(types, checked['types'])
                self.assertEqual(result['total']['keys'], row.keys)
                self.assertEqual(result['expiring'], row.expiring)
                self.assertEqual(result['bytes'], checked['bytes'])
                self.assert_adds_up(result)

    def test_known_answers(self):
        server = self.server('redis70')
        client = self.client(server)
        client.pipeline([('SET', f'user:{i}:name', 'x' * i) for i in range(100)])
        client.pipeline([('SADD', f'team:{i}', *range(i + 1)) for i in range(20)])
        client.pipeline([('EXPIRE', f'team:{i}', 3000) for i in range(5)])
        client.call('SELECT', 3)
        client.call('RPUSH', 'queue', *('job' * 10 for _ in range(500)))
        client.call('XADD', 'log', '1-1', 'a', 'b')
        file = server.save()
        repository = self.repository()
        backup = self.assert_done(repository.backup(server.uri()))
        places = (file, server.uri(), backup['id'])
        results = [self.assert_done(repository.run('analyze', place)) for place in places]
        for result in results:
            self.assert_adds_up(result)
            self.assertEqual({name: (amount['keys'], amount['elements'])
                              for name, amount in result['types'].items()},
                             {'string': (100, 100), 'set': (20, 210), 'list': (1, 500),
                              'stream': (1, 1)})
            self.assertEqual({db: amount['keys'] for db, amount in result['databases'].items()},
                             {'0': 120, '3': 2})
            self.assertEqual({bar['range']: bar['keys'] for bar in result['expiries']
                              if bar['keys']}, {'< 1 hour': 5})
            self.assertEqual(result['top_by_elements'][0]['key'], 'queue')
            self.assertEqual((result['top_by_memory'][0]['key'],
                              result['top_by_memory'][0]['db']), ('queue', 3))
            [users] = [node for node in result['prefixes']['children']
                       if node['prefix'] == 'user:']
            self.assertEqual(users['children'][0]['prefix'], 'user:*:')
            self.assertEqual(users['children'][0]['children'][0]['prefix'], 'user:*:name')
            self.assertEqual(users['keys'], 100)
            self.assertEqual(result['source']['version'], '.'.join(map(str, server.version)))
        for name in ('types', 'prefixes', 'slots'):
            self.assertEqual(results[0][name], results[2][name])

    def test_access_times(self):
        for policy, wanted in (('allkeys-lru', 'idle'), ('allkeys-lfu', 'frequency')):
            server = self.server('redis70', ('--maxmemory-policy', policy))
            self.client(server).call('SET', 'k', 'v')
            result = self.assert_done(analyze(server.save()))
            for field in ('idle', 'frequency'):
                self.assertEqual(sum(bar['keys'] for bar in result[field]), int(field == wanted))

    def test_memory_is_what_servers_say(self):
        found = servers.available()
        for name in ('redis70', 'redis80', 'redis86', 'valkey81', 'valkey91'):
            if not found[name]:
                continue
            with self.subTest(name):
                server = self.server(name)
                client = self.client(server, timeout=300)
                self.typical(client)
                fill.fill(client, server.flavor, server.version, scale=0.2)
                result = self.assert_done(analyze(server.save()))
                said = self.memory_usage(client)
                ratio = result['total']['memory_bytes'] / said - 1
                print(f'analyze_test: {name}: estimate {ratio:+.1%} of MEMORY USAGE', flush=True)
                self.assertLess(abs(ratio), ERROR_MAX)

    def typical(self, client):
        """Keys as people have them, of each type small and large."""
        client.pipeline([('SET', f'session:{i}', 'x' * (i % 500)) for i in range(2000)])
        for size in (5, 100, 1000, 5000):
            for i in range(size):
                client.pipeline([('HSET', f'hash:{size}', f'field:{i}', f'value:{i}'),
                                 ('SADD', f'set:{size}', f'member:{i}'),
                                 ('ZADD', f'zset:{size}', i, f'member:{i}'),
                                 ('RPUSH', f'list:{size}', f'element:{i}'),
                                 ('XADD', f'stream:{size}', f'{i + 1}-1', 'f', f'value:{i}')])

    def memory_usage(self, client):
        total = 0
        for db in client.keyspace():
            client.call('SELECT', db)
            total += sum(client.pipeline(('MEMORY', 'USAGE', key, 'SAMPLES', 0)
                                         for key in client.call('KEYS', '*')))
        return total

    def page_of(self, place, *args):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'page.html'
            self.assert_done(analyze(place, '--html', path, *args))
            return path.read_text()

    def test_page(self):
        for row in ROWS:
            if row.file.startswith('servers/'):
                with self.subTest(row.file):
                    text = self.page_of(cli.CORPUS / row.file)
                    self.assert_page_is_safe(text)
                    self.assertIn('<svg', text)
        run = cli.sluice('analyze', cli.CORPUS / ROWS[0].file, '--html', '-')
        self.assertEqual(run.code, cli.DONE)
        self.assert_page_is_safe(run.out)

    def test_hostile_keys(self):
        names = [*HOSTILE, *(f'{a}:{b}' for a in HOSTILE[:3] for b in HOSTILE[:3])]
        with tempfile.NamedTemporaryFile(suffix='.rdb') as file:
            file.write(fake.rdb([(name, 'v') for name in names]))
            file.flush()
            text = self.page_of(file.name)
            self.assert_page_is_safe(text)
            self.assertIn('&lt;script&gt;alert(1)&lt;/script&gt;', text)
            run = cli.sluice('analyze', file.name)
            self.assertEqual(run.code, cli.DONE)
            self.assertTrue(run.out.replace('\n', '').isprintable())

    def test_memory_stays_bounded(self):
        """Keys of which no two begin alike, and long ones."""
        with tempfile.NamedTemporaryFile(suffix='.rdb') as file:
            file.write(fake.rdb_head())
            for i in range(400_000):
                file.write(fake.record(f'{i * 2654435761 % 2**32:x}g:{i}x:{i % 7}y', b'v'))
            for i in range(20):
                file.write(fake.record(b':'.join([b'%dz' % i] + [b'y' * 200] * 5000), b'v'))
            file.write(b'\xff' + bytes(8))
            file.flush()
            run, peak, seconds = memory_test.measured(
                [str(cli.binary()), 'analyze', '--json', '--quiet', file.name])
        self.assertEqual(run.code, cli.DONE, run)
        print(f'analyze_test: 400,020 keys: peak {peak >> 20} MiB, {seconds:.1f} s', flush=True)
        self.assertLess(peak, 64 << 20)
        result = run.json
        self.assertEqual(result['total']['keys'], 400_020)
        self.assertGreater(result['prefix_folds'], 0)
        self.assert_adds_up(result)

    def test_refusals(self):
        file = cli.CORPUS / ROWS[0].file
        self.assert_refused(analyze(file, '--html', '/no/such/folder/x.html'), 'open_failed',
                            '/no/such/folder', exit_code=cli.USAGE)
        self.assert_refused(analyze(file, '--html', '-'), 'bad_option', exit_code=cli.USAGE)
        for args in (('--top', '5000'), ('--depth', '0'), ('--shards', '0')):
            self.assertEqual(analyze(file, *args).code, cli.USAGE)
        data = (cli.CORPUS / 'servers/redis70-default.rdb').read_bytes()
        self.assert_refused(analyze('-', stdin=data[:5000]), 'truncated')
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / 'page.html'
            run = analyze('-', '--html', page, stdin=data[:5000])
            self.assert_refused(run, 'truncated')
            self.assertEqual(os.listdir(folder), [])
            page.write_text('the page before')
            self.assert_refused(analyze('-', '--html', page, stdin=data[:5000]), 'truncated')
            self.assertEqual(page.read_text(), 'the page before')
            self.assertEqual(os.listdir(folder), ['page.html'])
        self.assert_refused(analyze(file, '--html', '/dev/full'), 'write_failed', '/dev/full')


if __name__ == '__main__':
    cli.main('redis70')
