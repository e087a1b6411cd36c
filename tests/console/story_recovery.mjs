// Recovery, clones and drills.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { redis, until } from './servers.mjs';
import {
  keys,
  folder,
  original,
  browser,
  page,
  digest,
  watchBars,
  keysTold,
  tell,
} from './stage.mjs';

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
