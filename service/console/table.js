// Tables. On a narrow screen each row becomes a card, or the table scrolls within its frame.
import { h, replace } from './dom.js';
import { busy, empty } from './ui.js';

function cell(column, row) {
  const content = column.cell(row);
  const props = {
    class: column.class,
    role: column.head ? 'rowheader' : 'cell',
    'data-label': column.label,
  };
  return column.head ? h('th', { ...props, scope: 'row' }, content) : h('td', props, content);
}

function tableRow(columns, row) {
  return h(
    'tr',
    { role: 'row' },
    columns.map((column) => cell(column, row)),
  );
}

/// columns: {label, cell(row) -> node or text, class, head (names the row), hidden (label is for
/// screen readers only)}. Roles are spelt out since a table laid out as cards loses its own.
/// The result has `update(rows)`; `key(row)` names rows so that `updateRow(row)` finds its own.
export function table({
  caption,
  columns,
  rows,
  key,
  none = 'Nothing here.',
  cards = true,
  kind = '',
}) {
  const body = h('tbody', { role: 'rowgroup' });
  const byKey = new Map();
  const note = h('div', {});
  const element = h(
    'table',
    { role: 'table', class: `${cards ? 'cards' : ''} ${kind}` },
    h('caption', { class: 'visually-hidden' }, caption),
    h(
      'thead',
      { role: 'rowgroup' },
      h(
        'tr',
        { role: 'row' },
        columns.map((column) =>
          h(
            'th',
            { scope: 'col', role: 'columnheader', class: column.class },
            column.hidden ? h('span', { class: 'visually-hidden' }, column.label) : column.label,
          ),
        ),
      ),
    ),
    body,
  );
  const frame = h(
    'div',
    { class: 'table-frame', role: 'group', tabindex: '0', 'aria-label': caption },
    element,
  );
  const node = h('div', {}, frame, note);

  const add = (row) => {
    const line = tableRow(columns, row);
    if (key) byKey.set(key(row), line);
    body.append(line);
  };
  const update = (all) => {
    replace(body);
    byKey.clear();
    all.forEach(add);
    frame.hidden = all.length === 0;
    replace(note, all.length === 0 ? empty(none) : null);
  };
  const updateRow = (row) => {
    const old = byKey.get(key(row));
    if (!old) return false;
    const line = tableRow(columns, row);
    const focused = old.contains(document.activeElement);
    const index = focused
      ? [...old.querySelectorAll('a,button')].indexOf(document.activeElement)
      : -1;
    old.replaceWith(line);
    byKey.set(key(row), line);
    if (index >= 0) line.querySelectorAll('a,button')[index]?.focus();
    return true;
  };
  update(rows ?? []);
  return {
    node,
    update,
    updateRow,
    append: (more) => more.forEach(add),
    row: (id) => byKey.get(id),
  };
}

/// A table that grows by "Show more": `load(before)` gives {rows, next}; next null: no more.
/// `reload()` loads as many pages as are shown, `reload({from: 'start'})` the first.
export function pagedTable(options, load) {
  const shown = table(options);
  let next = null;
  let pages = 1;
  let newest = 0; // of the requests for rows; the answers of older ones are dropped
  const more = h('button', { type: 'button', class: 'button', hidden: true }, 'Show more');
  const node = h('div', {}, shown.node, h('div', { class: 'more' }, more));
  const take = (page) => {
    next = page.next ?? null;
    more.hidden = next === null;
  };
  const reload = async ({ from } = {}) => {
    newest += 1;
    const mine = newest;
    if (from === 'start') pages = 1;
    let page = await load(null);
    const rows = [...page.rows];
    for (let i = 1; i < pages && page.next; i += 1) {
      page = await load(page.next);
      rows.push(...page.rows);
    }
    if (mine !== newest) return;
    shown.update(rows);
    take(page);
  };
  const grow = async () => {
    newest += 1;
    const mine = newest;
    const page = await load(next);
    if (mine !== newest) return;
    pages += 1;
    shown.append(page.rows);
    take(page);
  };
  more.addEventListener('click', () => busy(more, grow));
  return { node, reload, updateRow: shown.updateRow };
}
