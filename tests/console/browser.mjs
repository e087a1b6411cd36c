// A real Chromium, and what every page is held to: nothing runs that should not, axe finds nothing
// serious, and a phone scrolls it one way only.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packages = path.resolve(
  process.env.SLUICE_CONSOLE_PACKAGES ?? path.join(root, 'build/release/tests/console/packages'),
);
const require = createRequire(path.join(packages, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = path.resolve(
  process.env.SLUICE_SCREENSHOTS ?? path.join(root, 'build/screenshots'),
);

const desktop = { width: 1360, height: 900 };
const phone = { width: 360, height: 740 };

export class Browser {
  static async start(folder) {
    const browser = new Browser();
    browser.chromium = await chromium.launchPersistentContext(path.join(folder, 'profile'), {
      executablePath: '/usr/bin/chromium',
      viewport: desktop,
      acceptDownloads: true,
      timezoneId: 'UTC',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    browser.chromium.setDefaultTimeout(20_000);
    browser.page = browser.chromium.pages()[0] ?? (await browser.chromium.newPage());
    browser.faults = [];
    browser.listen();
    mkdirSync(screenshots, { recursive: true });
    return browser;
  }

  /// Whatever the page complains of is a fault: scripts that fail, what the policy forbids, and
  /// dialogs of scripts, which only a name of a key that runs would open.
  listen() {
    this.page.on('pageerror', (error) => this.faults.push(String(error.stack ?? error)));
    this.page.on('dialog', (dialog) => {
      this.faults.push(`a script opened a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    this.page.on('console', (message) => {
      // The browser itself logs answers of 4xx that the console handles.
      const expected = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !expected) this.faults.push(message.text());
    });
  }

  assertNoFaults() {
    assert.deepEqual(this.faults, []);
  }

  async open(hash) {
    await this.page.evaluate((to) => (location.hash = to), hash);
    await this.settled();
  }

  /// What was loading is there.
  async settled() {
    await this.page.waitForFunction(
      () => document.querySelectorAll('.later[aria-busy], .loading').length === 0,
    );
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' });
  }

  /// Serious and critical violations of the page as it is.
  async violations() {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(() =>
      globalThis.axe.run(document, { resultTypes: ['violations'] }),
    );
    return found.violations
      .filter((one) => one.impact === 'serious' || one.impact === 'critical')
      .map(
        (one) =>
          `${one.id}: ${one.help}: ${one.nodes
            .map((node) => node.html)
            .slice(0, 3)
            .join(' ')}`,
      );
  }

  /// Pictures in both schemes and at the width of a phone; returns what is wrong.
  async examine(name) {
    const wrong = [];
    for (const scheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme: scheme });
      await this.page.screenshot({ path: path.join(screenshots, `${name}-${scheme}.png`) });
      for (const one of await this.violations()) wrong.push(`${name}, ${scheme}: ${one}`);
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    await this.page.setViewportSize(phone);
    const width = await this.page.evaluate(() => document.documentElement.scrollWidth);
    if (width > phone.width) wrong.push(`${name}: ${width} px wide on a phone of ${phone.width}`);
    await this.page.screenshot({ path: path.join(screenshots, `${name}-phone.png`) });
    for (const one of await this.violations()) wrong.push(`${name}, phone: ${one}`);
    await this.page.setViewportSize(desktop);
    return wrong;
  }

  /// A picture of what is to be seen now.
  keep(name) {
    return this.page.screenshot({ path: path.join(screenshots, `${name}.png`) }).catch(() => {});
  }

  stop() {
    return this.chromium.close();
  }
}
