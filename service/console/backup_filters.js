// Which backups are shown: a range of time and a state.
import { h } from './dom.js';
import { now } from './api.js';
import { inputToIso, isoToInput } from './format.js';
import { field, select } from './ui.js';

const ranges = [
  ['', 'All'],
  ['24h', '24 h', 24],
  ['7d', '7 d', 168],
  ['30d', '30 d', 720],
];

/// The chosen range and state; kept in the address, so that a reload or a link has them too.
export function backupFilters(ctx, apply) {
  const from = h('input', { type: 'datetime-local', value: isoToInput(ctx.query.get('from')) });
  const to = h('input', { type: 'datetime-local', value: isoToInput(ctx.query.get('to')) });
  const status = select(
    [
      ['', 'Any'],
      ['ok', 'Good'],
      ['verified', 'Verified'],
      ['unverified', 'Not verified'],
      ['damaged', 'Damaged'],
      ['pinned', 'Pinned'],
    ],
    { value: ctx.query.get('status') ?? '' },
  );
  let range = ctx.query.get('range') ?? '';
  const quick = ranges.map(([id, label]) =>
    h(
      'button',
      {
        type: 'button',
        class: 'button small',
        onclick: () => {
          range = id;
          from.value = '';
          to.value = '';
          changed();
        },
      },
      label,
    ),
  );
  const values = () => {
    const hours = ranges.find(([id]) => id === range)?.[2];
    return {
      from: hours ? new Date(now() - hours * 3600e3).toISOString() : inputToIso(from.value),
      to: inputToIso(to.value),
      status: status.value,
    };
  };
  const show = () =>
    ranges.forEach(([id], i) =>
      quick[i].setAttribute('aria-pressed', String(id === range && !from.value && !to.value)),
    );
  const changed = () => {
    show();
    ctx.setQuery({
      range,
      status: status.value,
      from: inputToIso(from.value),
      to: inputToIso(to.value),
    });
    apply();
  };
  for (const input of [from, to]) {
    input.addEventListener('change', () => {
      range = '';
      changed();
    });
  }
  status.addEventListener('change', changed);
  show();
  const node = h(
    'div',
    { class: 'filters fields' },
    h('div', { class: 'segmented', role: 'group', 'aria-label': 'Time range' }, quick),
    field('From', from),
    field('To', to),
    field('State', status),
  );
  return { node, values };
}
