// Names of keys. They are bytes of strangers: shown so that what cannot be seen is, and asked for
// in the service's escaped form (\xNN, \" and \\).
import { h } from './dom.js';

/// Out of the escaped form.
export function bytesOfEscaped(text) {
  const bytes = [];
  for (let i = 0; i < text.length; i += 1) {
    const hex = /^\\x([0-9a-f]{2})/i.exec(text.slice(i, i + 4));
    if (hex) {
      bytes.push(parseInt(hex[1], 16));
      i += 3;
    } else {
      if (text[i] === '\\' && (text[i + 1] === '\\' || text[i + 1] === '"')) i += 1;
      const point = text.codePointAt(i);
      bytes.push(...new TextEncoder().encode(String.fromCodePoint(point)));
      if (point > 0xffff) i += 1;
    }
  }
  return Uint8Array.from(bytes);
}

/// Out of a byte string of the API: a string, or {"$base64"}.
export function bytesOfValue(value) {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  return Uint8Array.from(atob(value.$base64), (c) => c.charCodeAt(0));
}

function hexOf(byte) {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/// What the service is asked with.
export function keyQuery(bytes) {
  return encodeURIComponent(
    Array.from(bytes, (byte) => {
      const c = String.fromCharCode(byte);
      if (c === '\\' || c === '"') return `\\${c}`;
      return byte >= 0x20 && byte < 0x7f ? c : hexOf(byte);
    }).join(''),
  );
}

function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/// What cannot be seen, or changes how its neighbours are seen, is escaped.
function escapeInvisible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0);
    return code < 0x100 ? hexOf(code) : `\\u${code.toString(16)}`;
  });
}

export function keyText(bytes) {
  if (bytes.length === 0) return '(empty name)';
  const text = textOf(bytes);
  return text === null
    ? Array.from(bytes, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : hexOf(b))).join('')
    : escapeInvisible(text);
}

/// The name of a key, cut by the style sheet when it is too long.
export function keyName(bytes) {
  const text = keyText(bytes);
  return h(
    'code',
    { class: 'key', title: text },
    h('bdi', {}, text),
    textOf(bytes) === null ? h('span', { class: 'tag' }, 'binary') : null,
  );
}
