/* Fans with browsers: Debian's Chromium, driven by playwright-core, on the pages that the program serves.
 *
 *     const browser = await open_browser();
 *     const fan = await new_fan(browser, server, { phone: true });
 *     await fan.page.goto(`${server.fans}/`);
 *     await fan.close();
 *
 * A fan is a browser of its own (storage, cookies). close() asserts what holds on every page whatever a test is about: no
 * script failed, nothing was refused by the pages' Content-Security-Policy, and nobody but the server was asked for
 * anything. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('../../build-browser/package.json', import.meta.url)));
const { chromium } = require('playwright-core');

export const axe_source = require.resolve('axe-core/axe.min.js');
export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1440, height: 900 };

/* Sanitizers and a busy machine: how long a page may take to show what it should. */
export const PATIENCE_MS = 45_000;

export async function open_browser({ args = [] } = {}) {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
  assert.ok(executablePath, 'Chromium is not installed: script/bootstrap test');
  // Chromium's own sandbox wants rights that a container does not give root; the pages are ours.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required', ...args] });
}

/* `expected`: what a test provokes (a lost connection, say) and the browser reports as an error. */
export async function new_fan(browser, server, { phone = false, dark = false, language = 'en-GB', expected = [], ...options } = {}) {
  const context = await browser.newContext({
    viewport: phone ? PHONE : DESKTOP,
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: phone ? 2 : 1,
    colorScheme: dark ? 'dark' : 'light',
    locale: language,
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  context.on('weberror', (event) => faults.push(`a script failed: ${event.error().stack ?? event.error()}`));
  context.on('console', (message) => {
    // A refusal of the API is an error to the browser, and none to the fan.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection to/.test(message.text())) faults.push(`the console says: ${message.text()}`);
  });
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (/^(https?|wss?):$/.test(protocol) && origin !== new URL(server.fans).origin) faults.push(`somebody else was asked: ${request.url()}`);
  });
  return {
    context,
    page: await context.newPage(),
    faults,
    async close() {
      await context.close();
      assert.deepEqual(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault))), []);
    },
  };
}

/* What axe-core finds on the page, of those that are serious or critical: [] is what is wanted. */
export async function serious_barriers(page) {
  // Injected past the page's policy, as an extension would be.
  await page.evaluate(`(() => { ${readFileSync(axe_source, 'utf8')} })()`);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target}: ${failureSummary}`).join(' | ')}`);
}
