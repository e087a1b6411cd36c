// Building of elements. Text is only ever set as text: names of keys come from strangers.

const properties = new Set([
  'value',
  'checked',
  'disabled',
  'selected',
  'open',
  'indeterminate',
  'required',
  'readOnly',
  'hidden',
]);

function setProp(element, name, value) {
  if (value === null || value === undefined) return;
  if (name === 'style' || name === 'innerHTML') throw new Error(`${name} is not for h()`);
  if (name.startsWith('on')) element.addEventListener(name.slice(2).toLowerCase(), value);
  else if (properties.has(name)) element[name] = value;
  else if (value === true) element.setAttribute(name, '');
  else if (value !== false) element.setAttribute(name, String(value));
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/// An element: h('p', {class: 'muted'}, 'text', node, [more]). null, undefined and false are left
/// out. `value` of a select takes effect only after its options are there, so it is set last.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  const { value, ...rest } = props ?? {};
  for (const [name, one] of Object.entries(rest)) setProp(element, name, one);
  append(element, children);
  setProp(element, 'value', value);
  return element;
}

/// The same for SVG.
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return append(element, children);
}

export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

let lastId = 0;
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/// Says a line to those who use a screen reader.
export function announce(text) {
  const live = document.getElementById('live');
  live.textContent = '';
  setTimeout(() => {
    live.textContent = text;
  }, 50);
}

/// `fn` runs at most once in `ms`, the last call always.
export function throttle(fn, ms) {
  let timer = null;
  return () => {
    if (timer !== null) return;
    timer = setTimeout(async () => {
      timer = null;
      try {
        await fn();
      } catch {
        // What it wanted to show is old; the next change, or a new link, brings it.
      }
    }, ms);
  };
}
