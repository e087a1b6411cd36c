// What is in backups: keys, differences, the analysis.
import assert from 'node:assert/strict';
import { until } from './servers.mjs';
import { markup, keys, browser, page, tell } from './stage.mjs';

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
  assert.equal(await dialog.getByLabel('Value').textContent(), 'changed before the second backup');
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
