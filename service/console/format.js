// How times, sizes and names are shown. Sizes have the exact bytes and times their UTC as title.
import { h } from './dom.js';
import { now } from './api.js';

const number = new Intl.NumberFormat('en');

export function count(n) {
  return n === null || n === undefined ? '–' : number.format(n);
}

export function sizeText(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  return h('span', { class: 'nowrap', title: `${count(bytes)} bytes` }, sizeText(bytes));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds / 60);
  if (whole < 90) return `${whole} min`;
  if (seconds < 48 * 3600) return `${Math.floor(whole / 60)} h ${whole % 60} min`;
  return `${Math.round(seconds / 86400)} d`;
}

const pad = (n, width = 2) => String(n).padStart(width, '0');

/// Local time as YYYY-MM-DD HH:MM, with seconds when asked for.
export function localText(date, withSeconds = false) {
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return `${day} ${time}${withSeconds ? `:${pad(date.getSeconds())}` : ''}`;
}

function relativeText(date) {
  const seconds = (date.getTime() - now()) / 1000;
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds <= 0 ? 'just now' : 'in a moment';
  const [value, unit] =
    distance < 5400
      ? [distance / 60, 'min']
      : distance < 48 * 3600
        ? [distance / 3600, 'h']
        : [distance / 86400, 'd'];
  return seconds < 0 ? `${Math.round(value)} ${unit} ago` : `in ${Math.round(value)} ${unit}`;
}

function utcTitle(iso) {
  return `${iso.replace('T', ' ').replace('Z', '')} UTC`;
}

/// A moment in the browser's zone; "–" for null.
export function time(iso, { seconds = false } = {}) {
  if (!iso) return '–';
  return h(
    'time',
    { datetime: iso, title: utcTitle(iso), class: 'nowrap' },
    localText(new Date(iso), seconds),
  );
}

/// "3 h ago"; kept up to date by refreshRelative().
export function ago(iso) {
  if (!iso) return '–';
  const date = new Date(iso);
  return h(
    'time',
    {
      datetime: iso,
      class: 'nowrap',
      'data-relative': true,
      title: `${localText(date, true)} local, ${utcTitle(iso)}`,
    },
    relativeText(date),
  );
}

export function refreshRelative() {
  for (const element of document.querySelectorAll('time[data-relative]')) {
    const text = relativeText(new Date(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

/// Value of an input of type datetime-local as RFC 3339, or '' for an empty one.
export function inputToIso(value) {
  return value ? new Date(value).toISOString() : '';
}

export function isoToInput(iso) {
  return iso ? localText(new Date(iso)).replace(' ', 'T') : '';
}

export const jobNames = {
  backup: 'Backup',
  verify: 'Verification',
  prune: 'Retention',
  remove: 'Deletion',
  analyze: 'Analysis',
  diff: 'Comparison',
  plan: 'Dry run',
  restore: 'Recovery',
  clone: 'Clone',
  promote: 'Promotion',
  drill: 'Restore drill',
};

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}
