// Requests to the service, who is signed in, and the clock of the service.

const base = '/api/v1';
const ranks = { viewer: 1, operator: 2, admin: 3 };

export const session = { user: null, csrf: null, version: '', setupNeeded: false };

/// What went wrong, with the service's own message. `status` is 0 when it did not answer.
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let clockOffset = 0;
let whenSignedOut = () => {};

/// Milliseconds by the clock of the service, which policies and backups go by.
export function now() {
  return Date.now() + clockOffset;
}

function setClock(iso) {
  const at = Date.parse(iso);
  if (!Number.isNaN(at)) clockOffset = at - Date.now();
}

export function onSignedOut(fn) {
  whenSignedOut = fn;
}

export function may(role) {
  return session.user !== null && ranks[session.user.role] >= ranks[role];
}

async function errorOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not JSON: a proxy's page. The status is all there is to say.
  }
  let message = error.message ?? `The service answered with status ${response.status}.`;
  const wait = response.headers.get('Retry-After');
  if (response.status === 429 && wait) message += ` Try again in ${wait} s.`;
  return new ApiError(response.status, error.code ?? 'http', message);
}

async function send(method, path, body, signal) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && session.csrf) headers['X-CSRF-Token'] = session.csrf;
  try {
    return await fetch(base + path, {
      method,
      headers,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(
      0,
      'unreachable',
      'The service does not answer. Check that it runs and that this machine can reach it.',
    );
  }
}

async function request(method, path, body, { signal } = {}) {
  const response = await send(method, path, body, signal);
  const date = response.headers.get('Date');
  if (date && Math.abs(Date.parse(date) - now()) > 2000) setClock(date);
  if (response.ok) return response.status === 204 ? {} : response.json();
  const error = await errorOf(response);
  // A wrong password has the same status as a session that ended.
  if (response.status === 401 && error.code !== 'bad_login') whenSignedOut();
  throw error;
}

export const get = (path, options) => request('GET', path, undefined, options);
export const post = (path, body = {}, options = {}) => request('POST', path, body, options);
export const put = (path, body = {}, options = {}) => request('PUT', path, body, options);
export const del = (path, body, options = {}) => request('DELETE', path, body, options);

/// "?a=1&b=2" of what is neither null nor empty.
export function query(values) {
  const parts = Object.entries(values)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

export function takeSession(answer) {
  session.user = answer.user;
  session.csrf = answer.csrf;
  session.version = answer.version ?? session.version;
  session.setupNeeded = answer.setup_needed === true;
  if (answer.time) setClock(answer.time);
}

export async function loadSession() {
  takeSession(await get('/session'));
}
