// The list of clones, of one instance or of all, and what can be done with each.
import { h, throttle } from './dom.js';
import { del, get, post } from './api.js';
import { onLive } from './live.js';
import { count, time } from './format.js';
import { button, link, muted, notice, pill, toast } from './ui.js';
import { table } from './table.js';
import { confirm, typedConfirm } from './dialog.js';
import { followJob } from './jobs.js';

import { ledger } from './ledger.js';
import { instancePath } from './page_instances.js';

const states = {
  making: ['run', 'Being made'],
  ready: ['ok', 'Ready'],
  failed: ['bad', 'Failed'],
  gone: ['idle', 'Removed'],
  promoted: ['info', 'Promoted'],
};

function verifiedPill(clone) {
  if (clone.verified === true) return pill('ok', 'verified', clone.digest ?? undefined);
  if (clone.verified === false) return pill('bad', 'not equal');
  return muted('–');
}

function promote(ctx, clone, place, reload) {
  return button(
    'Promote to original…',
    () => {
      let started = null;
      typedConfirm(`Promote the clone to ${clone.instance}`, {
        text: notice(
          'warn',
          h('strong', {}, `Everything in ${clone.instance} is replaced `),
          `by what the clone holds now (${count(clone.keys)} keys when it was made).`,
        ),
        word: clone.instance,
        what: 'the instance’s name',
        label: 'Promote',
        submit: async (typed) => {
          started = await post(`/clones/${clone.id}/promotions`, { confirm: typed });
        },
      }).then(async (sure) => {
        if (!sure) return;
        const end = h('div', {});
        const card = h('div', {});
        place.replaceChildren(card, end);
        const done = await followJob(card, started.job, ctx.signal).catch(() => null);
        if (done?.result) end.replaceChildren(ledger(done.result));
        reload();
      });
    },
    { role: 'admin', kind: 'small' },
  );
}

function remove(clone, reload) {
  return button(
    'Remove clone',
    () =>
      confirm('Remove the clone', {
        text: h(
          'p',
          {},
          clone.directory
            ? 'Its server is ended and its files are removed.'
            : 'It is no longer listed; a server that is not ours goes on.',
        ),
        label: 'Remove',
        kind: 'danger',
        submit: async () => {
          await del(`/clones/${clone.id}`, {});
          toast('ok', 'The clone is removed.');
          await reload();
        },
      }),
    { role: 'operator', kind: 'small' },
  );
}

/// {node, reload}: of `instance`, or of all when it is null.
export function cloneList(ctx, instance) {
  const place = h('div', { class: 'job-place' });
  const reload = async () => {
    const { clones } = await get('/clones', { signal: ctx.signal });
    shown.update(clones.filter((c) => instance === null || c.instance === instance));
  };
  const columns = [
    { label: 'Clone', head: true, cell: (c) => `#${c.id}` },
    instance === null
      ? { label: 'Instance', cell: (c) => link(c.instance, instancePath(c.instance, 'clone')) }
      : null,
    { label: 'State', cell: (c) => pill(...(states[c.state] ?? ['info', c.state])) },
    { label: 'Verified', cell: verifiedPill },
    {
      label: 'Address',
      class: 'break',
      cell: (c) => (c.uri ? h('code', { class: 'uri' }, c.uri) : muted('none')),
    },
    { label: 'Keys', class: 'num', cell: (c) => count(c.keys) },
    { label: 'Backup', class: 'break', cell: (c) => h('code', {}, c.backup) },
    { label: 'Target', cell: (c) => c.target },
    { label: 'Made', cell: (c) => time(c.created_at) },
    {
      label: 'Actions',
      hidden: true,
      class: 'row-actions',
      cell: (c) =>
        c.state === 'ready' || c.state === 'failed' || c.state === 'promoted'
          ? h(
              'div',
              { class: 'actions' },
              c.state === 'ready' ? promote(ctx, c, place, reload) : null,
              remove(c, reload),
            )
          : null,
    },
  ].filter(Boolean);
  const shown = table({ caption: 'Clones', columns, key: (c) => c.id, none: 'No clones.' });
  const soon = throttle(() => reload().catch(() => {}), 800);
  onLive(
    'job',
    (job) => ['clone', 'promote'].includes(job.type) && job.state !== 'running' && soon(),
    ctx.signal,
  );
  return { node: h('div', {}, place, shown.node), reload };
}
