// A browser that measures: Debian's Chromium, driven by puppeteer-core, and Lighthouse. Both are npm packages
// (bench/lighthouse), which script/bench installs into build-lighthouse; where that cannot be, rows that need them are
// left out.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { newFolder } from './processes.mjs';

const PACKAGES = resolve('build-lighthouse');
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const DESKTOP = { width: 1440, height: 900, deviceScaleFactor: 1 };

// The module of a package; null, and why on stderr, where it is not installed.
async function packageOf(name) {
    const folder = `${PACKAGES}/node_modules/${name}`;
    if (!existsSync(folder)) {
        console.error(`bench: ${name} is not in build-lighthouse: its rows are left out (script/bench installs it from npm's registry)`);
        return null;
    }
    return import(pathToFileURL(createRequire(`${PACKAGES}/package.json`).resolve(name)).href);
}

// Lighthouse; null where there is none.
export const lighthouseOf = async () => (await packageOf('lighthouse'))?.default ?? null;

// A browser with nothing in it; close() has to be awaited. null where there is none.
export async function openBrowser() {
    const puppeteer = await packageOf('puppeteer-core');
    if (!puppeteer) return null;
    const executablePath = PROGRAMS.find(existsSync);
    if (!executablePath) throw new Error('Chromium is not installed: script/bootstrap bench');
    return puppeteer.default.launch({
        executablePath,
        userDataDir: newFolder('browser'),
        // Chromium's own sandbox wants rights that a container does not give root; the pages are ours. Nothing but our
        // pages is asked for anything.
        args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
    });
}

// Takes a page of a fan who knows nothing yet through `work`, and closes it.
export async function withPage(browser, viewport, work) {
    const context = await browser.createBrowserContext();
    try {
        const page = await context.newPage();
        await page.setViewport(viewport);
        return await work(page);
    } finally {
        await context.close();
    }
}
