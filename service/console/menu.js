// A button that opens a list of actions, laid over whatever scrolls around it.
import { h } from './dom.js';

function place(menu, items) {
  const box = menu.getBoundingClientRect();
  const height = items.offsetHeight;
  const below = box.bottom + height + 8 < window.innerHeight;
  items.style.top = `${Math.max(8, below ? box.bottom + 4 : box.top - height - 4)}px`;
  const right = Math.min(box.right, window.innerWidth - 8);
  items.style.left = `${Math.max(8, right - items.offsetWidth)}px`;
}

export function anyMenuOpen() {
  return document.querySelector('details.menu[open]') !== null;
}

export function menu(label, description, items) {
  const list = h('div', { class: 'menu-items' }, items);
  const summary = h('summary', { class: 'button small', 'aria-label': description }, label);
  const node = h('details', { class: 'menu' }, summary, list);
  const close = () => {
    node.open = false;
  };
  const outside = (event) => {
    if (!node.contains(event.target) || list.contains(event.target)) setTimeout(close);
  };
  node.addEventListener('toggle', () => {
    const change = node.open ? 'addEventListener' : 'removeEventListener';
    document[change]('click', outside);
    window[change]('resize', close);
    document[change]('scroll', close, true);
    if (node.open) place(node, list);
  });
  node.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !node.open) return;
    close();
    summary.focus();
  });
  return node;
}
