// Parts that the pages share: buttons, fields, pills, notices, what is told in a corner.
import { h, uniqueId, replace } from './dom.js';
import { may } from './api.js';

const icons = { ok: '✓', bad: '✕', warn: '!', run: '▶', idle: '–', info: 'i' };

/// A state in words with a sign; the colour only repeats it.
export function pill(kind, text, title) {
  return h(
    'span',
    { class: `pill ${kind}`, title },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, icons[kind]),
    h('span', {}, text),
  );
}

const healths = {
  ok: ['ok', 'Healthy'],
  running: ['run', 'Running'],
  failing: ['bad', 'Failing'],
  overdue: ['warn', 'Overdue'],
  damaged: ['bad', 'Damaged'],
  never: ['warn', 'Never backed up'],
  manual: ['idle', 'By hand'],
};

export function healthPill(instance) {
  const [kind, text] = healths[instance.health] ?? ['info', instance.health];
  return pill(kind, text, instance.health_text);
}

const states = {
  queued: ['idle', 'Queued'],
  running: ['run', 'Running'],
  done: ['ok', 'Done'],
  failed: ['bad', 'Failed'],
  cancelled: ['idle', 'Cancelled'],
  interrupted: ['warn', 'Interrupted'],
  retrying: ['warn', 'Will be retried'],
};

export function statePill(state) {
  const [kind, text] = states[state] ?? ['info', state];
  return pill(kind, text);
}

const article = { viewer: 'a viewer', operator: 'an operator', admin: 'an admin' };

/// "Only an admin may do this." for who may not.
export function roleText(role) {
  return role === 'admin'
    ? 'Only an admin may do this.'
    : `This needs ${article[role]} or more; your role may only look.`;
}

/// A button. With `role`, one who has less finds it greyed out and is told who may.
export function button(label, onclick, { role, kind = '', title, describe, type = 'button' } = {}) {
  const allowed = !role || may(role);
  const element = h(
    'button',
    {
      type,
      class: `button ${kind}`,
      title: allowed ? title : roleText(role),
      'aria-label': describe,
      'aria-disabled': allowed ? null : 'true',
    },
    label,
  );
  element.addEventListener('click', (event) => {
    if (element.getAttribute('aria-disabled') === 'true') {
      event.preventDefault();
      if (!allowed) toast('info', roleText(role));
    } else {
      onclick?.(event);
    }
  });
  return element;
}

/// While `work` runs the button cannot be pressed again; what fails is told in a corner.
export async function busy(element, work) {
  if (element.getAttribute('aria-busy') === 'true') return;
  element.setAttribute('aria-busy', 'true');
  element.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } catch (error) {
    if (error.name !== 'AbortError') toast('bad', error.message);
  } finally {
    element.removeAttribute('aria-busy');
    element.removeAttribute('aria-disabled');
  }
}

export function link(label, href, props = {}) {
  return h('a', { href, ...props }, label);
}

/// A labelled control with a hint below; the control gets an id.
export function field(label, control, { hint, wide } = {}) {
  control.id ||= uniqueId('field');
  const hintId = hint ? uniqueId('hint') : null;
  if (hintId) control.setAttribute('aria-describedby', hintId);
  return h(
    'div',
    { class: wide ? 'field wide' : 'field' },
    h('label', { for: control.id }, label),
    control,
    hint ? h('p', { class: 'hint', id: hintId }, hint) : null,
  );
}

export function checkbox(label, props = {}) {
  const input = h('input', { type: 'checkbox', ...props });
  return { input, node: h('label', { class: 'check' }, input, h('span', {}, label)) };
}

export function radio(label, name, props = {}) {
  const input = h('input', { type: 'radio', name, ...props });
  return { input, node: h('label', { class: 'check' }, input, h('span', {}, label)) };
}

/// options: [value, text] each.
export function select(options, props = {}) {
  return h(
    'select',
    props,
    options.map(([value, text]) => h('option', { value }, text)),
  );
}

export function notice(kind, ...children) {
  return h(
    'div',
    { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : null },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, icons[kind]),
    h('div', {}, children),
  );
}

export function empty(text) {
  return h('p', { class: 'empty' }, text);
}

export function muted(...children) {
  return h('span', { class: 'muted' }, children);
}

/// A title, the explanation below it and what can be done, for a section of a page.
export function section(title, { id, actions, hint, level = 2, kind = '' } = {}, ...children) {
  const headingId = id ?? uniqueId('section');
  return h(
    'section',
    { class: `panel ${kind}`, 'aria-labelledby': headingId },
    h(
      'div',
      { class: 'panel-head' },
      h(`h${level}`, { id: headingId }, title),
      actions ? h('div', { class: 'actions' }, actions) : null,
    ),
    hint ? h('p', { class: 'hint' }, hint) : null,
    children,
  );
}

/// Names and values, one pair a row; what is null is left out.
export function facts(pairs) {
  return h(
    'dl',
    { class: 'facts' },
    pairs
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

/// What comes later: shows that it is loading, then the node, or what went wrong.
export function later(work, signal) {
  const place = h(
    'div',
    { class: 'later', 'aria-busy': 'true' },
    h('p', { class: 'muted loading' }, 'Loading…'),
  );
  const load = async () => {
    try {
      const node = await work();
      if (!signal?.aborted) replace(place, node);
    } catch (error) {
      if (error.name === 'AbortError' || signal?.aborted) return;
      replace(
        place,
        notice(
          'bad',
          error.message,
          h(
            'p',
            {},
            button('Try again', () => busy(place, load)),
          ),
        ),
      );
    }
    place.removeAttribute('aria-busy');
  };
  load();
  return place;
}

/// A line in the corner, read out by screen readers. Errors stay until they are closed.
export function toast(kind, text, href) {
  const close = h('button', { type: 'button', class: 'close', 'aria-label': 'Dismiss' }, '×');
  const node = h(
    'div',
    { class: `toast ${kind}`, role: kind === 'bad' ? 'alert' : 'status' },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, icons[kind]),
    h('div', { class: 'toast-text' }, text, href ? [' ', h('a', { href }, 'Show')] : null),
    close,
  );
  close.addEventListener('click', () => node.remove());
  const all = document.getElementById('toasts');
  while (all.children.length >= 4) all.firstChild.remove();
  all.append(node);
  if (kind !== 'bad') setTimeout(() => node.remove(), 8000);
}
