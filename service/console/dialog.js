// Dialogs: the platform's own element keeps the focus inside and gives it back.
import { h, uniqueId, replace } from './dom.js';
import { button, busy, field, notice } from './ui.js';

/// Opens a dialog with `body` and a button that closes it. `onclose` runs when it is gone.
export function showDialog(title, body, { wide = false, actions = [], onclose } = {}) {
  const heading = uniqueId('dialog');
  const close = button('Close', () => dialog.close());
  const dialog = h(
    'dialog',
    { 'aria-labelledby': heading, class: wide ? 'wide' : '' },
    h('div', { class: 'dialog-head' }, h('h2', { id: heading }, title)),
    h('div', { class: 'dialog-body' }, body),
    h('div', { class: 'dialog-foot' }, actions, close),
  );
  dialog.addEventListener('close', () => {
    dialog.remove();
    onclose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/// A form in a dialog. `submit()` is awaited; what it throws is shown and the dialog stays open.
/// Resolves to true when it was done, false when it was left.
export function formDialog(title, { body, label, kind = 'primary', submit, ready }) {
  return new Promise((resolve) => {
    const heading = uniqueId('dialog');
    const trouble = h('div', {});
    const ok = button(label, null, { kind, type: 'submit' });
    let done = false;
    const form = h(
      'form',
      { novalidate: true },
      h('div', { class: 'dialog-head' }, h('h2', { id: heading }, title)),
      h('div', { class: 'dialog-body' }, body, trouble),
      h(
        'div',
        { class: 'dialog-foot' },
        button('Cancel', () => dialog.close()),
        ok,
      ),
    );
    const check = () => {
      if (ready) ok.setAttribute('aria-disabled', ready() ? 'false' : 'true');
    };
    form.addEventListener('input', check);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (ready && !ready()) return;
      busy(ok, async () => {
        replace(trouble);
        try {
          await submit();
          done = true;
          dialog.close();
        } catch (error) {
          replace(trouble, notice('bad', error.message));
        }
      });
    });
    const dialog = h('dialog', { 'aria-labelledby': heading }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    check();
    dialog.showModal();
  });
}

/// Has a word typed before something that cannot be undone.
export function typedConfirm(title, { text, word, label, what, submit }) {
  const input = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
  return formDialog(title, {
    body: [
      text,
      field(['Type ', h('code', {}, word), ` (${what}) to confirm`], input, { wide: true }),
    ],
    label,
    kind: 'danger',
    submit: () => submit(input.value),
    ready: () => input.value === word,
  });
}

export function confirm(title, { text, label, kind = 'primary', submit }) {
  return formDialog(title, { body: text, label, kind, submit });
}
