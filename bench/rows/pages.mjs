// The fan's pages: how many bytes they are, when something is seen, and what a frame of the seat map costs.
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { DESKTOP, openBrowser, PHONE, withPage } from '../lib/browser.mjs';
import { limitRow, median } from '../lib/measure.mjs';
import { sleep } from '../lib/processes.mjs';
import { startDemo } from '../lib/servers.mjs';

const PAGES = 'build-web/dist'; // what script/build puts into the program

/* --- bytes --- */

const gzipped = (name) => gzipSync(readFileSync(`${PAGES}${name}`), { level: 9 }).length;

// What a document names, and what that names in turn, of a kind.
function partsOf(document, pattern) {
    const found = new Set();
    const look = (name) => {
        for (const [, part] of readFileSync(`${PAGES}${name}`, 'utf8').matchAll(pattern)) {
            const path = `/assets/${part}`;
            if (found.has(path) || !existsSync(`${PAGES}${path}`)) continue;
            found.add(path);
            look(path);
        }
    };
    look(document);
    return [...found];
}

const SCRIPTS = /(?:\/assets\/|assets\/|\.\/)([\w-]+\.js)["'`]/g;
const FIRST_PARTS = /(?:src|href)="\/assets\/([\w-]+\.(?:js|css))"/g;

const sum = (names) => names.reduce((total, name) => total + gzipped(name), 0);

export async function bundle() {
    if (!existsSync(PAGES)) {
        console.error(`bench: ${PAGES} is not there: its rows are left out (script/pages builds it)`);
        return [];
    }
    const queue = ['/queue.html', ...partsOf('/queue.html', FIRST_PARTS)];
    const scripts = partsOf('/index.html', SCRIPTS);
    const named = (names) => Object.fromEntries(names.map((name) => [`\`${name.split('/').at(-1)}\``, gzipped(name)]));
    return [
        limitRow({
            name: 'bundle_queue',
            what: "The waiting room's document, style and script, by gzip",
            values: [sum(queue)],
            limit: 5120,
            unit: 'bytes',
            sense: 'at most',
            figures: named(queue),
        }),
        limitRow({
            name: 'bundle_shop',
            what: "All of the shop's scripts, both languages and the seat map too, by gzip",
            values: [sum(scripts)],
            limit: 61440,
            unit: 'bytes',
            sense: 'at most',
            figures: named(scripts),
        }),
    ];
}

/* --- with a browser --- */

// Takes a browser and the address of the demo's seat map through `work`: its rows. [] where there is no browser.
async function atTheMap(work) {
    const browser = await openBrowser();
    if (!browser) return [];
    const server = await startDemo();
    try {
        const plan = await fetch(`http://${server.address}/api/v1/shows/${server.show_id}/plan?part=overview`);
        return await work(browser, `http://${server.address}/shows/${server.show_id}/seats`, await plan.json());
    } finally {
        await browser.close();
        await server.stop();
    }
}

const mapIsDrawn = (page) =>
    page.waitForFunction(() => performance.getEntriesByName('map-frame').length > 0, { timeout: 30000, polling: 50 });

async function paint(browser, url) {
    return withPage(browser, PHONE, async (page) => {
        await page.emulateCPUThrottling(4);
        await page.goto(url);
        await mapIsDrawn(page);
        return page.evaluate(() => ({
            first_ms: performance.getEntriesByName('first-contentful-paint')[0].startTime,
            map_ms: performance.getEntriesByName('map-frame')[0].startTime,
        }));
    });
}

export const firstPaint = ({ rounds }) =>
    atTheMap(async (browser, url) => {
        const paints = [];
        for (let round = 0; round < rounds; round++) paints.push(await paint(browser, url));
        return [
            limitRow({
                name: 'first_paint',
                what: 'First contentful paint of the seat map of 50,000 seats on a phone: a processor four times slower, nothing in the cache',
                values: paints.map(({ first_ms }) => first_ms),
                limit: 1000,
                unit: 'ms',
                sense: 'at most',
                figures: { 'until the map is drawn, ms': median(paints.map(({ map_ms }) => map_ms)) },
            }),
        ];
    });

/* --- frames --- */

const WHEEL_LINES = 50; // a turn of the wheel that the map does not glide for
const PADDING = 20; // around the whole plan (web/src/map/view.ts)

// Runs in the page before its own scripts: what each frame's callbacks took, and when frames came.
function watchFrames() {
    const ask = window.requestAnimationFrame.bind(window);
    const watch = { is_on: false, times: [], script: new Map(), long_tasks: 0 };
    window.bench_frames = watch;
    window.requestAnimationFrame = (work) =>
        ask((at) => {
            const begun = performance.now();
            work(at);
            if (watch.is_on) watch.script.set(at, (watch.script.get(at) ?? 0) + performance.now() - begun);
        });
    const beat = (at) => {
        if (watch.is_on) watch.times.push(at);
        ask(beat);
    };
    ask(beat);
    new PerformanceObserver((list) => {
        if (watch.is_on) watch.long_tasks += list.getEntries().length;
    }).observe({ type: 'longtask' });
}

// A hand on the map: a mouse, or a finger where the page believes in one.
async function handOn(page, viewport) {
    const session = await page.createCDPSession();
    const map = await page.waitForSelector('.map-window');
    await map.scrollIntoView();
    const box = await map.boundingBox();
    const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const mouse = (type, { x, y }) =>
        session.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1 });
    const finger = (type, place) => session.send('Input.dispatchTouchEvent', { type, touchPoints: place ? [place] : [] });
    const wheel = (lines) => session.send('Input.dispatchMouseEvent', { type: 'mouseWheel', ...middle, deltaX: 0, deltaY: lines });
    return viewport.hasTouch
        ? { box, middle, wheel, down: (place) => finger('touchStart', place), move: (place) => finger('touchMove', place), up: () => finger('touchEnd') }
        : { box, middle, wheel, down: (place) => mouse('mousePressed', place), move: (place) => mouse('mouseMoved', place), up: (place) => mouse('mouseReleased', place) };
}

