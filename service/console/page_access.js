// Users and tokens.
import { h } from './dom.js';
import { del, get, post, put, session } from './api.js';
import { ago, time } from './format.js';
import { button, busy, field, later, muted, notice, section, select, toast } from './ui.js';
import { table } from './table.js';
import { confirm, formDialog, showDialog } from './dialog.js';

const roles = [
  ['viewer', 'viewer: may look'],
  ['operator', 'operator: backs up, clones, reads keys'],
  ['admin', 'admin: may do everything'],
];

function passwordInput(autocomplete = 'new-password') {
  return h('input', { type: 'password', autocomplete, required: true, minlength: 10 });
}

function addUser(reload) {
  const name = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
  const password = passwordInput();
  const role = select(roles);
  formDialog('Add a user', {
    body: [
      field('Name', name, { wide: true }),
      field('Password', password, { wide: true }),
      field('Role', role, { wide: true }),
    ],
    label: 'Add',
    submit: async () => {
      await post('/users', { name: name.value.trim(), password: password.value, role: role.value });
      await reload();
    },
  });
}

function changeUser(user, reload) {
  const role = select(roles, { value: user.role });
  const password = h('input', { type: 'password', autocomplete: 'new-password' });
  formDialog(`Change ${user.name}`, {
    body: [
      field('Role', role, { wide: true }),
      field('New password', password, { wide: true, hint: 'Empty: stays as it is.' }),
    ],
    label: 'Save',
    submit: async () => {
      await put(`/users/${encodeURIComponent(user.name)}`, {
        role: role.value,
        ...(password.value ? { password: password.value } : {}),
      });
      await reload();
    },
  });
}

function removeUser(user, reload) {
  confirm(`Remove ${user.name}`, {
    text: h('p', {}, 'The user is signed out everywhere and cannot sign in again.'),
    label: 'Remove',
    kind: 'danger',
    submit: async () => {
      await del(`/users/${encodeURIComponent(user.name)}`);
      await reload();
    },
  });
}

function userTable(reload) {
  return table({
    caption: 'Users',
    key: (u) => u.name,
    columns: [
      {
        label: 'Name',
        head: true,
        cell: (u) => [u.name, u.name === session.user.name ? muted(' (you)') : null],
      },
      { label: 'Role', cell: (u) => u.role },
      { label: 'Since', cell: (u) => time(u.created_at) },
      { label: 'Last seen', cell: (u) => ago(u.last_seen_at) },
      {
        label: 'Actions',
        hidden: true,
        class: 'row-actions',
        cell: (u) =>
          h(
            'div',
            { class: 'actions' },
            button('Change…', () => changeUser(u, reload), {
              kind: 'small',
              describe: `Change ${u.name}`,
            }),
            u.name === session.user.name
              ? null
              : button('Remove…', () => removeUser(u, reload), {
                  kind: 'small',
                  describe: `Remove ${u.name}`,
                }),
          ),
      },
    ],
  });
}

function showToken(token) {
  const value = h('input', {
    type: 'text',
    readOnly: true,
    value: token,
    class: 'mono',
    onfocus: () => value.select(),
  });
  const copy = button('Copy', () =>
    busy(copy, async () => {
      await navigator.clipboard.writeText(token);
      toast('ok', 'Copied.');
    }),
  );
  showDialog('The new token', [
    notice('warn', 'It is shown this once only. Keep it where secrets are kept.'),
    field('Token', value, { wide: true, hint: 'Sent as: Authorization: Bearer TOKEN' }),
    copy,
  ]);
}

function addToken(reload) {
  const label = h('input', { type: 'text', maxlength: 100 });
  const role = select(roles);
  const days = h('input', { type: 'number', min: 1, value: '90', inputmode: 'numeric' });
  let made = null;
  formDialog('Make a token', {
    body: [
      field('What it is for', label, { wide: true }),
      field('Role', role, { wide: true }),
      field('Expires in days', days, { wide: true, hint: 'Empty: never.' }),
    ],
    label: 'Make',
    submit: async () => {
      made = await post('/tokens', {
        label: label.value.trim(),
        role: role.value,
        ...(days.value ? { expires_in_days: Number(days.value) } : {}),
      });
      await reload();
    },
  }).then((done) => done && showToken(made.token));
}

function tokenTable(reload) {
  return table({
    caption: 'Tokens',
    key: (t) => t.id,
    none: 'No tokens. Programs that use the API need one.',
    columns: [
      { label: 'For', head: true, cell: (t) => t.label },
      { label: 'Role', cell: (t) => t.role },
      { label: 'Made', cell: (t) => time(t.created_at) },
      { label: 'Expires', cell: (t) => (t.expires_at ? time(t.expires_at) : muted('never')) },
      { label: 'Last used', cell: (t) => ago(t.last_used_at) },
      {
        label: 'Actions',
        hidden: true,
        class: 'row-actions',
        cell: (t) =>
          button(
            'Revoke…',
            () =>
              confirm('Revoke the token', {
                text: h('p', {}, `Programs that use “${t.label}” are refused from then on.`),
                label: 'Revoke',
                kind: 'danger',
                submit: async () => {
                  await del(`/tokens/${encodeURIComponent(t.id)}`);
                  await reload();
                },
              }),
            { kind: 'small', describe: `Revoke ${t.label}` },
          ),
      },
    ],
  });
}

export function accessPage(ctx) {
  const part = (title, make, path, list, actions) => {
    const reload = async () => shown.update((await get(path, { signal: ctx.signal }))[list]);
    const shown = make(reload);
    return section(
      title,
      { actions: actions(reload) },
      later(async () => {
        await reload();
        return shown.node;
      }, ctx.signal),
    );
  };
  return {
    title: 'Access',
    node: h(
      'div',
      {},
      part('Users', userTable, '/users', 'users', (reload) =>
        button('Add user…', () => addUser(reload), { kind: 'primary' }),
      ),
      part('Tokens', tokenTable, '/tokens', 'tokens', (reload) =>
        button('Make token…', () => addToken(reload), { kind: 'primary' }),
      ),
    ),
  };
}
