// The backups of an instance: by time and state, and what can be done with each.
import { h, replace, throttle } from './dom.js';
import { del, get, may, put, query } from './api.js';
import { onLive } from './live.js';
import { count, duration, localText, plural, size, time } from './format.js';
import { busy, button, field, later, link, muted, pill, section, toast } from './ui.js';
import { pagedTable } from './table.js';
import { formDialog, typedConfirm } from './dialog.js';
import { anyMenuOpen, menu } from './menu.js';
import { isActive, jobCard, runJob } from './jobs.js';
import { backupFilters } from './backup_filters.js';
import { damageText, isPinned, pinText, showBackup, verifiedCell } from './backups.js';
import { instancePath } from './page_instances.js';
import { trashSection } from './trash.js';

/// What failed is told, unless the page was left meanwhile.
function tell(error) {
  if (error.name !== 'AbortError') toast('bad', error.message);
}

function pinAction(backup, reload) {
  if (isPinned(backup)) {
    return button(
      'Unpin',
      () =>
        del(`/backups/${backup.id}/pin`)
          .then(() => {
            toast('ok', 'Unpinned: retention may remove it again.');
            return reload();
          })
          .catch(tell),
      { role: 'admin', kind: 'menu' },
    );
  }
  return button(
    'Pin…',
    () => {
      const note = h('input', { type: 'text', maxlength: 200 });
      formDialog('Pin this backup', {
        body: [
          h('p', {}, 'A pinned backup is kept whatever the policy says.'),
          field('Note (why it is kept)', note, { wide: true }),
        ],
        label: 'Pin',
        submit: async () => {
          await put(`/backups/${backup.id}/pin`, { note: note.value });
          await reload();
        },
      });
    },
    { role: 'operator', kind: 'menu' },
  );
}

function deleteAction(backup, place, reload, ctx) {
  return button(
    'Delete…',
    () =>
      typedConfirm('Delete this backup', {
        text: h(
          'p',
          {},
          'It goes to the trash of its repository, from where it can be put back for some days.',
        ),
        word: backup.id,
        what: 'its id',
        label: 'Delete',
        submit: async (typed) => {
          const { job } = await del(`/backups/${backup.id}`, { confirm: typed });
          const card = jobCard(job);
          place.append(card.node);
          onLive(
            'job',
            (one) => {
              if (one.id !== job.id) return;
              card.update(one);
              if (!isActive(one)) reload().catch(() => {});
            },
            ctx.signal,
          );
        },
      }),
    { role: 'admin', kind: 'menu danger-text' },
  );
}

function downloadAction(backup) {
  if (!may('operator')) return button('Download RDB', null, { role: 'operator', kind: 'menu' });
  return link('Download RDB', `/api/v1/backups/${encodeURIComponent(backup.id)}/rdb`, {
    class: 'button menu',
    download: '',
  });
}

/// What is less often needed is behind "More".
function moreActions(ctx, backup, place, reload) {
  const verify = button(
    'Verify',
    () =>
      runJob(place, `/backups/${backup.id}/verify`, { level: 'digest' }, ctx.signal).then(
        (job) => job.state === 'done' && reload(),
        tell,
      ),
    { role: 'operator', kind: 'menu' },
  );
  const at = (tab) =>
    `${instancePath(backup.instance, tab)}?backup=${encodeURIComponent(backup.id)}`;
  const to = (label, tab) => link(label, at(tab), { class: 'button menu' });
  return menu('More', `More for the backup of ${localText(new Date(backup.started_at), true)}`, [
    button('Details', () => showBackup(backup, ctx.signal), { kind: 'menu' }),
    downloadAction(backup),
    verify,
    to('Recover…', 'recover'),
    to('Clone…', 'clone'),
    to('Keys', 'keys'),
    pinAction(backup, reload),
    deleteAction(backup, place, reload, ctx),
  ]);
}

function marks(backup) {
  return [
    backup.damage ? pill('bad', 'damaged', damageText(backup.damage)) : null,
    isPinned(backup)
      ? pill('info', 'pinned', pinText(backup) || 'Kept whatever the policy says')
      : null,
    !backup.damage && !isPinned(backup) ? muted('–') : null,
  ];
}

function columnsFor(ctx, place, reload) {
  return [
    {
      label: 'Time',
      head: true,
      cell: (b) =>
        h(
          'button',
          {
            type: 'button',
            class: 'as-link',
            title: 'Details',
            onclick: () => showBackup(b, ctx.signal),
          },
          time(b.started_at, { seconds: true }),
        ),
    },
    { label: 'Kind', class: 'keep', cell: (b) => h('span', {}, b.kind, muted(` · ${b.mode}`)) },
    { label: 'Keys', class: 'num', cell: (b) => count(b.keys) },
    { label: 'RDB size', class: 'num', cell: (b) => size(b.raw_bytes) },
    { label: 'Stored', class: 'num', cell: (b) => size(b.stored_bytes) },
    { label: 'New', class: 'num', cell: (b) => size(b.new_bytes) },
    { label: 'Took', class: 'num', cell: (b) => duration(b.seconds) },
    { label: 'Verified', cell: verifiedCell },
    { label: 'Marks', cell: marks },
    {
      label: 'Actions',
      hidden: true,
      class: 'row-actions',
      cell: (b) => moreActions(ctx, b, place, reload),
    },
  ];
}

export function backupsTab(ctx, instance) {
  const place = h('div', { class: 'job-place' });
  const summary = h('p', { class: 'muted', role: 'status' });
  const load = async (before) => {
    const page = await get(
      `/backups${query({ instance: instance.name, limit: 100, before, ...bar.values() })}`,
      { signal: ctx.signal },
    );
    if (before === null) {
      replace(
        summary,
        `${plural(page.backups.length, 'backup')}${page.next ? ' and more' : ''} shown`,
      );
    }
    return { rows: page.backups, next: page.next };
  };
  const reload = (how) => shown.reload(how);
  const shown = pagedTable(
    {
      caption: `Backups of ${instance.name}`,
      key: (b) => b.id,
      columns: columnsFor(ctx, place, reload),
      none: 'No backup in this range and state.',
    },
    load,
  );
  const bar = backupFilters(ctx, () => reload({ from: 'start' }).catch(tell));
  const create = button(
    'Create backup',
    () =>
      busy(create, async () => {
        const job = await runJob(
          place,
          `/instances/${encodeURIComponent(instance.name)}/backups`,
          {},
          ctx.signal,
        );
        if (job.state === 'done') await reload();
      }),
    { role: 'operator', kind: 'primary' },
  );
  onLive('instance', throttled(instance.name, reload), ctx.signal);
  const list = later(async () => {
    await reload();
    return shown.node;
  }, ctx.signal);
  return h(
    'div',
    {},
    section('Backups', { actions: create }, place, bar.node, summary, list),
    trashSection(ctx, instance, reload),
  );
}

/// Reloads after a change of this instance, unless a menu of the table is in use.
function throttled(name, reload) {
  const soon = throttle(() => {
    if (!anyMenuOpen()) reload().catch(() => {});
  }, 800);
  return (event) => event.name === name && soon();
}
