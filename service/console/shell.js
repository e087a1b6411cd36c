// What surrounds the pages: navigation, who is signed in, the theme, whether the link is up.
import { h, replace } from './dom.js';
import { may, session } from './api.js';
import { onLive } from './live.js';
import { button, link } from './ui.js';

const pages = [
  ['instances', 'Instances', 'viewer'],
  ['jobs', 'Jobs', 'viewer'],
  ['drills', 'Drills', 'viewer'],
  ['clones', 'Clones', 'viewer'],
  ['audit', 'Audit', 'admin'],
  ['access', 'Access', 'admin'],
];

const themes = ['system', 'light', 'dark'];

function chosenTheme() {
  return document.documentElement.dataset.theme ?? 'system';
}

function setTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem('sluice-theme');
    else localStorage.setItem('sluice-theme', theme);
  } catch {
    // Storage may be forbidden: the theme holds for this page only.
  }
}

function themeButton() {
  const text = () => [h('span', { class: 'wide-only' }, 'Theme: '), chosenTheme()];
  const element = button(
    text(),
    () => {
      setTheme(themes[(themes.indexOf(chosenTheme()) + 1) % themes.length]);
      replace(element, text());
      element.setAttribute('aria-label', `Theme: ${chosenTheme()}`);
    },
    { kind: 'quiet small', describe: `Theme: ${chosenTheme()}` },
  );
  return element;
}

function linkState() {
  const node = h('span', { class: 'link-state', role: 'status' });
  onLive('state', (up) => {
    node.classList.toggle('down', !up);
    node.textContent = up ? 'Live' : 'Reconnecting…';
  });
  return node;
}

const state = linkState();

function navigation(current) {
  return h(
    'nav',
    { class: 'main-nav', 'aria-label': 'Main' },
    h(
      'ul',
      {},
      pages
        .filter(([, , role]) => may(role))
        .map(([id, label]) =>
          h('li', {}, link(label, `#/${id}`, { 'aria-current': id === current ? 'page' : null })),
        ),
    ),
  );
}

/// The header and navigation for page `current`; without them when nobody is signed in.
export function shell(current, main, signOut) {
  const brand = h(
    'a',
    { class: 'brand', href: '#/instances' },
    h('span', { class: 'brand-mark', 'aria-hidden': 'true' }),
    'sluice',
  );
  const side =
    session.user === null
      ? []
      : [
          state,
          link(
            [session.user.name, h('span', { class: 'wide-only' }, ` (${session.user.role})`)],
            '#/account',
            { class: 'account', 'aria-current': current === 'account' ? 'page' : null },
          ),
        ];
  const out = session.user === null ? [] : button('Sign out', signOut, { kind: 'quiet small' });
  replace(
    document.getElementById('app'),
    h('header', { class: 'top' }, brand, h('div', { class: 'top-side' }, side, themeButton(), out)),
    h(
      'div',
      { class: session.user === null ? 'frame bare' : 'frame' },
      session.user === null ? null : navigation(current),
      main,
    ),
    h(
      'footer',
      { class: 'foot' },
      session.version ? `sluice ${session.version}` : 'sluice',
      h('span', {}, 'Times are in your time zone.'),
      link('API', '/api/v1/openapi.json'),
    ),
  );
}
