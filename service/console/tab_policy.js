// When an instance is backed up and what is kept.
import { h, replace } from './dom.js';
import { del, get, may, put } from './api.js';
import { ago, time } from './format.js';
import {
  busy,
  button,
  checkbox,
  facts,
  field,
  later,
  notice,
  section,
  select,
  toast,
} from './ui.js';
import { confirm } from './dialog.js';
import { everyDay, numberInput, optionalSchedule, scheduleFields } from './schedule.js';

const standard = {
  enabled: true,
  schedule: everyDay,
  from: 'prefer_replica',
  layout: 'canonical',
  compression: 'lz4',
  retention: {
    last: 0,
    within_days: 7,
    hourly: 0,
    daily: 0,
    weekly: 0,
    monthly: 0,
    yearly: 0,
    minimum: 1,
  },
  retries: 3,
  retry_delay_s: 60,
  verify: null,
  drill: null,
};

const keeps = [
  ['within_days', 'All within, days', 'all of the last %n days'],
  ['last', 'Newest', 'the newest %n'],
  ['hourly', 'Hourly', 'one of each of %n hours'],
  ['daily', 'Daily', 'one of each of %n days'],
  ['weekly', 'Weekly', 'one of each of %n weeks'],
  ['monthly', 'Monthly', 'one of each of %n months'],
  ['yearly', 'Yearly', 'one of each of %n years'],
  ['minimum', 'At least', 'never fewer than %n'],
];

const sources = [
  ['prefer_replica', 'A replica if there is one in sync, else the primary'],
  ['replica', 'Replicas only'],
  ['primary', 'The primary'],
];
const layouts = [
  ['canonical', 'Canonical: incremental, single keys can be read'],
  ['stream', 'Stream: the RDB as it came'],
];

function retentionText(retention) {
  return (
    keeps
      .filter(([name]) => retention[name] > 0)
      .map(([name, , text]) => text.replace('%n', retention[name]))
      .join(', ') || 'nothing'
  );
}

function nextText(answer) {
  return answer.next_backup_at
    ? [time(answer.next_backup_at), ' (', ago(answer.next_backup_at), ')']
    : 'by hand only';
}

const sourceText = {
  console: 'Set in this console; it goes before the configuration file.',
  file: 'From the configuration file.',
  none: 'There is no policy: backups are made by hand only.',
};

function readOnly(answer) {
  const { policy } = answer;
  if (!policy) return notice('info', sourceText.none);
  return facts([
    ['Automatic backups', policy.enabled ? 'on' : 'off'],
    ['When', policy.schedule.text],
    ['Next backup', nextText(answer)],
    ['Keeps', retentionText(policy.retention)],
    ['Read from', sources.find(([id]) => id === policy.from)?.[1]],
    ['Layout', policy.layout],
    ['Compression', policy.compression],
    ['Retries', `${policy.retries}, the first after ${policy.retry_delay_s} s`],
    ['Verification', policy.verify?.text ?? 'not on a schedule'],
    ['Restore drill', policy.drill?.text ?? 'not on a schedule'],
    ['Source', sourceText[answer.source]],
  ]);
}

function group(title, ...children) {
  return h('fieldset', {}, h('legend', {}, title), children);
}

/// The form's fields; `read()` makes a POLICY of them.
function policyFields(policy) {
  const enabled = checkbox('Automatic backups', { checked: policy.enabled });
  const when = scheduleFields(policy.schedule, 'backups');
  const kept = keeps.map(([name, label]) => [
    name,
    numberInput(policy.retention[name] ?? 0, { min: name === 'minimum' ? 1 : 0, max: 100000 }),
    label,
  ]);
  const from = select(sources, { value: policy.from });
  const layout = select(layouts, { value: policy.layout });
  const compression = h('input', { type: 'text', value: policy.compression, spellcheck: 'false' });
  const retries = numberInput(policy.retries, { max: 100 });
  const delay = numberInput(policy.retry_delay_s, { min: 1, max: 86400 });
  const verify = optionalSchedule(
    policy.verify,
    'verification',
    'Verify the newest backup on a schedule',
  );
  const drill = optionalSchedule(
    policy.drill,
    'drills',
    'Restore a random backup into a throw-away server on a schedule',
  );
  const node = h(
    'div',
    {},
    group('Automatic backups', enabled.node, when.node),
    group(
      'Retention',
      h(
        'p',
        { class: 'hint' },
        'A backup is kept while any rule keeps it; 0 turns a rule off. Pinned backups stay.',
      ),
      h(
        'div',
        { class: 'fields narrow' },
        kept.map(([, input, label]) => field(label, input)),
      ),
    ),
    group(
      'How',
      h(
        'div',
        { class: 'fields' },
        field('Read from', from),
        field('Layout', layout),
        field('Compression', compression, { hint: 'lz4, zstd, zstd:LEVEL or none' }),
        field('Retries', retries),
        field('Retry delay, seconds', delay, { hint: 'Doubles each time.' }),
      ),
    ),
    group('Verification', verify.node),
    group('Restore drills', drill.node),
  );
  const read = () => ({
    name: policy.name ?? 'console',
    enabled: enabled.input.checked,
    schedule: when.read(),
    retention: Object.fromEntries(kept.map(([name, input]) => [name, Number(input.value)])),
    from: from.value,
    layout: layout.value,
    compression: compression.value.trim(),
    retries: Number(retries.value),
    retry_delay_s: Number(delay.value),
    verify: verify.read(),
    drill: drill.read(),
  });
  return { node, read };
}

function editor(path, answer, show) {
  const fields = policyFields(answer.policy ?? standard);
  const trouble = h('div', {});
  const save = button('Save policy', null, { kind: 'primary', type: 'submit' });
  const back =
    answer.source !== 'console'
      ? null
      : button('Back to the file’s…', () =>
          confirm('Back to the file’s policy', {
            text: h(
              'p',
              {},
              'What was set here is forgotten; what the configuration file says applies again.',
            ),
            label: 'Forget it',
            submit: async () => show(await del(path)),
          }),
        );
  return h(
    'form',
    {
      novalidate: true,
      class: 'policy',
      onsubmit: (event) => {
        event.preventDefault();
        busy(save, async () => {
          replace(trouble);
          try {
            show(await put(path, fields.read()));
            toast('ok', 'The policy is saved.');
          } catch (error) {
            replace(trouble, notice('bad', error.message));
          }
        });
      },
    },
    fields.node,
    trouble,
    h('div', { class: 'form-foot' }, save, back),
  );
}

export function policyTab(ctx, instance) {
  const path = `/instances/${encodeURIComponent(instance.name)}/policy`;
  const place = h('div', {});
  const show = (answer) =>
    replace(
      place,
      facts([
        ['In force', answer.policy?.schedule.text ?? 'nothing'],
        ['Next backup', nextText(answer)],
        ['Keeps', answer.policy ? retentionText(answer.policy.retention) : null],
        ['Source', sourceText[answer.source]],
      ]),
      editor(path, answer, show),
    );
  return section(
    'Policy',
    {},
    later(async () => {
      const answer = await get(path, { signal: ctx.signal });
      if (!may('admin')) {
        return h(
          'div',
          {},
          notice('info', 'Only an admin may change the policy.'),
          readOnly(answer),
        );
      }
      show(answer);
      return place;
    }, ctx.signal),
  );
}
