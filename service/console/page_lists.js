// Drills, clones of all instances, and the audit log.
import { h, replace, throttle } from './dom.js';
import { get, query } from './api.js';
import { onLive } from './live.js';
import { count, duration, time } from './format.js';
import { busy, button, field, later, link, muted, notice, pill, section, select } from './ui.js';
import { pagedTable, table } from './table.js';
import { runJob } from './jobs.js';
import { cloneList } from './clones.js';
import { instancePath } from './page_instances.js';

function digestPill(drill) {
  if (drill.digest_equal === true) return pill('ok', 'equal');
  return drill.digest_equal === false ? pill('bad', 'not equal') : muted('not compared');
}

const drillColumns = [
  { label: 'When', head: true, cell: (d) => time(d.at, { seconds: true }) },
  { label: 'Instance', cell: (d) => link(d.instance, instancePath(d.instance)) },
  { label: 'Result', cell: (d) => pill(d.ok ? 'ok' : 'bad', d.ok ? 'passed' : 'failed') },
  { label: 'Digest', cell: digestPill },
  { label: 'Keys', class: 'num', cell: (d) => count(d.keys) },
  { label: 'Took', class: 'num', cell: (d) => duration(d.seconds) },
  { label: 'Backup', class: 'break', cell: (d) => h('code', {}, d.backup) },
  { label: 'What was said', class: 'said', cell: (d) => d.message || '–' },
];

async function drillsOf(ctx) {
  const [{ instances }, info] = await Promise.all([
    get('/instances', { signal: ctx.signal }),
    get('/info', { signal: ctx.signal }),
  ]);
  const shown = table({
    caption: 'Restore drills',
    columns: drillColumns,
    none: 'No drill was run yet.',
  });
  const which = select([['', 'All'], ...instances.map((i) => [i.name, i.name])]);
  const reload = async () =>
    shown.update(
      (await get(`/drills${query({ instance: which.value, limit: 200 })}`, { signal: ctx.signal }))
        .drills,
    );
  which.addEventListener('change', () => reload().catch(() => {}));
  const soon = throttle(() => reload().catch(() => {}), 800);
  onLive('job', (job) => job.type === 'drill' && job.finished_at && soon(), ctx.signal);
  await reload();
  const target = select(instances.map((i) => [i.name, i.name]));
  const place = h('div', { class: 'job-place' });
  const run = button(
    'Run drill now',
    () =>
      busy(run, async () => {
        await runJob(
          place,
          `/instances/${encodeURIComponent(target.value)}/drills`,
          {},
          ctx.signal,
        );
        await reload();
      }),
    { role: 'operator', kind: 'primary' },
  );
  const start = info.drill_target
    ? h(
        'div',
        { class: 'fields' },
        field('Instance to try', target),
        h('div', { class: 'field end' }, run),
      )
    : notice('info', 'No target for drills is set: drill_target in the configuration file.');
  return h(
    'div',
    {},
    section(
      'Run a drill',
      { hint: 'A random backup is restored into a throw-away server and its digest compared.' },
      start,
      place,
    ),
    section(
      'Results',
      {},
      h('div', { class: 'filters fields' }, field('Show instance', which)),
      shown.node,
    ),
  );
}

export function drillsPage(ctx) {
  return { title: 'Restore drills', node: later(() => drillsOf(ctx), ctx.signal) };
}

export function clonesPage(ctx) {
  const list = cloneList(ctx, null);
  return {
    title: 'Clones',
    node: section(
      'Clones of all instances',
      {
        hint: 'A clone is made on the Clone tab of an instance.',
      },
      later(async () => {
        await list.reload();
        return list.node;
      }, ctx.signal),
    ),
  };
}

const outcomes = { ok: 'ok', refused: 'warn', failed: 'bad' };

const auditColumns = [
  { label: 'No.', class: 'num', cell: (e) => e.seq },
  { label: 'When', head: true, cell: (e) => time(e.at, { seconds: true }) },
  { label: 'Who', cell: (e) => e.actor || '–' },
  { label: 'From', cell: (e) => e.address || '–' },
  { label: 'Action', class: 'keep', cell: (e) => h('code', {}, e.action) },
  { label: 'Object', class: 'break', cell: (e) => e.object || '–' },
  { label: 'Outcome', cell: (e) => pill(outcomes[e.outcome] ?? 'info', e.outcome) },
  { label: 'Detail', class: 'said', cell: (e) => e.detail || '–' },
];

export function auditPage(ctx) {
  const chain = h('div', {});
  const shown = pagedTable(
    {
      caption: 'Audit log',
      columns: auditColumns,
      key: (e) => e.seq,
      none: 'Nothing was recorded yet.',
    },
    async (before) => {
      const { entries, chain_ok: whole } = await get(`/audit${query({ limit: 100, before })}`, {
        signal: ctx.signal,
      });
      replace(
        chain,
        whole
          ? notice('ok', 'The log is whole: each entry’s hash holds the one before it.')
          : notice('bad', 'The log was changed: a hash does not hold the entry before it.'),
      );
      return { rows: entries, next: entries.length === 100 ? entries[99].seq : null };
    },
  );
  const refresh = button('Refresh', () => busy(refresh, shown.reload));
  return {
    title: 'Audit',
    node: section(
      'What was done',
      { actions: refresh, hint: 'Newest first. The log can only be added to.' },
      later(async () => {
        await shown.reload();
        return h('div', {}, chain, shown.node);
      }, ctx.signal),
    ),
  };
}
