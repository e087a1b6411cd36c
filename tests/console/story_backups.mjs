// The first admin, backups by hand and by policy, and what is done with them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { RedisServer, until } from './servers.mjs';
import {
  admin,
  keys,
  folder,
  original,
  service,
  browser,
  page,
  digest,
  noteDigest,
  backupRows,
  watchBars,
  keysTold,
  jobDone,
  tell,
  openMenu,
} from './stage.mjs';

tell('makes the first admin with the token that was printed', async () => {
  await page.goto(service.url);
  await page.getByRole('heading', { level: 1, name: 'First set-up' }).waitFor();
  await page.getByLabel('One-time token').fill('not-it');
  await page.getByLabel('Name').fill(admin.name);
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await page.getByLabel('Password again').fill(admin.password);
  await browser.button('Make the admin').click();
  await page.getByRole('alert').waitFor();
  await page.goto(service.setupUrl);
  await page.reload();
  assert.notEqual(await page.getByLabel('One-time token').inputValue(), '');
  assert.deepEqual(await browser.examine('setup'), []);
  await page.getByLabel('Name').fill(admin.name);
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await page.getByLabel('Password again').fill(admin.password);
  await browser.button('Make the admin').click();
  await page.getByRole('heading', { level: 1, name: 'Instances' }).waitFor();
});

tell('signs out and, by the keyboard alone, in; what is wrong is said', async () => {
  await browser.button('Sign out').click();
  await page.getByLabel('Name').fill(admin.name);
  await page.getByLabel('Password').fill('wrong by far');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  assert.deepEqual(await browser.examine('login'), []);
  await page.reload();
  await page.getByLabel('Name').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type(admin.name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(admin.password);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Instances' }).waitFor();
  await page.getByText('Never backed up').waitFor();
});

tell('creates a backup, and its bar moves', async () => {
  await page.getByRole('link', { name: 'orders' }).click();
  await page.getByText('No backup in this range and state.').waitFor();
  await watchBars();
  // A random sixth of the keys is slept over as the server writes its snapshot: some seconds.
  original.call('CONFIG', 'SET', 'rdb-key-save-delay', '-6');
  await browser.button('Create backup').click();
  await jobDone();
  original.call('CONFIG', 'SET', 'rdb-key-save-delay', '0');
  noteDigest();
  await until('one row', async () => (await backupRows().count()) === 1);
  const row = await backupRows().first().textContent();
  assert.match(row, /full · manual/);
  assert.match(row, new RegExp((keys + 5).toLocaleString('en')));
  const told = await keysTold();
  assert.ok(new Set(told).size >= 4, `the bar told only ${told}`);
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  );
});

tell('verifies it', async () => {
  const menu = await openMenu(backupRows().first());
  await menu.getByRole('button', { name: 'Verify' }).click();
  await backupRows().first().getByText('digest').waitFor({ timeout: 60_000 });
});

tell('sets a policy, which fires when its time has come', async () => {
  await browser.open('#/instances/orders/policy');
  await page.getByText('There is no policy').waitFor();
  const due = new Date(service.now().getTime() + 2 * 3600e3);
  for (const day of await page.locator('.days').first().getByRole('checkbox').all())
    await day.check();
  await page.getByLabel('Start').first().fill(due.toISOString().slice(11, 16));
  await page.getByLabel('Window, minutes').first().fill('1');
  await page.getByLabel('Daily', { exact: true }).fill('14');
  await browser.button('Save policy').click();
  await page.getByText('Set in this console').waitFor();
  assert.match(await page.locator('.facts').first().textContent(), /in 2 h.*14 days/);
  await browser.open('#/instances/orders/backups');
  assert.equal(await backupRows().count(), 1);
  original.call('SET', 'user:1', 'changed before the second backup');
  noteDigest();
  service.moveClock(2 * 3600 + 180);
  await until('a second row', async () => (await backupRows().count()) === 2, 60);
  assert.match(await backupRows().first().textContent(), /incremental · automatic/);
});

tell('filters by time and state', async () => {
  const count = () => backupRows().count();
  const middle = new Date(service.now().getTime() - 3600e3).toISOString().slice(0, 16);
  await page.getByLabel('From').fill(middle);
  await until('only the newer', async () => (await count()) === 1);
  assert.match(await backupRows().first().textContent(), /automatic/);
  await page.getByLabel('From').fill('');
  await page.getByLabel('To', { exact: true }).fill(middle);
  await until('only the older', async () =>
    /manual/.test(await backupRows().first().textContent()),
  );
  assert.equal(await count(), 1);
  await browser.button('24 h').click();
  await until('both', async () => (await count()) === 2);
  await page.getByLabel('State').selectOption('verified');
  await until('only the verified', async () => (await count()) === 1);
  await page.reload();
  await until('the same after a reload', async () => (await count()) === 1);
  await browser.button('All').click();
  await page.getByLabel('State').selectOption('');
  await until('all again', async () => (await count()) === 2);
});

tell('downloads an RDB that a server loads', async () => {
  const menu = await openMenu(backupRows().first());
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    menu.getByRole('link', { name: 'Download RDB' }).click(),
  ]);
  const target = path.join(folder, 'loaded');
  mkdirSync(target);
  await download.saveAs(path.join(target, 'dump.rdb'));
  const loaded = await RedisServer.start(target);
  try {
    assert.equal(loaded.call('DBSIZE'), String(keys + 5));
    assert.equal(loaded.digest(), digest);
  } finally {
    await loaded.stop();
  }
});

tell('pins with a note; does not delete before its id was typed', async () => {
  let menu = await openMenu(backupRows().last());
  await menu.getByRole('button', { name: 'Pin…' }).click();
  await page.getByLabel('Note').fill('before the <i>upgrade</i>');
  await browser.button('Pin').click();
  await backupRows().last().getByText('pinned').waitFor();
  menu = await openMenu(backupRows().first());
  await menu.getByRole('button', { name: 'Delete…' }).click();
  const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete' });
  assert.equal(await confirm.getAttribute('aria-disabled'), 'true');
  await page.getByLabel(/to confirm/).fill('not its id');
  assert.equal(await confirm.getAttribute('aria-disabled'), 'true');
  assert.deepEqual(await browser.examine('delete'), []);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await backupRows().count(), 2);
});

tell('deletes a backup, and puts it back from the trash', async () => {
  const menu = await openMenu(backupRows().first());
  await menu.getByRole('button', { name: 'Delete…' }).click();
  const id = await page.getByRole('dialog').locator('label code').textContent();
  await page.getByLabel(/to confirm/).fill(id);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await until('the other row alone', async () => (await backupRows().count()) === 1);
  await page.getByText('Removed backups that can be put back').click();
  const trash = page.getByRole('table', { name: 'Removed backups of orders' });
  await trash.getByText(id).waitFor();
  await trash.getByRole('button', { name: 'Put back' }).click();
  await until('both rows again', async () => (await backupRows().count()) === 2);
});

tell('cancels a backup that runs', async () => {
  original.call('CONFIG', 'SET', 'rdb-key-save-delay', '-1');
  await browser.button('Create backup').click();
  await page.locator('.job .job-phase').getByText(/keys/).waitFor();
  await browser.button('Cancel Backup of orders').click();
  await page.locator('article.job[data-state="cancelled"]').waitFor();
  original.call('CONFIG', 'SET', 'rdb-key-save-delay', '0');
  await browser.open('#/jobs');
  const history = page.getByRole('table', { name: 'Jobs that have ended' });
  await history.getByText('Cancelled', { exact: true }).waitFor();
  await browser.open('#/instances/orders/backups');
  assert.equal(await backupRows().count(), 2);
});
