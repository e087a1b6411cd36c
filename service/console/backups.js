// What several pages show of backups: choosing one, and its details.
import { h } from './dom.js';
import { get, query } from './api.js';
import { ago, count, duration, localText, plural, size, sizeText, time } from './format.js';
import { facts, field, later, muted, pill, select } from './ui.js';
import { showDialog } from './dialog.js';

/// The last check of a backup, in either form that the API may give it.
function verifiedOf(backup) {
  if (backup.verified !== undefined) return backup.verified;
  return backup.verified_at
    ? { finished_at: backup.verified_at, level: backup.verified_level, ok: backup.verified_ok }
    : null;
}

export function verifiedCell(backup) {
  const verified = verifiedOf(backup);
  if (!verified) return muted('not yet');
  return h(
    'div',
    { class: 'keep' },
    pill(verified.ok ? 'ok' : 'bad', verified.ok ? verified.level : `bad at ${verified.level}`),
    ' ',
    ago(verified.finished_at),
  );
}

/// Pinned backups have a note, which may be empty.
export function isPinned(backup) {
  return typeof backup.pinned === 'string' || backup.pinned === true;
}

export function pinText(backup) {
  return typeof backup.pinned === 'string' ? backup.pinned : backup.note;
}

export function damageText(damage) {
  return typeof damage === 'string' ? damage : JSON.stringify(damage);
}

function typesText(types) {
  return (
    Object.entries(types ?? {})
      .map(([type, n]) => `${count(n)} ${type}`)
      .join(', ') || 'none'
  );
}

export async function backupsOf(instance, options, extra = {}) {
  return (await get(`/backups${query({ instance, limit: 200, ...extra })}`, options)).backups;
}

function optionText(backup) {
  const verified = verifiedOf(backup);
  const marks = [
    backup.damage ? 'DAMAGED' : null,
    verified?.ok ? 'verified' : null,
    isPinned(backup) ? 'pinned' : null,
  ].filter(Boolean);
  return (
    `${localText(new Date(backup.started_at), true)} · ${plural(backup.keys, 'key')} · ` +
    sizeText(backup.raw_bytes) +
    (marks.length > 0 ? ` · ${marks.join(', ')}` : '')
  );
}

/// A list of the instance's backups, newest first, with the one chosen that the address names.
function backupSelect(backups, chosen, onchange) {
  const element = select(
    backups.map((b) => [b.id, optionText(b)]),
    { onchange: () => onchange?.(element.value) },
  );
  if (chosen && backups.some((b) => b.id === chosen)) element.value = chosen;
  return element;
}

export function backupField(backups, chosen, onchange, label = 'Backup') {
  const control = backupSelect(backups, chosen, onchange);
  return { control, node: field(label, control, { wide: true }) };
}

function detailFacts({ backup, detail }) {
  const source = backup.source ?? {};
  const verified = verifiedOf(backup);
  return facts([
    ['Id', h('code', {}, backup.id)],
    ['Started', time(backup.started_at, { seconds: true })],
    ['Finished', time(backup.finished_at, { seconds: true })],
    ['Took', duration(backup.seconds)],
    ['Kind', `${backup.kind}, ${backup.mode}, layout ${backup.layout}`],
    ['Stored against', backup.parent ? h('code', {}, backup.parent) : 'nothing: a full backup'],
    [
      'Source',
      [
        h('code', {}, source.uri),
        ` ${source.server} ${source.version}, RDB version ${source.rdb_version}`,
      ],
    ],
    ['Replication', source.replid ? h('code', {}, `${source.replid}:${source.offset}`) : null],
    ['Keys', count(backup.keys)],
    ['Types', typesText(backup.types)],
    [
      'Databases',
      detail?.databases
        ? Object.entries(detail.databases)
            .map(([db, n]) => `db${db}: ${count(n)}`)
            .join(', ')
        : null,
    ],
    [
      'Digest',
      backup.digest ? h('code', {}, backup.digest) : 'none: some values cannot be decoded',
    ],
    ['RDB size', size(backup.raw_bytes)],
    ['Read to restore it', size(backup.stored_bytes)],
    ['Added to the repository', size(backup.new_bytes)],
    ['Compression', backup.compression],
    [
      'Verified',
      verified
        ? [verified.ok ? 'good at ' : 'BAD at ', verified.level, ', ', time(verified.finished_at)]
        : 'not yet',
    ],
    ['Pinned', isPinned(backup) ? `yes${pinText(backup) ? `: ${pinText(backup)}` : ''}` : 'no'],
    ['Needed by', detail?.used_by?.length ? `${detail.used_by.length} later backups` : null],
    ['Damage', backup.damage ? damageText(backup.damage) : null],
  ]);
}

export function showBackup(backup, signal) {
  showDialog(
    `Backup of ${backup.instance}`,
    later(
      async () => detailFacts(await get(`/backups/${encodeURIComponent(backup.id)}`, { signal })),
      signal,
    ),
    { wide: true },
  );
}
