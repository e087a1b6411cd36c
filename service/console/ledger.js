// The numbers of a recovery, planned or done, by type.
import { h } from './dom.js';
import { count, duration, size, sizeText } from './format.js';
import { bytesOfEscaped, keyName } from './keys.js';
import { facts, notice } from './ui.js';
import { table } from './table.js';

const num = (label, value) => ({ label, class: 'num', cell: (row) => value(row) });

function rowsOf(result, planned) {
  const types = Object.entries(result.by_type ?? {}).map(([type, n]) => ({
    type,
    ...n,
    plan: planned?.by_type?.[type],
  }));
  return [
    ...types.sort((a, b) => b.read - a.read),
    {
      type: 'All',
      total: true,
      read: result.read,
      written: result.written,
      filtered: result.filtered,
      skipped: result.skipped,
      expired: result.expired,
      failed: result.failed,
      plan: planned,
    },
  ];
}

const type = {
  label: 'Type',
  head: true,
  cell: (row) => (row.total ? h('strong', {}, row.type) : row.type),
};

/// What a dry run found. The plan's sums are beside its types, or below `total`.
function planOf(result) {
  return { ...result.plan, ...(result.plan?.total ?? {}) };
}

export function planTable(result) {
  const plan = planOf(result);
  return table({
    caption: 'What the recovery would do, by type',
    rows: rowsOf(result, plan),
    cards: false,
    columns: [
      type,
      num('In the backup', (r) => count(r.read)),
      num('Added', (r) => count(r.plan?.added)),
      num('Replaced', (r) => count(r.plan?.replaced)),
      num('Filtered out', (r) => count(r.filtered)),
      num('Skipped', (r) => count(r.skipped)),
      num('Expired', (r) => count(r.expired)),
      num('Memory', (r) => size(r.plan?.memory_bytes)),
    ],
  }).node;
}

export function fitsNotice(result) {
  const plan = planOf(result);
  const used = plan.target_used_memory ?? plan.used_memory;
  const max = plan.target_maxmemory ?? plan.maxmemory;
  const needs =
    `It needs about ${sizeText(plan.memory_bytes)}; the server uses ${sizeText(used)}` +
    (max ? ` of ${sizeText(max)}.` : ' and has no limit set.');
  if (plan.fits === false) return notice('bad', h('strong', {}, 'It does not fit. '), needs);
  if (plan.fits === true) return notice('ok', h('strong', {}, 'It fits. '), needs);
  return notice(
    'warn',
    'The server does not say how much memory it may use. ',
    `It needs about ${sizeText(plan.memory_bytes)}.`,
  );
}

export function notesOf(result) {
  const notes = result.notes ?? [];
  return notes.length === 0
    ? null
    : h(
        'ul',
        { class: 'notices' },
        notes.map((text) => h('li', {}, text)),
      );
}

function failuresOf(result) {
  const failures = result.failures ?? [];
  if (failures.length === 0) return null;
  return h(
    'details',
    {},
    h('summary', {}, `${count(result.failure_count)} keys failed`),
    h(
      'ul',
      {},
      failures
        .slice(0, 100)
        .map((f) => h('li', {}, keyName(bytesOfEscaped(f.key)), `: ${f.message}`)),
    ),
  );
}

/// The end of a recovery, clone or promotion: whether it is proven, and where each key went.
export function ledger(result) {
  const verdict =
    result.verified === true
      ? notice(
          'ok',
          h('strong', {}, 'Verified. '),
          'Everything was read back, and its digest is the backup’s.',
        )
      : result.verified === false
        ? notice(
            'bad',
            h('strong', {}, 'Not equal. '),
            'What was read back has another digest than the backup.',
          )
        : notice(
            'warn',
            'Not proven: the digest was not compared. That takes a server that is empty at first.',
          );
  return h(
    'div',
    {},
    verdict,
    table({
      caption: 'Where each key of the backup went, by type',
      rows: rowsOf(result),
      cards: false,
      columns: [
        type,
        num('Read', (r) => count(r.read)),
        num('Written', (r) => count(r.written)),
        num('Filtered out', (r) => count(r.filtered)),
        num('Skipped', (r) => count(r.skipped)),
        num('Expired', (r) => count(r.expired)),
        num('Failed', (r) => count(r.failed)),
      ],
    }).node,
    facts([
      ['Digest', result.digest ? h('code', {}, result.digest) : null],
      ['Took', duration(result.seconds)],
      ['Way', result.mode],
    ]),
    notesOf(result),
    failuresOf(result),
  );
}
