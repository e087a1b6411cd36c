// A copy of a backup in a server of its own, to be looked at and, if it is right, promoted.
import { h } from './dom.js';
import { get } from './api.js';
import { busy, button, field, later, notice, section, select } from './ui.js';
import { runJob } from './jobs.js';
import { backupField, backupsOf } from './backups.js';
import { cloneList } from './clones.js';

const kinds = {
  local: 'a server started on the service’s machine',
  exec: 'made by a command',
  server: 'a server that is there; all it holds is replaced',
};

function form(ctx, backups, targets, list) {
  const place = h('div', { class: 'job-place' });
  const chosen = backupField(backups, ctx.query.get('backup'));
  const target = select(
    targets.map((t) => [t.name, `${t.name}: ${t.uri ?? kinds[t.kind] ?? t.kind}`]),
  );
  const start = button(
    'Make clone',
    () =>
      busy(start, async () => {
        await runJob(
          place,
          '/clones',
          { backup: chosen.control.value, target: target.value },
          ctx.signal,
        );
        await list.reload();
      }),
    { role: 'operator', kind: 'primary' },
  );
  return h(
    'div',
    {},
    h(
      'div',
      { class: 'fields broad' },
      chosen.node,
      field('Target', target),
      h('div', { class: 'field end' }, start),
    ),
    place,
  );
}

export function cloneTab(ctx, instance) {
  const list = cloneList(ctx, instance.name);
  const make = later(async () => {
    const [backups, info] = await Promise.all([
      backupsOf(instance.name, { signal: ctx.signal }),
      get('/info', { signal: ctx.signal }),
    ]);
    if (backups.length === 0) return notice('info', 'There is no backup yet to clone.');
    if (info.targets.length === 0) {
      return notice(
        'info',
        'No target for clones is set: add a [[target]] to the configuration file.',
      );
    }
    return form(ctx, backups, info.targets, list);
  }, ctx.signal);
  return h(
    'div',
    {},
    section(
      'Make a clone',
      { hint: 'The original is not touched. The clone is read back and its digest compared.' },
      make,
    ),
    section(
      'Clones',
      {},
      later(async () => {
        await list.reload();
        return list.node;
      }, ctx.signal),
    ),
  );
}
