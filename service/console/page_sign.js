// Signing in, the first set-up, and one's own account.
import { h, replace } from './dom.js';
import { post, put, session, takeSession } from './api.js';
import { busy, button, facts, field, notice, section, toast } from './ui.js';

/// A form of one column whose failure is shown above its button.
function entryForm(fields, label, submit) {
  const trouble = h('div', {});
  const go = button(label, null, { kind: 'primary', type: 'submit' });
  return h(
    'form',
    {
      class: 'entry',
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        busy(go, async () => {
          replace(trouble);
          try {
            await submit();
          } catch (error) {
            replace(trouble, notice('bad', error.message));
          }
        });
      },
    },
    fields,
    trouble,
    h('div', { class: 'form-foot' }, go),
  );
}

const input = (type, autocomplete) =>
  h('input', { type, autocomplete, required: true, spellcheck: 'false' });

function same(password, again) {
  if (password.value !== again.value) throw new Error('The two passwords are not the same.');
}

export function loginPage(ctx) {
  const name = input('text', 'username');
  const password = input('password', 'current-password');
  const form = entryForm(
    [field('Name', name, { wide: true }), field('Password', password, { wide: true })],
    'Sign in',
    async () => {
      takeSession(await post('/session', { name: name.value.trim(), password: password.value }));
      ctx.signedIn(ctx.query.get('next'));
    },
  );
  return { title: 'Sign in', bare: true, node: h('div', { class: 'entry-box' }, form) };
}

export function setupPage(ctx) {
  const token = input('text', 'off');
  token.value = ctx.query.get('token') ?? '';
  const name = input('text', 'username');
  const password = input('password', 'new-password');
  const again = input('password', 'new-password');
  const form = entryForm(
    [
      h('p', {}, 'Nobody can sign in yet. The first user is an admin.'),
      field('One-time token', token, {
        wide: true,
        hint: 'The service printed it when it started first.',
      }),
      field('Name', name, { wide: true }),
      field('Password', password, { wide: true }),
      field('Password again', again, { wide: true }),
    ],
    'Make the admin',
    async () => {
      same(password, again);
      takeSession(
        await post('/setup', {
          token: token.value.trim(),
          name: name.value.trim(),
          password: password.value,
        }),
      );
      ctx.signedIn(null);
    },
  );
  return { title: 'First set-up', bare: true, node: h('div', { class: 'entry-box' }, form) };
}

export function accountPage() {
  const old = input('password', 'current-password');
  const fresh = input('password', 'new-password');
  const again = input('password', 'new-password');
  const form = entryForm(
    [
      field('Old password', old, { wide: true }),
      field('New password', fresh, { wide: true }),
      field('New password again', again, { wide: true }),
    ],
    'Change password',
    async () => {
      same(fresh, again);
      await put('/session/password', { old: old.value, new: fresh.value });
      // All sessions have ended with the old one, this too.
      takeSession(await post('/session', { name: session.user.name, password: fresh.value }));
      form.reset();
      toast('ok', 'The password is changed.');
    },
  );
  return {
    title: 'Your account',
    node: h(
      'div',
      {},
      section(
        'You',
        {},
        facts([
          ['Name', session.user.name],
          ['Role', session.user.role],
        ]),
      ),
      section('Change password', {}, form),
    ),
  };
}
