// Recovery into the instance itself: a dry run first, then its numbers, then a typed word.
import { h, replace } from './dom.js';
import { may, post } from './api.js';
import {
  busy,
  button,
  checkbox,
  field,
  later,
  link,
  notice,
  roleText,
  section,
  select,
  toast,
} from './ui.js';
import { typedConfirm } from './dialog.js';
import { followJob, runJob } from './jobs.js';
import { backupField, backupsOf } from './backups.js';
import { fitsNotice, ledger, notesOf, planTable } from './ledger.js';
import { instancePath } from './page_instances.js';

const conflicts = [
  ['refuse', 'Stop: start only if it holds no keys'],
  ['replace', 'Replace them by the backup’s'],
  ['skip', 'Keep them, add only what is missing'],
];

function warning(instance) {
  return notice(
    'warn',
    h('strong', {}, `This writes into ${instance.name} itself. `),
    'What it holds now is overwritten, and cannot be had back except from a backup. ',
    'A clone is safer: look at the ',
    'data there first, then promote it. ',
    link('Clone instead', instancePath(instance.name, 'clone')),
  );
}

function optionFields(changed) {
  const flush = checkbox('Empty the instance first: all databases and functions', {
    onchange: () => {
      conflict.disabled = flush.input.checked;
      changed();
    },
  });
  const conflict = select(conflicts, { value: 'refuse', onchange: changed });
  const match = h('textarea', {
    rows: 2,
    spellcheck: 'false',
    placeholder: 'user:*',
    oninput: changed,
  });
  const node = h(
    'div',
    { class: 'fields broad' },
    h('div', { class: 'field wide' }, flush.node),
    field('Keys that exist there already', conflict),
    field('Only keys that match', match, {
      hint: 'One pattern a line, as for KEYS: * ? [a-z]. Empty: all keys.',
    }),
  );
  const read = () => {
    const patterns = match.value
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    return {
      flush: flush.input.checked,
      on_conflict: flush.input.checked ? 'replace' : conflict.value,
      ...(patterns.length > 0 ? { match: patterns } : {}),
    };
  };
  return { node, read };
}

function step(number, title, ...children) {
  return section(
    [h('span', { class: 'step', 'aria-hidden': 'true' }, number), title],
    { kind: 'step-panel' },
    children,
  );
}

/// After the dry run: its numbers, and the way to do it.
function planned(ctx, instance, plan, place) {
  const { result } = plan;
  const start = button(
    `Recover ${instance.name}…`,
    () =>
      typedConfirm(`Recover ${instance.name}`, {
        text: notice(
          'warn',
          `Keys of ${instance.name} are overwritten. Its clients see this while it goes on.`,
        ),
        word: instance.name,
        what: 'the instance’s name',
        label: 'Recover now',
        submit: async (typed) => {
          const { job } = await post('/restores', { plan: plan.id, confirm: typed });
          foot.hidden = true;
          restored(ctx, job, place);
        },
      }),
    { role: 'admin', kind: 'danger' },
  );
  const foot = h(
    'div',
    { class: 'plan-foot' },
    h('p', { class: 'muted' }, 'Nothing was written yet. The plan holds for an hour.'),
    may('admin') ? null : notice('info', roleText('admin')),
    start,
  );
  return h('div', {}, fitsNotice(result), planTable(result), notesOf(result), foot, place);
}

async function restored(ctx, job, place) {
  const card = h('div', {});
  const end = h('div', {});
  replace(place, card, end);
  try {
    const done = await followJob(card, job, ctx.signal);
    if (done.result) replace(end, ledger(done.result));
  } catch (error) {
    if (error.name !== 'AbortError') toast('bad', error.message);
  }
}

function form(ctx, instance, backups) {
  const jobPlace = h('div', { class: 'job-place' });
  const numbers = h('div', { class: 'plan-numbers' });
  const result = step('3', 'Look at what it would do, then confirm', numbers);
  result.hidden = true;
  const changed = () => {
    if (result.hidden) return;
    result.hidden = true;
    replace(jobPlace, notice('info', 'The options have changed: make a new dry run.'));
  };
  const chosen = backupField(backups, ctx.query.get('backup'), changed);
  const options = optionFields(changed);
  const run = button(
    'Dry run',
    () =>
      busy(run, async () => {
        result.hidden = true;
        const job = await runJob(
          jobPlace,
          '/plans',
          { backup: chosen.control.value, instance: instance.name, ...options.read() },
          ctx.signal,
        );
        if (job.state !== 'done' || !job.result) return;
        replace(numbers, planned(ctx, instance, job, h('div', { class: 'job-place' })));
        result.hidden = false;
        result.querySelector('h2').scrollIntoView({ block: 'nearest' });
      }),
    { role: 'operator', kind: 'primary' },
  );
  return h(
    'div',
    {},
    warning(instance),
    step('1', 'Choose a backup and how', chosen.node, options.node),
    step(
      '2',
      'Dry run',
      h('p', { class: 'hint' }, 'Reads the backup and looks at the server; nothing is written.'),
      run,
      jobPlace,
    ),
    result,
  );
}

export function recoverTab(ctx, instance) {
  return later(async () => {
    const backups = await backupsOf(instance.name, { signal: ctx.signal });
    if (backups.length === 0) return notice('info', 'There is no backup yet to recover from.');
    return form(ctx, instance, backups);
  }, ctx.signal);
}
