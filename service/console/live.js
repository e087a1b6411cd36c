// What the service tells by itself: jobs and instances that change, over server-sent events.
import { loadSession, session } from './api.js';

const listeners = new Map();
let source = null;
let retry = null;
let attempts = 0;
let greeted = false;

/// `fn` is called with the event's data until `signal` says stop. Types: job, instance, hello (the
/// stream begins; true when that is not for the first time, and what is shown may be old), state
/// (true while the link is up), signedout.
export function onLive(type, fn, signal) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(fn);
  signal?.addEventListener('abort', () => listeners.get(type).delete(fn));
}

function tell(type, data) {
  for (const fn of [...(listeners.get(type) ?? [])]) fn(data);
}

function parse(event) {
  try {
    return JSON.parse(event.data || 'null');
  } catch {
    return null;
  }
}

async function reconnect() {
  source?.close();
  source = null;
  tell('state', false);
  attempts += 1;
  clearTimeout(retry);
  retry = setTimeout(
    async () => {
      // An event source does not say why it was refused. A session that ended is found out here.
      await loadSession().catch(() => {});
      if (session.user) connect();
      else tell('signedout', null);
    },
    Math.min(15000, 500 * 2 ** Math.min(attempts, 5)),
  );
}

export function connect() {
  if (source !== null) return;
  source = new EventSource('/api/v1/events');
  source.addEventListener('hello', () => {
    tell('state', true);
    tell('hello', greeted);
    greeted = true;
    attempts = 0;
  });
  for (const type of ['job', 'instance']) {
    source.addEventListener(type, (event) => {
      const data = parse(event);
      if (data !== null) tell(type, data);
    });
  }
  source.addEventListener('error', reconnect);
}

export function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  greeted = false;
}
