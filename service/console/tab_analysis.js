// What a backup consists of, in charts, and how the instance has grown.
import { h, replace } from './dom.js';
import { get } from './api.js';
import { count, duration, localText, plural, size, sizeText, time } from './format.js';
import { bytesOfEscaped, keyName } from './keys.js';
import { busy, button, empty, later, notice, section } from './ui.js';
import { table } from './table.js';
import { runJob } from './jobs.js';
import { backupField, backupsOf } from './backups.js';
import { bars, histogram, lines } from './charts.js';

const num = (label, cell) => ({ label, class: 'num', cell });

function groupColumns(name) {
  return [
    { label: name, head: true, cell: (g) => g.name },
    num('Keys', (g) => count(g.keys)),
    num('Elements', (g) => count(g.elements)),
    num('Serialized', (g) => size(g.serialized_bytes)),
    num('Memory', (g) => size(g.memory_bytes)),
  ];
}

function groups(title, name, object, hint) {
  const rows = Object.entries(object ?? {})
    .map(([key, g]) => ({
      name: key,
      ...g,
      label: key,
      value: g.memory_bytes,
      text: `${sizeText(g.memory_bytes)} · ${plural(g.keys, 'key')}`,
    }))
    .sort((a, b) => b.value - a.value);
  return bars(title, rows, { columns: groupColumns(name), hint });
}

const tops = [
  ['memory_bytes', 'top_by_memory', 'Largest by memory', sizeText],
  ['serialized_bytes', 'top_by_serialized', 'Largest as serialized', sizeText],
  ['elements', 'top_by_elements', 'Most elements', count],
];

const keyColumns = [
  { label: 'Key', head: true, class: 'key-cell', cell: (k) => keyName(bytesOfEscaped(k.key)) },
  { label: 'Type', cell: (k) => k.type },
  { label: 'Encoding', cell: (k) => k.encoding },
  num('DB', (k) => k.db),
  num('Elements', (k) => count(k.elements)),
  num('Serialized', (k) => size(k.serialized_bytes)),
  num('Memory', (k) => size(k.memory_bytes)),
];

function topKeys(analysis) {
  return tops.map(([value, list, title, text]) =>
    bars(
      title,
      (analysis[list] ?? []).slice(0, 10).map((k) => ({
        ...k,
        label: keyName(bytesOfEscaped(k.key)),
        value: k[value],
        text: text(k[value]),
      })),
      { columns: keyColumns, data: analysis[list] ?? [] },
    ),
  );
}

/// A node of the tree; its children are made when it is opened.
function prefixNode(node, total) {
  const share = total > 0 ? (node.memory_bytes / total) * 100 : 0;
  const fill = h('span', { class: 'tree-fill' });
  fill.style.width = `${share.toFixed(2)}%`;
  const line = [
    keyName(bytesOfEscaped(node.prefix)),
    h('span', { class: 'tree-bar', 'aria-hidden': 'true' }, fill),
    h(
      'span',
      { class: 'tree-numbers' },
      `${sizeText(node.memory_bytes)} · ${plural(node.keys, 'key')} · ${share.toFixed(1)} %`,
    ),
  ];
  if (!node.children || node.children.length === 0)
    return h('li', { class: 'tree-leaf' }, h('div', { class: 'tree-line' }, line));
  const inner = h('div', {});
  const details = h(
    'details',
    {
      ontoggle: () => {
        if (details.open && !inner.firstChild) replace(inner, prefixList(node, total));
      },
    },
    h('summary', { class: 'tree-line' }, line),
    inner,
  );
  return h('li', {}, details);
}

function prefixList(node, total) {
  const children = [...node.children].sort((a, b) => b.memory_bytes - a.memory_bytes);
  return h(
    'ul',
    { class: 'tree' },
    children.slice(0, 200).map((child) => prefixNode(child, total)),
  );
}

function prefixes(analysis) {
  const root = analysis.prefixes;
  if (!root || root.children.length === 0) return empty('No prefixes.');
  return h(
    'figure',
    { class: 'chart' },
    h('figcaption', {}, 'Prefixes by memory'),
    h(
      'p',
      { class: 'hint' },
      '* stands for parts that look like ids. Open a prefix to see what is below it.',
    ),
    prefixList(root, root.memory_bytes),
  );
}

