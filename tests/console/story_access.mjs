// Roles, sessions, the audit log; and what every page is held to.
import assert from 'node:assert/strict';
import { admin, viewer, service, browser, page, signIn, tell } from './stage.mjs';

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
