// Jobs: how far one is, in a card that follows it; and waiting for its end.
import { h, replace, announce } from './dom.js';
import { get, post, session } from './api.js';
import { onLive } from './live.js';
import { duration, jobNames, plural, sizeText, time } from './format.js';
import { busy, button, notice, statePill, toast } from './ui.js';

export function isActive(job) {
  return job.state === 'queued' || job.state === 'running' || job.state === 'retrying';
}

export function jobTitle(job) {
  const name = jobNames[job.type] ?? job.type;
  return job.instance ? `${name} of ${job.instance}` : name;
}

const triggers = {
  manual: 'by hand',
  schedule: 'by schedule',
  retry: 'retry',
  'catch-up': 'catching up',
};

export function triggerText(job) {
  const how = triggers[job.trigger] ?? job.trigger;
  return job.actor ? `${how}, ${job.actor}` : how;
}

/// What is known of how far it is: "reading: 12 MiB of 40 MiB, 1,200 keys, 8 MiB/s".
export function progressText(progress) {
  const parts = [];
  if (progress.bytes) {
    parts.push(
      progress.bytes_total
        ? `${sizeText(progress.bytes)} of ${sizeText(progress.bytes_total)}`
        : sizeText(progress.bytes),
    );
  }
  if (progress.keys) parts.push(plural(progress.keys, 'key'));
  if (progress.bytes_per_second) parts.push(`${sizeText(progress.bytes_per_second)}/s`);
  return `${progress.phase}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

/// A bar; without a percentage it only says that something goes on.
export function progressBar(label) {
  const fill = h('div', { class: 'bar-fill' });
  const node = h(
    'div',
    {
      class: 'bar',
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
    },
    fill,
  );
  const update = (percent) => {
    const known = percent !== null && percent !== undefined;
    node.classList.toggle('unknown', !known);
    fill.style.width = known ? `${Math.max(0, Math.min(100, percent))}%` : '';
    if (known) node.setAttribute('aria-valuenow', Math.round(percent));
    else node.removeAttribute('aria-valuenow');
  };
  return { node, update };
}

function cancelButton(job) {
  const element = button(
    'Cancel',
    () =>
      busy(element, async () => {
        await post(`/jobs/${job.id}/cancel`);
        announce(`${jobTitle(job)} is being cancelled`);
      }),
    { role: 'operator', kind: 'small', describe: `Cancel ${jobTitle(job)}` },
  );
  return element;
}

function errorNode(error) {
  return notice(
    'bad',
    error.message,
    h('p', { class: 'muted' }, `Stage ${error.stage ?? '–'}, code ${error.code ?? '–'}`),
  );
}

function whenLine(job) {
  const parts = [`#${job.id}`, triggerText(job)];
  if (job.attempt > 1) parts.push(`attempt ${job.attempt}`);
  if (job.retry_of) parts.push(`after #${job.retry_of}`);
  const seconds =
    job.started_at && job.finished_at
      ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000
      : null;
  return h(
    'p',
    { class: 'muted job-when' },
    parts.join(' · '),
    ' · ',
    time(job.started_at ?? job.created_at, { seconds: true }),
    seconds === null ? null : ` · took ${duration(seconds)}`,
    job.state === 'retrying' && job.due_at
      ? [' · next try ', time(job.due_at, { seconds: true })]
      : null,
  );
}

function noticesOf(job) {
  if (!job.notices || job.notices.length === 0) return null;
  return h(
    'ul',
    { class: 'notices' },
    job.notices.map((text) => h('li', {}, text)),
  );
}

/// Whether `job` was said before `last` was: answers to requests may come later than events.
function isOlder(job, last) {
  if (!isActive(job) || job.attempt !== last.attempt) return false;
  if (!isActive(last)) return true;
  return (job.progress?.seconds ?? 0) < (last.progress?.seconds ?? 0);
}

/// A card of a job; `update(job)` shows its newest state.
export function jobCard(first) {
  const head = h('div', { class: 'job-head' });
  const bar = progressBar(jobTitle(first));
  const progress = h('div', { class: 'job-progress' });
  const rest = h('div', {});
  const node = h(
    'article',
    { class: 'job', 'data-job': first.id, 'aria-label': `${jobTitle(first)}, job ${first.id}` },
    head,
    progress,
    rest,
  );
  let shown = '';
  let last = first;
  const update = (job) => {
    if (isOlder(job, last)) return;
    last = job;
    const active = isActive(job);
    const state = `${job.state} ${job.attempt} ${job.notices?.length} ${job.finished_at}`;
    if (state !== shown) {
      shown = state;
      replace(
        head,
        h('h3', {}, jobTitle(job)),
        statePill(job.state),
        active ? cancelButton(job) : null,
      );
      replace(rest, whenLine(job), noticesOf(job), job.error ? errorNode(job.error) : null);
      node.dataset.state = job.state;
      if (!active) replace(progress);
    }
    if (!active) return;
    bar.update(job.state === 'running' ? job.progress?.percent : 0);
    replace(
      progress,
      bar.node,
      h(
        'p',
        { class: 'job-phase' },
        job.progress ? progressText(job.progress) : 'waiting for its turn',
        job.progress?.percent ? h('span', {}, `${Math.round(job.progress.percent)} %`) : null,
      ),
    );
  };
  update(first);
  return { node, update };
}

/// Calls `onUpdate` for each change of the job until it has ended; resolves to it with its result.
/// Asks every few seconds too, for when the link is down.
export function watchJob(first, { signal, onUpdate = () => {} }) {
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    signal.addEventListener('abort', () => stop.abort());
    let timer = null;
    const end = async () => {
      clearInterval(timer);
      stop.abort();
      try {
        const job = await get(`/jobs/${first.id}`, { signal });
        onUpdate(job);
        resolve(job);
      } catch (error) {
        reject(error);
      }
    };
    const see = (job) => {
      if (job.id !== first.id || stop.signal.aborted) return;
      if (isActive(job)) onUpdate(job);
      else end();
    };
    onLive('job', see, stop.signal);
    timer = setInterval(() => get(`/jobs/${first.id}`, { signal }).then(see, () => {}), 4000);
    stop.signal.addEventListener('abort', () => clearInterval(timer));
    see(first);
    get(`/jobs/${first.id}`, { signal }).then(see, () => {});
  });
}

/// Starts a job by POST, shows it in `place` and follows it. Resolves to the job when it has ended.
export async function runJob(place, path, body, signal) {
  const { job } = await post(path, body, { signal });
  return followJob(place, job, signal);
}

export function followJob(place, job, signal) {
  const card = jobCard(job);
  replace(place, card.node);
  return watchJob(job, { signal, onUpdate: card.update });
}

const ends = {
  done: ['ok', 'is done'],
  failed: ['bad', 'failed'],
  cancelled: ['info', 'was cancelled'],
  interrupted: ['warn', 'was interrupted'],
};

/// Tells of jobs that this user started when they have ended, on whatever page.
export function tellOfOwnJobs() {
  const told = new Set();
  onLive('job', (job) => {
    const end = ends[job.state];
    if (!end || job.actor === null || job.actor !== session.user?.name || told.has(job.id)) return;
    told.add(job.id);
    const text = `${jobTitle(job)} ${end[1]}${job.error ? `: ${job.error.message}` : '.'}`;
    // Whoever looks at its card needs no corner for it.
    if (document.querySelector(`article[data-job="${Number(job.id)}"]`)) announce(text);
    else toast(end[0], text, `#/jobs?job=${job.id}`);
  });
}
