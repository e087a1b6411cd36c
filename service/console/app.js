// Which page is shown: the address after # says it.
import { h } from './dom.js';
import { del, loadSession, may, onSignedOut, session, takeSession } from './api.js';
import { connect, disconnect, onLive } from './live.js';
import { refreshRelative } from './format.js';
import { notice, roleText, toast } from './ui.js';
import { tellOfOwnJobs } from './jobs.js';
import { shell } from './shell.js';
import { instancesPage } from './page_instances.js';
import { instancePage } from './page_instance.js';
import { jobsPage } from './page_jobs.js';
import { auditPage, clonesPage, drillsPage } from './page_lists.js';
import { accessPage } from './page_access.js';
import { accountPage, loginPage, setupPage } from './page_sign.js';

const pages = {
  instances: (ctx, name, tab) =>
    name === undefined ? instancesPage(ctx) : instancePage(ctx, name, tab),
  jobs: jobsPage,
  drills: drillsPage,
  clones: clonesPage,
  audit: auditPage,
  access: accessPage,
  account: accountPage,
  login: loginPage,
  setup: setupPage,
};
const needs = { audit: 'admin', access: 'admin' };

let current = null;
let lastGroup = null;

function parseHash() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  let parts = [];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    parts = ['unknown'];
  }
  return {
    parts: parts.length === 0 ? ['instances'] : parts,
    query: new URLSearchParams(search ?? ''),
  };
}

function go(hash) {
  if (location.hash === hash) show();
  else location.hash = hash;
}

/// The page that may be shown instead of the wanted one; null: that one.
function instead({ parts: [page] }) {
  if (session.user === null) {
    if (session.setupNeeded) return page === 'setup' ? null : '#/setup';
    return page === 'login' ? null : `#/login?next=${encodeURIComponent(location.hash)}`;
  }
  return page === 'login' || page === 'setup' ? '#/instances' : null;
}

function context(query, stop) {
  return {
    signal: stop.signal,
    query,
    reload: show,
    setQuery: (values) => {
      const kept = Object.entries(values).filter(([, value]) => value);
      const text = new URLSearchParams(kept).toString();
      history.replaceState(null, '', `${location.hash.split('?')[0]}${text ? `?${text}` : ''}`);
    },
    signedIn: (next) => {
      connect();
      go(next?.startsWith('#/') ? next : '#/instances');
    },
  };
}

function build(ctx, [page, ...rest]) {
  if (!pages[page]) return { title: 'Not found', node: notice('bad', 'There is no such page.') };
  if (needs[page] && !may(needs[page]))
    return { title: 'Not for you', node: notice('info', roleText(needs[page])) };
  return pages[page](ctx, ...rest);
}

function focusOn(main, made) {
  const tab =
    made.group && made.group === lastGroup ? main.querySelector('.tabs [aria-current]') : null;
  if (tab) tab.focus({ preventScroll: true });
  else if (lastGroup !== null) main.querySelector('h1').focus();
  if (!tab) window.scrollTo(0, 0);
  lastGroup = made.group ?? '';
}

function show() {
  const route = parseHash();
  const other = instead(route);
  if (other !== null) {
    location.replace(other);
    return;
  }
  current?.abort();
  current = new AbortController();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  const made = build(context(route.query, current), route.parts);
  const main = h(
    'main',
    { id: 'main', tabindex: '-1' },
    made.crumb ? h('p', { class: 'crumb' }, made.crumb, ' /') : null,
    h('h1', { tabindex: '-1' }, made.title),
    made.node,
  );
  shell(route.parts[0], main, signOut);
  document.title = `${made.subtitle ? `${made.subtitle} · ` : ''}${made.title} · sluice`;
  focusOn(main, made);
}

async function signOut() {
  try {
    await del('/session');
  } catch (error) {
    if (error.status !== 401) {
      toast('bad', error.message);
      return;
    }
  }
  signedOut();
  // Who signs in next may be another.
  location.replace('#/login');
}

/// Also when the service said so. On the page for signing in there is nothing to leave.
function signedOut() {
  if (['login', 'setup'].includes(parseHash().parts[0])) return;
  takeSession({ user: null, csrf: null });
  document.getElementById('toasts').replaceChildren();
  disconnect();
  show();
}

async function start() {
  onSignedOut(signedOut);
  onLive('signedout', signedOut);
  tellOfOwnJobs();
  setInterval(refreshRelative, 20000);
  addEventListener('hashchange', show);
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
  });
  try {
    await loadSession();
  } catch (error) {
    document
      .getElementById('main')
      .replaceChildren(h('h1', {}, 'sluice'), notice('bad', error.message));
    return;
  }
  if (session.user) connect();
  show();
}

start();
