// One instance: what it is, and its tabs.
import { h, throttle, replace } from './dom.js';
import { get, may } from './api.js';
import { onLive } from './live.js';
import { ago } from './format.js';
import { healthPill, later, link, notice, roleText } from './ui.js';
import { instancePath } from './page_instances.js';
import { backupsTab } from './tab_backups.js';
import { policyTab } from './tab_policy.js';
import { recoverTab } from './tab_recover.js';
import { cloneTab } from './tab_clone.js';
import { keysTab } from './tab_keys.js';
import { analysisTab } from './tab_analysis.js';
import { jobsTab } from './page_jobs.js';

const tabs = {
  backups: ['Backups', backupsTab, 'viewer'],
  policy: ['Policy', policyTab, 'viewer'],
  recover: ['Recover', recoverTab, 'operator'],
  clone: ['Clone', cloneTab, 'viewer'],
  keys: ['Keys', keysTab, 'operator'],
  analysis: ['Analysis', analysisTab, 'operator'],
  jobs: ['Jobs', jobsTab, 'viewer'],
};

function headLine(instance) {
  return [
    healthPill(instance),
    h('span', { class: 'health-text' }, instance.health_text),
    h(
      'span',
      { class: 'muted nowrap' },
      'Next backup: ',
      instance.next_backup_at ? ago(instance.next_backup_at) : 'by hand',
    ),
  ];
}

function head(ctx, instance) {
  const line = h('div', { class: 'instance-line' }, headLine(instance));
  const refresh = throttle(async () => {
    const fresh = await get(`/instances/${encodeURIComponent(instance.name)}`, {
      signal: ctx.signal,
    });
    replace(line, headLine(fresh));
  }, 700);
  onLive('instance', ({ name }) => name === instance.name && refresh(), ctx.signal);
  return h(
    'div',
    { class: 'instance-head' },
    line,
    h(
      'p',
      { class: 'muted instance-place' },
      h('code', {}, instance.uri),
      ' → repository ',
      h('strong', {}, instance.repository),
      instance.group ? ` · group ${instance.group}` : '',
    ),
  );
}

function tabBar(name, current) {
  return h(
    'nav',
    { class: 'tabs', 'aria-label': `Sections of ${name}` },
    h(
      'ul',
      {},
      Object.entries(tabs).map(([id, [label]]) =>
        h(
          'li',
          {},
          link(label, instancePath(name, id), { 'aria-current': id === current ? 'page' : null }),
        ),
      ),
    ),
  );
}

export function instancePage(ctx, name, tab = 'backups') {
  if (!tabs[tab]) return { title: 'Not found', node: notice('bad', 'There is no such page.') };
  const [label, make, role] = tabs[tab];
  const load = () => get(`/instances/${encodeURIComponent(name)}`, { signal: ctx.signal });
  // Asked for once; after a failure again, by whoever tries again.
  let instance = null;
  const current = () => {
    instance ??= load().catch((error) => {
      instance = null;
      throw error;
    });
    return instance;
  };
  const content = may(role)
    ? later(async () => make(ctx, await current()), ctx.signal)
    : notice('info', roleText(role));
  return {
    title: name,
    subtitle: label,
    crumb: link('Instances', '#/instances'),
    group: `instance ${name}`,
    node: h(
      'div',
      {},
      later(async () => head(ctx, await current()), ctx.signal),
      tabBar(name, tab),
      h('div', { class: 'tab' }, content),
    ),
  };
}
