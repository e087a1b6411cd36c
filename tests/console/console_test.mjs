// The console from the first start to the audit log, as one story: each test goes on where the one
// before it ended, in a real Chromium, against `sluice serve` and real servers.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Browser } from './browser.mjs';
import { RedisServer, Service, redis, remove, temporaryFolder, until } from './servers.mjs';

const admin = { name: 'ann', password: 'correct horse battery' };
const viewer = { name: 'vera', password: 'only looking around' };
const markup = '<img src=x onerror=alert(1)>';
const keys = 200_000;

const folder = temporaryFolder();
let original;
let service;
let browser;
let page;
let digest; // of the data when the newest backup was taken

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

function backupRows() {
  return page
    .getByRole('table', { name: 'Backups of orders' })
    .getByRole('row')
    .filter({ has: page.getByRole('cell') });
}

async function signIn({ name, password }) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Instances' }).waitFor();
}

/// Notes what each job's bar says from now on.
async function watchBars() {
  await page.evaluate(() => {
    globalThis.barTexts = [];
    new MutationObserver(() => {
      const text = document.querySelector('.job .job-phase')?.textContent;
      if (text && text !== globalThis.barTexts.at(-1)) globalThis.barTexts.push(text);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
}

/// Keys that the bars told, in the order in which they did.
async function keysTold() {
  const texts = await page.evaluate(() => globalThis.barTexts);
  return texts
    .map((text) => /([\d,]+) keys?/.exec(text)?.[1])
    .filter(Boolean)
    .map((digits) => Number(digits.replaceAll(',', '')));
}

function jobDone() {
  return page.locator('article.job[data-state="done"]').first().waitFor({ timeout: 60_000 });
}

/// A test that goes on where the one before it ended; after one that failed there is no going on.
let broken = false;
function tell(name, test) {
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

async function openMenu(row) {
  await row.locator('summary').click();
  return row.locator('.menu-items');
}

describe('console', () => {
  before(async () => {
    original = await RedisServer.start(path.join(folder, 'original'));
    fill(original);
    mkdirSync(path.join(folder, 'service'));
    service = await Service.start(path.join(folder, 'service'), original.uri);
    browser = await Browser.start(folder);
    ({ page } = browser);
  });

  after(async () => {
    await browser?.stop();
    await service?.stop();
    await original?.stop();
    remove(folder);
  });

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
    digest = original.digest();
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
    digest = original.digest();
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

  tell('looks keys up; markup in a name is shown and not run', async () => {
    await browser.open('#/instances/orders/keys');
    await page.getByLabel('Text').fill('<img');
    await browser.button('Search').click();
    const found = page.getByRole('table', { name: 'Keys found' });
    await found.getByRole('button', { name: markup }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Value').waitFor();
    assert.equal(await dialog.getByLabel('Value').textContent(), 'markup in a name');
    assert.equal(await page.locator('img').count(), 0);
    const history = dialog.getByRole('table', { name: /^History/ });
    await history.waitFor();
    assert.equal(await history.getByRole('row').count(), 3);
    assert.deepEqual(await browser.examine('key'), []);
    await page.keyboard.press('Escape');
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    assert.equal(await focused(), markup);
    await page.getByLabel('How the name is searched').selectOption('exact');
    await page.getByLabel('Text').fill('user:1');
    await browser.button('Search').click();
    await dialog.getByLabel('Value').waitFor();
    assert.equal(
      await dialog.getByLabel('Value').textContent(),
      'changed before the second backup',
    );
    const changed = history.getByRole('row').filter({ hasText: 'changed' });
    await until('both backups have another value', async () => (await changed.count()) === 2 + 1);
    await page.keyboard.press('Escape');
  });

  tell('says what differs between two backups', async () => {
    await browser.button('Compare').click();
    const differing = page.getByRole('table', { name: 'Keys that differ' });
    await differing.waitFor({ timeout: 60_000 });
    assert.match(await differing.textContent(), /user:1.*different/);
    assert.equal(await differing.getByRole('row').count(), 2);
    assert.deepEqual(await browser.examine('keys'), []);
  });

  tell('analyses a backup', async () => {
    await browser.open('#/instances/orders/analysis');
    await page.getByText('This backup was not analysed yet.').waitFor();
    await browser.button('Run analysis').click();
    await page.getByText('Types by memory').first().waitFor({ timeout: 60_000 });
    const types = page.locator('figure', { hasText: 'Types by memory' });
    await types.getByText('Numbers as a table').click();
    assert.match(
      await types.getByRole('table').textContent(),
      new RegExp(`string.*${(keys + 2).toLocaleString('en')}`),
    );
    await page.getByText('Size over time').first().waitFor();
    assert.deepEqual(await browser.examine('analysis'), []);
  });

  /// Numbers of the sum of a dry run: in the backup, added, replaced.
  async function dryRun() {
    await browser.button('Dry run').click();
    const plan = page.getByRole('table', { name: /would do/ });
    await plan.waitFor({ timeout: 60_000 });
    const cells = await plan.getByRole('row').last().getByRole('cell').allTextContents();
    return cells.slice(0, 3).map((digits) => Number(digits.replaceAll(',', '')));
  }

  async function recover() {
    await browser.button('Recover orders…').click();
    const confirm = browser.button('Recover now');
    assert.equal(await confirm.getAttribute('aria-disabled'), 'true');
    await page.getByLabel(/to confirm/).fill('orders');
    await confirm.click();
    await page.getByRole('table', { name: /each key .* went/ }).waitFor({ timeout: 60_000 });
  }

  tell('previews a recovery, runs it when the name is typed, and the data are back', async () => {
    original.call('EVAL', "for i = 1, 1000 do redis.call('DEL', 'user:' .. i) end", '0');
    original.call('SET', 'board', 'overwritten by mistake');
    const broken = original.digest();
    assert.notEqual(broken, digest);
    await browser.open('#/instances/orders/recover');
    await page.getByText('This writes into orders itself.').waitFor();
    assert.deepEqual(await browser.examine('recover'), []);
    await page.getByLabel('Keys that exist there already').selectOption('replace');
    assert.deepEqual(await dryRun(), [keys + 5, 1000, keys + 5 - 1000]);
    assert.equal(original.digest(), broken);
    assert.deepEqual(await browser.examine('recover-plan'), []);
    await recover();
    assert.equal(original.digest(), digest);
  });

  tell('recovers into the emptied instance, seen to move and verified', async () => {
    original.call('SET', 'not:in:the:backup', 'yes');
    await page.getByLabel('Empty the instance first').check();
    await page.getByText('The options have changed').waitFor();
    assert.equal(await browser.button('Recover orders…').count(), 0);
    assert.equal((await dryRun())[0], keys + 5);
    await watchBars();
    await recover();
    await page.getByText('Verified.').waitFor();
    assert.equal(original.digest(), digest);
    assert.ok(new Set(await keysTold()).size >= 2, `the bar told only ${await keysTold()}`);
    assert.deepEqual(await browser.examine('recover-done'), []);
  });

  tell('clones into a new local server, promotes the clone, and removes it', async () => {
    await browser.open('#/instances/orders/clone');
    await browser.button('Make clone').click();
    const clones = page.getByRole('table', { name: 'Clones' });
    await clones.getByText('Ready', { exact: true }).waitFor({ timeout: 60_000 });
    await clones.getByText('verified', { exact: true }).waitFor();
    const row = clones.getByRole('row').last();
    const [, port] = /redis:\/\/127\.0\.0\.1:(\d+)/.exec(await row.textContent());
    const directory = path.join(folder, 'service/clones', 'clone-' + (await cloneJob()));
    const [, password] = /requirepass "?([^"\s]+)/.exec(
      readFileSync(path.join(directory, 'server.conf'), 'utf8'),
    );
    assert.equal(redis(port, ['DBSIZE'], password), String(keys + 5));
    assert.deepEqual(await browser.examine('clone'), []);
    redis(port, ['SET', 'made:in:the:clone', 'yes'], password);
    original.call('FLUSHALL');
    await row.getByRole('button', { name: 'Promote to original…' }).click();
    await page.getByLabel(/to confirm/).fill('orders');
    await browser.button('Promote').click();
    await clones.getByText('Promoted', { exact: true }).waitFor({ timeout: 60_000 });
    assert.equal(original.call('GET', 'made:in:the:clone'), 'yes');
    original.call('DEL', 'made:in:the:clone');
    assert.equal(original.digest(), digest);
    await browser.button('Remove clone').click();
    await browser.button('Remove').click();
    await clones.getByText('Removed', { exact: true }).waitFor();
    await until('the directory is gone', () => !existsSync(directory));
  });

  /// The id of the job that made the newest clone.
  function cloneJob() {
    return page.evaluate(async () => (await (await fetch('/api/v1/clones')).json()).clones[0].job);
  }

  tell('runs a restore drill', async () => {
    await browser.open('#/drills');
    await browser.button('Run drill now').click();
    const drills = page.getByRole('table', { name: 'Restore drills' });
    await drills.getByText('passed', { exact: true }).waitFor({ timeout: 60_000 });
    await drills.getByText('equal', { exact: true }).waitFor();
  });

  tell('a viewer may look, and is told who may do the rest', async () => {
    await browser.open('#/access');
    await browser.button('Make token…').click();
    await page.getByLabel('What it is for').fill('a test');
    await browser.button('Make').click();
    const token = await page.getByLabel('Token', { exact: true }).inputValue();
    await page.keyboard.press('Escape');
    const answer = await fetch(`${service.url}/api/v1/info`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    assert.equal(answer.status, 200);
    await browser.button('Add user…').click();
    await page.getByLabel('Name').fill(viewer.name);
    await page.getByLabel('Password').fill(viewer.password);
    await browser.button('Add').click();
    await page.getByRole('table', { name: 'Users' }).getByText(viewer.name).waitFor();
    await browser.button('Sign out').click();
    await signIn(viewer);
    assert.equal(await page.getByRole('link', { name: 'Audit' }).count(), 0);
    await browser.open('#/instances/orders/backups');
    assert.equal(await browser.button('Create backup').getAttribute('aria-disabled'), 'true');
    await browser.button('Create backup').click({ force: true });
    await page
      .getByRole('status')
      .getByText(/needs an operator/)
      .waitFor();
    await browser.open('#/instances/orders/recover');
    await page
      .getByText(/needs an operator/)
      .last()
      .waitFor();
    await browser.open('#/instances/orders/policy');
    await page.getByText('Only an admin may change the policy.').waitFor();
    await browser.button('Sign out').click();
    await signIn(admin);
  });

  tell(
    'comes back by itself when the service does, and to its page when the session ended',
    async () => {
      await browser.open('#/instances/orders/jobs');
      await service.stop();
      await page.getByText('Reconnecting…').waitFor();
      await service.run();
      await page.getByText('Live', { exact: true }).waitFor();
      await browser.chromium.clearCookies();
      await browser.button('Details of job 1, Backup of orders').click();
      await page.getByLabel('Name').fill(admin.name);
      await page.getByLabel('Password').fill(admin.password);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'orders' }).waitFor();
      assert.match(page.url(), /orders\/jobs$/);
    },
  );

  tell('keeps the theme that was chosen, and changes the password', async () => {
    const theme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    await browser.button('Theme: system').click();
    await browser.button('Theme: light').click();
    await browser.button('Theme: dark').waitFor();
    await page.reload();
    assert.equal(await theme(), 'dark');
    await browser.button('Theme: dark').click();
    assert.equal(await theme(), 'light dark');
    await browser.open('#/account');
    await page.getByLabel('Old password').fill('not the old one');
    await page.getByLabel('New password', { exact: true }).fill('the new one of ann');
    await page.getByLabel('New password again').fill('the new one of ann');
    await browser.button('Change password').click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Old password').fill(admin.password);
    admin.password = 'the new one of ann';
    await browser.button('Change password').click();
    await page.getByText('The password is changed.').waitFor();
  });

  tell('finds all of it in the audit log', async () => {
    await browser.open('#/audit');
    await page.getByText('The log is whole').waitFor();
    const rows = await page
      .getByRole('table', { name: 'Audit log' })
      .getByRole('row')
      .allTextContents();
    const did = (action, outcome, who = admin.name) =>
      rows.some((row) => row.includes(action) && row.includes(outcome) && row.includes(who));
    for (const action of [
      'session.open',
      'backup.create',
      'policy.set',
      'backup.download',
      'backup.pin',
      'backup.delete',
      'trash.restore',
      'job.cancel',
      'restore.plan',
      'restore.run',
      'clone.create',
      'clone.promote',
      'clone.delete',
      'drill.run',
      'user.create',
      'token.create',
      'password.change',
    ]) {
      assert.ok(did(action, 'ok'), `${action} is not among ${rows.join('\n')}`);
    }
    assert.ok(rows.some((row) => row.includes('setup') && row.includes('ok')));
    assert.ok(rows.some((row) => row.includes('session.open') && /refused|failed/.test(row)));
  });

  tell('every page passes axe in both schemes and fits a phone', async () => {
    const pages = {
      instances: '#/instances',
      backups: '#/instances/orders/backups',
      policy: '#/instances/orders/policy',
      'keys-empty': '#/instances/orders/keys',
      'instance-jobs': '#/instances/orders/jobs',
      jobs: '#/jobs',
      drills: '#/drills',
      clones: '#/clones',
      audit: '#/audit',
      access: '#/access',
      account: '#/account',
    };
    const wrong = [];
    for (const [name, hash] of Object.entries(pages)) {
      await browser.open(hash);
      wrong.push(...(await browser.examine(name)));
    }
    assert.deepEqual(wrong, []);
  });

  tell('no script failed, nothing was refused by the content policy, nothing of a key ran', () => {
    browser.assertNoFaults();
  });
});