// Where a section may be tapped while the whole plan is seen (fit in web/src/map/geometry.ts): its middle first, then
// off it, since buttons lie over the map's rim.
function pointsOf({ outline }, [left, top, right, bottom], box) {
    const scale = Math.min((box.width - 2 * PADDING) / (right - left), (box.height - 2 * PADDING) / (bottom - top));
    const mean = (axis) => outline.reduce((total, point) => total + point[axis], 0) / outline.length;
    const middle = [mean(0), mean(1)];
    return [middle, ...outline.map((point) => point.map((at, axis) => (at + middle[axis]) / 2))].map(([x, y]) => ({
        x: box.x + box.width / 2 + (x - (left + right) / 2) * scale,
        y: box.y + box.height / 2 + (y - (top + bottom) / 2) * scale,
    }));
}

async function tap(hand, place) {
    await hand.down(place);
    await hand.up(place);
}

async function soon(check) {
    for (let tries = 0; tries < 20; tries++) {
        if (await check()) return true;
        await sleep(25);
    }
    return false;
}

const seatsAreSeen = (page) => page.evaluate(() => document.querySelector('.map-where') !== null);

// Taps one section after the other, so that its seats are fetched. How many have them in the end.
async function loadAll(page, hand, { sections, box }) {
    const parts = new Set();
    page.on('response', (response) => {
        const part = /\/plan\?(?:.*&)?part=(\d+)/.exec(response.url())?.[1];
        if (part !== undefined && response.ok()) parts.add(Number(part));
    });
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]); // it does not glide
    for (const [index, section] of sections.entries())
        for (const place of pointsOf(section, box, hand.box)) {
            await page.focus('.map-window');
            await page.keyboard.press('0'); // all of the plan
            if (parts.has(index)) break;
            await tap(hand, place);
            if (await soon(() => parts.has(index))) break;
        }
    return parts.size;
}

