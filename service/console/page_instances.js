// All instances: health at a glance, and the totals.
import { h, replace, throttle } from './dom.js';
import { get } from './api.js';
import { onLive } from './live.js';
import { ago, count, size, sizeText } from './format.js';
import { healthPill, later, link, muted, select } from './ui.js';
import { table } from './table.js';
import { isActive, progressBar, progressText } from './jobs.js';

export function instancePath(name, tab = 'backups') {
  return `#/instances/${encodeURIComponent(name)}/${tab}`;
}

const order = ['damaged', 'failing', 'overdue', 'running', 'never', 'manual', 'ok'];

function totals(instances, info) {
  const bad = instances.filter((i) => i.health === 'failing' || i.health === 'damaged').length;
  const late = instances.filter((i) => i.health === 'overdue' || i.health === 'never').length;
  const stored = info.repositories.reduce((sum, r) => sum + r.stored_bytes, 0);
  const kept = instances.reduce((sum, i) => sum + i.backups, 0);
  const tile = (label, value, kind = '') =>
    h('div', { class: `tile ${kind}` }, h('dt', {}, label), h('dd', {}, value));
  return h(
    'dl',
    { class: 'tiles' },
    tile('Instances', count(instances.length)),
    tile('Failing or damaged', count(bad), bad > 0 ? 'bad' : ''),
    tile('Overdue or never', count(late), late > 0 ? 'warn' : ''),
    tile(
      'Jobs running',
      h('span', { id: 'jobs-running' }, `${info.jobs_running} of ${info.jobs_max}`),
    ),
    tile('Backups kept', count(kept)),
    tile('Stored', sizeText(stored)),
  );
}

function nextRun(instance) {
  if (instance.next_backup_at) return ago(instance.next_backup_at);
  return muted(instance.policy && !instance.policy.enabled ? 'paused' : 'by hand');
}

function healthCell(instance) {
  return h(
    'div',
    { class: 'health', 'data-instance': instance.name },
    healthPill(instance),
    h('span', { class: 'health-text' }, instance.health_text),
  );
}

function lastDrill({ last_drill: drill }) {
  if (!drill) return muted('none');
  return h(
    'span',
    { class: drill.ok ? 'nowrap' : 'nowrap bad-text' },
    h('span', { 'aria-hidden': 'true' }, drill.ok ? '✓ ' : '✕ '),
    h('span', { class: 'visually-hidden' }, drill.ok ? 'passed ' : 'failed '),
    ago(drill.at),
  );
}

const columns = [
  {
    label: 'Instance',
    head: true,
    class: 'name-cell',
    cell: (i) => link(i.name, instancePath(i.name)),
  },
  { label: 'Group', cell: (i) => i.group || muted('–') },
  { label: 'Health', cell: healthCell, class: 'wide-cell' },
  {
    label: 'Last backup',
    cell: (i) => (i.last_backup ? ago(i.last_backup.started_at) : muted('none')),
  },
  { label: 'RDB size', class: 'num', cell: (i) => size(i.last_backup?.raw_bytes) },
  { label: 'Next run', cell: nextRun },
  { label: 'Backups', class: 'num', cell: (i) => count(i.backups) },
  { label: 'Stored', class: 'num', cell: (i) => size(i.stored_bytes) },
  { label: 'Last drill', cell: lastDrill },
];

/// The bar of an instance's running job, in its row.
function showJob(shown, job) {
  const place = shown.row(job.instance)?.querySelector('.health');
  if (!place) return;
  place.querySelector('.row-job')?.remove();
  if (!isActive(job) || job.state !== 'running') return;
  const bar = progressBar(`${job.type} of ${job.instance}`);
  bar.update(job.progress?.percent);
  place.append(
    h(
      'div',
      { class: 'row-job' },
      bar.node,
      muted(job.progress ? progressText(job.progress) : job.type),
    ),
  );
}

function filterBar(instances, apply) {
  const text = h('input', {
    type: 'search',
    placeholder: 'Filter by name or address',
    'aria-label': 'Filter instances by name or address',
  });
  const groups = [...new Set(instances.map((i) => i.group).filter(Boolean))].sort();
  const group = select([['', 'All groups'], ...groups.map((g) => [g, g])], {
    'aria-label': 'Group',
  });
  const health = select(
    [
      ['', 'Any health'],
      ['bad', 'Needs attention'],
      ['ok', 'Healthy'],
      ['running', 'Running'],
    ],
    { 'aria-label': 'Health' },
  );
  const shown = h('span', { class: 'muted', role: 'status' });
  const node = h('div', { class: 'filters' }, text, group, health, shown);
  for (const one of [text, group, health]) one.addEventListener('input', apply);
  const matches = (i) => {
    const word = text.value.trim().toLowerCase();
    const attention = !['ok', 'running', 'manual'].includes(i.health);
    return (
      (word === '' || `${i.name} ${i.uri}`.toLowerCase().includes(word)) &&
      (group.value === '' || i.group === group.value) &&
      (health.value === '' || (health.value === 'bad' ? attention : i.health === health.value))
    );
  };
  return {
    node,
    matches,
    say: (n) => replace(shown, `${count(n)} of ${count(instances.length)} shown`),
  };
}

async function listOf(ctx) {
  const [{ instances }, info] = await Promise.all([
    get('/instances', { signal: ctx.signal }),
    get('/info', { signal: ctx.signal }),
  ]);
  const byName = new Map(instances.map((i) => [i.name, i]));
  const sorted = () =>
    [...byName.values()].sort(
      (a, b) => order.indexOf(a.health) - order.indexOf(b.health) || a.name.localeCompare(b.name),
    );
  const top = h('div', {}, totals(instances, info));
  const shown = table({
    caption: 'Instances',
    columns,
    key: (i) => i.name,
    none: 'No instance matches. Instances are listed in the configuration file.',
  });
  const apply = () => {
    const rows = sorted().filter(bar.matches);
    shown.update(rows);
    bar.say(rows.length);
  };
  const bar = filterBar(instances, apply);
  apply();
  live(ctx, {
    byName,
    shown,
    refreshTop: (fresh) => replace(top, totals([...byName.values()], fresh)),
  });
  const current = await get('/jobs?state=running&limit=100', { signal: ctx.signal });
  current.jobs.forEach((job) => showJob(shown, job));
  return h('div', {}, top, bar.node, shown.node);
}

function live(ctx, { byName, shown, refreshTop }) {
  const changed = new Set();
  const refresh = throttle(async () => {
    const names = [...changed];
    changed.clear();
    // Few are asked for one by one; after a burst the whole list is less work.
    const fresh =
      names.length > 8
        ? (await get('/instances', { signal: ctx.signal })).instances
        : await Promise.all(
            names.map((n) => get(`/instances/${encodeURIComponent(n)}`, { signal: ctx.signal })),
          );
    for (const instance of fresh) {
      byName.set(instance.name, instance);
      shown.updateRow(instance);
    }
    refreshTop(await get('/info', { signal: ctx.signal }));
  }, 700);
  onLive(
    'instance',
    ({ name }) => {
      changed.add(name);
      refresh();
    },
    ctx.signal,
  );
  onLive('job', (job) => showJob(shown, job), ctx.signal);
  onLive('hello', (again) => again && ctx.reload(), ctx.signal);
}

export function instancesPage(ctx) {
  return { title: 'Instances', node: later(() => listOf(ctx), ctx.signal) };
}
