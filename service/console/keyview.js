// One key: its value in a backup, and its history over the backups.
import { h } from './dom.js';
import { get, now } from './api.js';
import { duration, localText, size, time } from './format.js';
import { keyName, keyQuery, keyText } from './keys.js';
import { empty, facts, later, muted, notice, pill } from './ui.js';
import { showDialog } from './dialog.js';
import { table } from './table.js';

const shownMax = 200000;

function isBinary(value) {
  return value !== null && typeof value === 'object' && typeof value.$base64 === 'string';
}

function hasBinary(value) {
  if (isBinary(value)) return true;
  return value !== null && typeof value === 'object' && Object.values(value).some(hasBinary);
}

function expiryText(at) {
  if (!at) return 'none';
  const left = (at - now()) / 1000;
  return [localText(new Date(at), true), muted(left > 0 ? ` in ${duration(left)}` : ' past')];
}

function valueText(value) {
  if (typeof value === 'string') {
    try {
      const inner = JSON.parse(value);
      if (inner !== null && typeof inner === 'object')
        return [JSON.stringify(inner, null, 2), 'JSON, laid out'];
    } catch {
      // No JSON: shown as it is.
    }
    return [value, null];
  }
  return [JSON.stringify(value, null, 2), null];
}

function valueNode(line) {
  const [text, how] = valueText(line.value);
  const cut = text.length > shownMax;
  return h(
    'div',
    {},
    facts([
      ['Type', line.type],
      ['Database', `db${line.db}`],
      ['Expires', expiryText(line.pexpireat)],
    ]),
    hasBinary(line.value)
      ? notice('info', 'Some bytes are no UTF-8; they are shown as {"$base64": …}.')
      : null,
    how ? h('p', {}, pill('info', how)) : null,
    h(
      'pre',
      { class: 'value', tabindex: '0', 'aria-label': 'Value' },
      cut ? text.slice(0, shownMax) : text,
    ),
    cut
      ? h('p', { class: 'muted' }, 'Only the beginning is shown. sluice get prints all of it.')
      : null,
  );
}

/// Without a database the first that has the key is taken.
function dbPart(db) {
  return db === null ? '' : `&db=${db}`;
}

async function loadValue(backup, key, db, signal) {
  try {
    return valueNode(
      await get(`/backups/${encodeURIComponent(backup)}/key?key=${keyQuery(key)}${dbPart(db)}`, {
        signal,
      }),
    );
  } catch (error) {
    if (error.status === 404) return empty('This backup has no such key.');
    if (error.status === 413)
      return notice('info', 'The value is too large to be shown here. ', error.message);
    throw error;
  }
}

function stateText(state) {
  if (state.error) return pill('bad', 'not readable', state.error);
  return state.present ? pill('ok', 'there') : pill('idle', 'not there');
}

async function loadHistory(instance, key, db, signal) {
  const { states } = await get(
    `/instances/${encodeURIComponent(instance)}/history?key=${keyQuery(key)}${dbPart(db)}`,
    { signal },
  );
  return table({
    caption: `History of ${keyText(key)}`,
    rows: [...states].reverse(),
    none: 'No backup to look into.',
    columns: [
      { label: 'Backup', head: true, cell: (s) => time(s.started_at, { seconds: true }) },
      { label: 'State', cell: stateText },
      { label: 'Changed', cell: (s) => (s.changed ? pill('info', 'changed') : muted('same')) },
      { label: 'Type', cell: (s) => s.type ?? '–' },
      { label: 'Value size', class: 'num', cell: (s) => size(s.value_bytes) },
      {
        label: 'Expires',
        cell: (s) => {
          const at = s.expire_at ?? s.pexpireat;
          return at ? localText(new Date(at), true) : '–';
        },
      },
    ],
  }).node;
}

/// `key` in bytes; `db` null: any.
export function showKey({ instance, backup, key, db }, signal) {
  showDialog(
    [`Key `, keyName(key)],
    [
      h('h3', {}, 'Value'),
      later(() => loadValue(backup, key, db, signal), signal),
      h('h3', {}, 'History over the backups'),
      later(() => loadHistory(instance, key, db, signal), signal),
    ],
    { wide: true },
  );
}