// Stands where as many seats are drawn as can be: zoomed out from a section until there are none, and in again.
async function standOverSeats(page, hand, { sections, box }) {
    await page.keyboard.press('0');
    await tap(hand, pointsOf(sections[0], box, hand.box)[0]);
    if (!(await soon(() => seatsAreSeen(page)))) throw new Error('the map shows no seats where it was tapped');
    const turn = async (lines) => (await hand.wheel(lines), sleep(250));
    for (let turns = 0; turns < 40 && (await seatsAreSeen(page)); turns++) await turn(WHEEL_LINES);
    for (let turns = 0; turns < 40 && !(await seatsAreSeen(page)); turns++) await turn(-WHEEL_LINES);
    await page.emulateMediaFeatures([]);
    await sleep(500);
}

// To and fro in circles around the middle, the hand down all the while.
async function pan(page, hand, seconds) {
    const radius = Math.min(hand.box.width, hand.box.height) * 0.35;
    await hand.down(hand.middle);
    await page.evaluate(() => (window.bench_frames.is_on = true));
    const begun = performance.now();
    for (let now = begun; now < begun + seconds * 1000; now = performance.now()) {
        const angle = ((now - begun) / 1000) * Math.PI;
        await hand.move({ x: hand.middle.x + radius * Math.sin(angle), y: hand.middle.y + radius * (1 - Math.cos(angle)) * 0.5 });
        await sleep(4);
    }
    const seen = await page.evaluate(() => {
        const { times, script, long_tasks } = window.bench_frames;
        window.bench_frames.is_on = false;
        return { times, script: [...script.values()], long_tasks };
    });
    await hand.up(hand.middle);
    return seen;
}

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

async function frames(browser, url, plan, { name, what, viewport, seconds }) {
    return withPage(browser, viewport, async (page) => {
        await page.evaluateOnNewDocument(watchFrames);
        await page.goto(url);
        await mapIsDrawn(page);
        const hand = await handOn(page, viewport);
        const loaded = await loadAll(page, hand, plan);
        await standOverSeats(page, hand, plan);
        await pan(page, hand, 1); // what is drawn for the first time
        await page.evaluate(() => Object.assign(window.bench_frames, { times: [], script: new Map(), long_tasks: 0 }));
        const seen = await pan(page, hand, seconds);
        const intervals = seen.times.slice(1).map((at, i) => at - seen.times[i]);
        return limitRow({
            name,
            what: `Script of a frame of the seat map, ${plan.seats.toLocaleString('en')} seats loaded, while a hand moves it ${what}`,
            values: seen.script,
            limit: 8,
            unit: 'ms',
            sense: 'at most',
            also_met: loaded === plan.sections.length,
            figures: {
                'sections whose seats were loaded': `${loaded} of ${plan.sections.length}`,
                'frames drawn': seen.script.length,
                'script of a frame, p95 in ms': quantile(seen.script, 0.95),
                'from frame to frame, median in ms (drawn in software, no GPU)': median(intervals),
                'from frame to frame, p95 in ms': quantile(intervals, 0.95),
                'frames within 16.7 ms, percent': (100 * intervals.filter((ms) => ms < 16.8).length) / intervals.length,
                'tasks of 50 ms and more': seen.long_tasks,
            },
        });
    });
}

export const mapFrames = ({ quick }) =>
    atTheMap(async (browser, url, plan) => {
        const seconds = quick ? 1 : 5;
        return [
            await frames(browser, url, plan, { name: 'map_frames_phone', what: 'on 390 × 844 points of two pixels', viewport: PHONE, seconds }),
            await frames(browser, url, plan, { name: 'map_frames_desktop', what: 'on 1440 × 900', viewport: DESKTOP, seconds }),
        ];
    });
