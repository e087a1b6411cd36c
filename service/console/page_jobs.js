// Jobs: those that run, live, and those that have ended.
import { h, replace } from './dom.js';
import { get, query } from './api.js';
import { onLive } from './live.js';
import { duration, jobNames, time } from './format.js';
import { field, later, link, muted, section, select, statePill } from './ui.js';
import { pagedTable } from './table.js';
import { showDialog } from './dialog.js';
import { isActive, jobCard, jobTitle, triggerText, watchJob } from './jobs.js';
import { ledger } from './ledger.js';
import { instancePath } from './page_instances.js';

const ended = ['done', 'failed', 'cancelled', 'interrupted'];
const withLedger = ['restore', 'clone', 'promote'];

function resultNode(job) {
  if (!job.result) return null;
  if (withLedger.includes(job.type) && job.result.by_type) return ledger(job.result);
  return h(
    'details',
    {},
    h('summary', {}, 'Result as JSON'),
    h(
      'pre',
      { class: 'value', tabindex: '0', 'aria-label': 'Result' },
      JSON.stringify(job.result, null, 2),
    ),
  );
}

/// A job in a dialog, live as long as it runs.
export function showJob(id, signal) {
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort());
  showDialog(
    `Job #${id}`,
    later(async () => {
      const job = await get(`/jobs/${id}`, { signal });
      const card = jobCard(job);
      const result = h('div', {}, resultNode(job));
      if (isActive(job)) {
        watchJob(job, { signal: stop.signal, onUpdate: card.update }).then(
          (done) => replace(result, resultNode(done)),
          () => {},
        );
      }
      return h('div', {}, card.node, result);
    }, signal),
    { wide: true, onclose: () => stop.abort() },
  );
}

/// Cards of the running jobs. The card that ends stays a moment, then `onend` is told.
function activeJobs(ctx, instance, onend) {
  const cards = new Map();
  const over = new Set();
  const place = h('div', { class: 'job-list' });
  const none = h('p', { class: 'empty' }, 'Nothing runs or waits.');
  const count = () => {
    none.hidden = cards.size > 0;
  };
  const see = (job) => {
    if ((instance !== null && job.instance !== instance) || over.has(job.id)) return;
    const card = cards.get(job.id);
    if (card) {
      card.update(job);
    } else if (isActive(job)) {
      const fresh = jobCard(job);
      cards.set(job.id, fresh);
      place.append(fresh.node);
    }
    if (!isActive(job) && cards.has(job.id)) {
      const gone = cards.get(job.id);
      cards.delete(job.id);
      over.add(job.id);
      setTimeout(() => {
        gone.node.remove();
        count();
      }, 3000);
      onend();
    }
    if (cards.size > 0) count();
  };
  const load = async () => {
    const lists = await Promise.all(
      ['running', 'queued', 'retrying'].map((state) =>
        get(`/jobs${query({ state, instance, limit: 100 })}`, { signal: ctx.signal }),
      ),
    );
    lists.flatMap((list) => list.jobs).forEach(see);
    count();
    return h('div', {}, place, none);
  };
  onLive('job', see, ctx.signal);
  onLive('hello', (again) => again && load().catch(() => {}), ctx.signal);
  return later(load, ctx.signal);
}

function took(job) {
  return job.started_at && job.finished_at
    ? duration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)
    : '–';
}

function what(job) {
  if (job.error) return h('span', { class: 'bad-text' }, job.error.message);
  return job.notices?.length ? h('span', {}, job.notices[job.notices.length - 1]) : muted('–');
}

function columnsFor(ctx, instance) {
  return [
    {
      label: 'Job',
      head: true,
      class: 'keep',
      cell: (job) =>
        h(
          'button',
          {
            type: 'button',
            class: 'as-link',
            'aria-label': `Details of job ${job.id}, ${jobTitle(job)}`,
            onclick: () => showJob(job.id, ctx.signal),
          },
          `#${job.id} ${jobNames[job.type] ?? job.type}`,
        ),
    },
    instance === null
      ? {
          label: 'Instance',
          cell: (job) =>
            job.instance ? link(job.instance, instancePath(job.instance, 'jobs')) : '–',
        }
      : null,
    { label: 'State', cell: (job) => statePill(job.state) },
    { label: 'Started', cell: (job) => time(job.started_at ?? job.created_at, { seconds: true }) },
    { label: 'Took', class: 'num', cell: took },
    { label: 'Started by', class: 'keep', cell: triggerText },
    { label: 'Attempt', class: 'num', cell: (job) => job.attempt },
    { label: 'What was said', class: 'said', cell: what },
  ].filter(Boolean);
}

function historyOf(ctx, instance) {
  const state = select([['', 'Any state'], ...ended.map((s) => [s, s])], {
    value: ctx.query.get('state') ?? '',
  });
  const type = select([['', 'Any type'], ...Object.entries(jobNames)], {
    value: ctx.query.get('type') ?? '',
  });
  const load = async (before) => {
    const page = await get(
      `/jobs${query({ instance, state: state.value, type: type.value, limit: 50, before })}`,
      { signal: ctx.signal },
    );
    return { rows: page.jobs.filter((job) => !isActive(job)), next: page.next };
  };
  const shown = pagedTable(
    {
      caption: 'Jobs that have ended',
      columns: columnsFor(ctx, instance),
      key: (job) => job.id,
      none: 'No such jobs.',
    },
    load,
  );
  const reload = (how) => shown.reload(how).catch(() => {});
  for (const one of [state, type]) {
    one.addEventListener('change', () => {
      ctx.setQuery({ state: state.value, type: type.value });
      reload({ from: 'start' });
    });
  }
  const node = later(async () => {
    await shown.reload();
    return h(
      'div',
      {},
      h('div', { class: 'filters fields' }, field('State', state), field('Type', type)),
      shown.node,
    );
  }, ctx.signal);
  return { node, reload };
}

function jobsView(ctx, instance) {
  const history = historyOf(ctx, instance);
  const wanted = ctx.query.get('job');
  if (wanted) setTimeout(() => showJob(wanted, ctx.signal));
  return h(
    'div',
    {},
    section('Under way', {}, activeJobs(ctx, instance, history.reload)),
    section('History', {}, history.node),
  );
}

export function jobsTab(ctx, instance) {
  return jobsView(ctx, instance.name);
}

export function jobsPage(ctx) {
  return { title: 'Jobs', node: jobsView(ctx, null) };
}