function expiries(analysis) {
  const all = analysis.expiries ?? [];
  const rows = [
    ...all,
    { range: 'never', keys: analysis.total.keys - analysis.expiring, serialized_bytes: null },
  ];
  return histogram(
    'Time to live',
    rows.map((e) => ({ ...e, label: e.range, value: e.keys, text: count(e.keys) })),
    {
      columns: [
        { label: 'Expires in', head: true, cell: (e) => e.range },
        num('Keys', (e) => count(e.keys)),
        num('Serialized', (e) => size(e.serialized_bytes)),
      ],
    },
  );
}

function overview(analysis) {
  const tile = (label, value) =>
    h('div', { class: 'tile' }, h('dt', {}, label), h('dd', {}, value));
  return h(
    'dl',
    { class: 'tiles' },
    tile('Keys', count(analysis.total.keys)),
    tile('Memory, estimated', size(analysis.total.memory_bytes)),
    tile('Serialized', size(analysis.total.serialized_bytes)),
    tile('With expiry', count(analysis.expiring)),
    tile('Unreadable', count(analysis.unreadable)),
    tile('Took', duration(analysis.seconds)),
  );
}

function charts(analysis) {
  return h(
    'div',
    {},
    overview(analysis),
    h(
      'div',
      { class: 'charts' },
      groups('Types by memory', 'Type', analysis.types),
      groups('Encodings by memory', 'Encoding', analysis.encodings),
      topKeys(analysis),
      expiries(analysis),
      prefixes(analysis),
    ),
  );
}

function growth(backups) {
  if (backups.length < 2) return empty('Two backups are needed to show growth.');
  const rows = [...backups].reverse();
  const common = {
    at: (b) => Date.parse(b.started_at),
    timeText: (b) => localText(new Date(b.started_at)),
  };
  const columns = [
    { label: 'Backup', head: true, cell: (b) => time(b.started_at) },
    num('RDB size', (b) => size(b.raw_bytes)),
    num('Added to the repository', (b) => size(b.new_bytes)),
    num('Keys', (b) => count(b.keys)),
  ];
  return h(
    'div',
    { class: 'charts' },
    lines('Size over time', rows, {
      ...common,
      text: sizeText,
      columns,
      series: [
        { name: 'RDB size', css: 'a', value: (b) => b.raw_bytes },
        { name: 'Added to the repository', css: 'b', value: (b) => b.new_bytes },
      ],
    }),
    lines('Keys over time', rows, {
      ...common,
      text: (n) => count(Math.round(n)),
      columns,
      series: [{ name: 'Keys', css: 'a', value: (b) => b.keys }],
    }),
  );
}

function chooser(ctx, backups) {
  const place = h('div', {});
  const jobPlace = h('div', { class: 'job-place' });
  const path = () => `/backups/${encodeURIComponent(chosen.control.value)}/analysis`;
  const load = async () => {
    const wanted = path();
    try {
      const analysis = await get(wanted, { signal: ctx.signal });
      if (wanted === path()) replace(place, charts(analysis));
    } catch (error) {
      if (error.name === 'AbortError' || wanted !== path()) return;
      replace(
        place,
        error.status === 404
          ? empty('This backup was not analysed yet.')
          : notice('bad', error.message),
      );
    }
  };
  const chosen = backupField(backups, ctx.query.get('backup'), load);
  const run = button(
    'Run analysis',
    () =>
      busy(run, async () => {
        const job = await runJob(jobPlace, path(), {}, ctx.signal);
        if (job.state === 'done') await load();
      }),
    { role: 'operator', kind: 'primary' },
  );
  load();
  return h(
    'div',
    {},
    h('div', { class: 'fields' }, chosen.node, h('div', { class: 'field end' }, run)),
    jobPlace,
    place,
  );
}

export function analysisTab(ctx, instance) {
  return later(async () => {
    const backups = await backupsOf(instance.name, { signal: ctx.signal });
    if (backups.length === 0) return notice('info', 'There is no backup yet to analyse.');
    return h(
      'div',
      {},
      section('Contents of a backup', {}, chooser(ctx, backups)),
      section('Growth', { hint: 'Over the backups that are kept.' }, growth(backups)),
    );
  }, ctx.signal);
}
