// Keys of a backup: search, value, history; and what differs between two backups.
import { h, replace } from './dom.js';
import { get, query } from './api.js';
import { count, duration, plural, size, time } from './format.js';
import { bytesOfEscaped, bytesOfValue, keyName } from './keys.js';
import { busy, button, field, later, muted, notice, section, select } from './ui.js';
import { table } from './table.js';
import { runJob } from './jobs.js';
import { backupField, backupsOf } from './backups.js';
import { showKey } from './keyview.js';

const types = ['string', 'hash', 'list', 'set', 'zset', 'stream', 'module'];

function keyButton(ctx, instance, backup, key, db) {
  return h(
    'button',
    {
      type: 'button',
      class: 'as-link',
      onclick: () => showKey({ instance: instance.name, backup, key, db }, ctx.signal),
    },
    keyName(key),
  );
}

const cuts = {
  limit: 'There are more; raise the limit or narrow the search.',
  time: 'The search took too long and stopped here; narrow it.',
};

function results(ctx, instance, backup, answer) {
  const why = answer.truncated_by ?? (answer.more ? 'limit' : null);
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'muted', role: 'status' },
      `${plural(answer.keys.length, 'key')} found. `,
      why ? cuts[why] : '',
    ),
    table({
      caption: 'Keys found',
      rows: answer.keys,
      none: 'No such key in this backup.',
      columns: [
        {
          label: 'Key',
          head: true,
          class: 'key-cell',
          cell: (k) => keyButton(ctx, instance, backup, bytesOfEscaped(k.key), k.db),
        },
        { label: 'Type', cell: (k) => k.type },
        { label: 'DB', class: 'num', cell: (k) => k.db },
        { label: 'Size', class: 'num', cell: (k) => size(k.size_in_bytes) },
        { label: 'Elements', class: 'num', cell: (k) => count(k.num_elements) },
        { label: 'Encoding', cell: (k) => k.encoding ?? '–' },
        {
          label: 'Expires',
          cell: (k) => (k.expiry ? time(new Date(k.expiry).toISOString()) : muted('no')),
        },
      ],
    }).node,
  );
}

function searchForm(ctx, instance, backups) {
  const place = h('div', {});
  const chosen = backupField(backups, ctx.query.get('backup'));
  const how = select(
    [
      ['prefix', 'begins with'],
      ['match', 'matches the pattern'],
      ['exact', 'is exactly'],
    ],
    { 'aria-label': 'How the name is searched' },
  );
  const text = h('input', { type: 'search', spellcheck: 'false', autocomplete: 'off' });
  const type = select([['', 'Any type'], ...types.map((t) => [t, t])]);
  const db = h('input', {
    type: 'number',
    min: 0,
    step: 1,
    placeholder: 'any',
    inputmode: 'numeric',
  });
  const limit = select([
    ['100', '100'],
    ['500', '500'],
    ['1000', '1,000'],
  ]);
  const go = button('Search', null, { kind: 'primary', type: 'submit' });
  const search = async () => {
    const backup = chosen.control.value;
    if (how.value === 'exact') {
      showKey(
        { instance: instance.name, backup, key: bytesOfValue(text.value), db: db.value || null },
        ctx.signal,
      );
      return;
    }
    replace(place, h('p', { class: 'muted loading' }, 'Searching…'));
    try {
      const answer = await get(
        `/backups/${encodeURIComponent(backup)}/keys${query({
          [how.value]: text.value,
          type: type.value,
          db: db.value,
          limit: limit.value,
        })}`,
        { signal: ctx.signal },
      );
      replace(place, results(ctx, instance, backup, answer));
    } catch (error) {
      if (error.name !== 'AbortError') replace(place, notice('bad', error.message));
    }
  };
  const form = h(
    'form',
    {
      class: 'search',
      role: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        busy(go, search);
      },
    },
    chosen.node,
    h(
      'div',
      { class: 'fields' },
      h('div', { class: 'field' }, h('span', { class: 'label' }, 'Name'), how),
      field('Text', text),
      field('Type', type),
      field('Database', db),
      field('Limit', limit),
      h('div', { class: 'field end' }, go),
    ),
  );
  return h('div', {}, form, place);
}

const changes = {
  only_a: 'only in the first',
  only_b: 'only in the second',
  different: 'different',
};

function differences(ctx, instance, result) {
  const tile = (label, value) =>
    h('div', { class: 'tile' }, h('dt', {}, label), h('dd', {}, count(value)));
  return h(
    'div',
    {},
    h(
      'dl',
      { class: 'tiles' },
      tile('Same', result.same),
      tile('Only in the first', result.only_a),
      tile('Only in the second', result.only_b),
      tile('Different', result.different),
    ),
    h(
      'p',
      { class: 'muted' },
      `Took ${duration(result.seconds)}.`,
      result.differences.length >= 1000 ? ' The first 1,000 are listed.' : '',
    ),
    table({
      caption: 'Keys that differ',
      rows: result.differences,
      none: 'Nothing differs.',
      columns: [
        {
          label: 'Key',
          head: true,
          class: 'key-cell',
          cell: (d) =>
            keyButton(
              ctx,
              instance,
              d.change === 'only_a' ? result.a : result.b,
              bytesOfValue(d.key),
              d.db,
            ),
        },
        { label: 'DB', class: 'num', cell: (d) => d.db },
        { label: 'Change', cell: (d) => changes[d.change] ?? d.change },
        { label: 'Type in the first', cell: (d) => d.type_a ?? '–' },
        { label: 'Type in the second', cell: (d) => d.type_b ?? '–' },
      ],
    }).node,
  );
}

function compareForm(ctx, instance, backups) {
  const place = h('div', { class: 'job-place' });
  const end = h('div', {});
  const a = backupField(backups, backups[Math.min(1, backups.length - 1)].id, null, 'First');
  const b = backupField(backups, backups[0].id, null, 'Second');
  const go = button(
    'Compare',
    () =>
      busy(go, async () => {
        replace(end);
        const job = await runJob(
          place,
          '/diffs',
          { a: a.control.value, b: b.control.value },
          ctx.signal,
        );
        if (job.result) replace(end, differences(ctx, instance, job.result));
      }),
    { role: 'operator', kind: 'primary' },
  );
  return h(
    'div',
    {},
    h('div', { class: 'fields' }, a.node, b.node, h('div', { class: 'field end' }, go)),
    place,
    end,
  );
}

export function keysTab(ctx, instance) {
  return later(async () => {
    const backups = await backupsOf(instance.name, { signal: ctx.signal });
    if (backups.length === 0) return notice('info', 'There is no backup yet to look into.');
    return h(
      'div',
      {},
      section('Search', {}, searchForm(ctx, instance, backups)),
      section('Compare two backups', {}, compareForm(ctx, instance, backups)),
    );
  }, ctx.signal);
}
