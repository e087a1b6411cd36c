// What the parts of the story share: the servers, the browser, and what they do again and again.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { Browser } from './browser.mjs';
import { RedisServer, Service, temporaryFolder, remove } from './servers.mjs';

export const admin = { name: 'ann', password: 'correct horse battery' };
export const viewer = { name: 'vera', password: 'only looking around' };
export const markup = '<img src=x onerror=alert(1)>';
export const keys = 200_000;

export const folder = temporaryFolder();
export let original;
export let service;
export let browser;
export let page;
export let digest; // of the data when the newest backup was taken

/// Some 80 MiB that do not compress well, and keys of each kind.
function fill(server) {
  const script = `for i = 1, ${keys} do
    local h = redis.sha1hex('v' .. i)
    redis.call('SET', 'user:' .. i, h .. redis.sha1hex(h) .. string.rep(h, 6))
  end`;
  server.call('EVAL', script, '0');
  server.call('SET', markup, 'markup in a name');
  server.call('HSET', 'cart:7', 'apples', '3', '<b>pears</b>', '4');
  server.call('ZADD', 'board', '1', 'ann', '2', 'bo');
  server.call('XADD', 'log', '1-1', 'event', 'start');
  server.call('SET', 'session:1', '{"user":"ann","roles":["admin"]}', 'EX', '864000');
}

export function backupRows() {
  return page
    .getByRole('table', { name: 'Backups of orders' })
    .getByRole('row')
    .filter({ has: page.getByRole('cell') });
}

export async function signIn({ name, password }) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Instances' }).waitFor();
}

/// Notes what each job's bar says from now on.
export async function watchBars() {
  await page.evaluate(() => {
    globalThis.barTexts = [];
    new MutationObserver(() => {
      const text = document.querySelector('.job .job-phase')?.textContent;
      if (text && text !== globalThis.barTexts.at(-1)) globalThis.barTexts.push(text);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
}

/// Keys that the bars told, in the order in which they did.
export async function keysTold() {
  const texts = await page.evaluate(() => globalThis.barTexts);
  return texts
    .map((text) => /([\d,]+) keys?/.exec(text)?.[1])
    .filter(Boolean)
    .map((digits) => Number(digits.replaceAll(',', '')));
}

export function jobDone() {
  return page.locator('article.job[data-state="done"]').first().waitFor({ timeout: 60_000 });
}

/// A test that goes on where the one before it ended; after one that failed there is no going on.
let broken = false;
export function tell(name, test) {
  it(name, async (t) => {
    if (broken) {
      t.skip('a test before this one failed');
      return;
    }
    try {
      await test();
    } catch (error) {
      broken = true;
      await browser?.keep('failure');
      t.diagnostic(`faults of the page: ${JSON.stringify(browser?.faults)}`);
      t.diagnostic(`said by the service: ${service?.child.said}`);
      throw error;
    }
  });
}

export async function openMenu(row) {
  await row.locator('summary').click();
  return row.locator('.menu-items');
}

/// The data are as they are when a backup is taken.
export function noteDigest() {
  digest = original.digest();
}

export async function setUp() {
  original = await RedisServer.start(path.join(folder, 'original'));
  fill(original);
  mkdirSync(path.join(folder, 'service'));
  service = await Service.start(path.join(folder, 'service'), original.uri);
  browser = await Browser.start(folder);
  ({ page } = browser);
}

export async function takeDown() {
  await browser?.stop();
  await service?.stop();
  await original?.stop();
  remove(folder);
}
