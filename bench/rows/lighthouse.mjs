// Lighthouse's measures of the pages that a fan passes: its mobile profile (a processor four times slower, slow 4G,
// both simulated).
import { lighthouseOf, openBrowser } from '../lib/browser.mjs';
import { limitRow, median } from '../lib/measure.mjs';
import { ask, startDemo } from '../lib/servers.mjs';

const RUNS = 3;
const LEAST = 95;
const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
const AHEAD = 500; // fans who wait before ours
const TIMES = {
    'first-contentful-paint': 'first contentful paint, ms',
    'largest-contentful-paint': 'largest contentful paint, ms',
    'speed-index': 'speed index, ms',
    'total-blocking-time': 'total blocking time, ms',
    'cumulative-layout-shift': 'cumulative layout shift',
};

async function post(server, path, body) {
    const response = await fetch(`http://${server.address}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return response.json();
}

// A show with a queue that hardly moves, and fans in it.
async function makeQueue(server) {
    const { show_id } = await ask(server, 'POST', '/api/v1/admin/shows', {
        event_name: 'Bench',
        start_time: '2099-06-01T19:00:00Z',
        on_sale_time: '2020-01-01T00:00:00Z',
        waiting_room: { enabled: true, rate_per_minute: 1, max_active: 1 },
        plan: {
            sections: [{ name: '', rows: 50, seats_per_row: 50, category: 'Standard' }],
            prices: { Standard: { amount: 5000, currency: 'EUR' } },
        },
    });
    for (let fan = 0; fan < AHEAD; fan++) await post(server, `/api/v1/shows/${show_id}/queue`, { user_id: `fan-ahead-${fan}` });
    return show_id;
}

// Two seats held by the fan of this browser, remembered as the page does (web/src/base/device.ts).
async function holdSeats(server, page, show) {
    await page.goto(`http://${server.address}/robots.txt`);
    const user_id = 'fan-of-the-bench';
    const held = await post(server, `/api/v1/shows/${show}/seats/reserve`, { user_id, best_available: { quantity: 2 } });
    await page.evaluate(
        (show, user_id, { reservation_id, seat_ids, amount, currency, expires_at }) => {
            const memory = { held: { reservation_id, seat_ids, amount, currency, deadline_ms: Date.parse(expires_at) } };
            localStorage.setItem('onsale.user', JSON.stringify(user_id));
            localStorage.setItem(`onsale.show.${show}`, JSON.stringify(memory));
        },
        show,
        user_id,
        held,
    );
}

// What it would be worth looking at: all that is not as good as can be and counts.
function complaints({ categories, audits }) {
    const told = CATEGORIES.flatMap((name) =>
        categories[name].auditRefs
            .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9)
            .map(({ id }) => `${id} ${audits[id].displayValue ?? ''}`.trim()),
    );
    return told.length > 0 ? told.join('; ') : 'nothing';
}

async function run(lighthouse, browser, url, prepare) {
    const page = await browser.newPage();
    try {
        await prepare?.(page);
        const flags = { disableStorageReset: true, onlyCategories: CATEGORIES, output: 'json', logLevel: 'error' };
        const { lhr } = await lighthouse(url, flags, undefined, page);
        if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`);
        return lhr;
    } finally {
        await page.close();
    }
}

// The category that is lowest decides.
function rowOf(name, what, reports) {
    const scores = (category) => reports.map(({ categories }) => Math.round(categories[category].score * 100));
    const lowest = CATEGORIES.reduce((low, one) => (median(scores(one)) < median(scores(low)) ? one : low));
    const time = (id) => median(reports.map(({ audits }) => audits[id].numericValue));
    return limitRow({
        name: `lighthouse_${name}`,
        what: `Lighthouse's lowest score (${lowest}) of performance, accessibility and best practices, mobile profile, of ${what}`,
        values: scores(lowest),
        limit: LEAST,
        unit: 'points',
        sense: 'at least',
        figures: {
            ...Object.fromEntries(CATEGORIES.map((category) => [category, median(scores(category))])),
            ...Object.fromEntries(Object.entries(TIMES).map(([id, label]) => [label, time(id)])),
            'what cost points': complaints(reports[0]),
            Lighthouse: reports[0].lighthouseVersion,
        },
    });
}

export async function lighthouse({ quick }) {
    const measure = await lighthouseOf();
    const browser = measure && (await openBrowser());
    if (!browser) return [];
    const server = await startDemo();
    try {
        const show = server.show_id;
        const queue = await makeQueue(server);
        const pages = {
            queue: ['the waiting room, 500 fans ahead', `/shows/${queue}/queue`],
            show: ["a show's page", `/shows/${show}`],
            seats: ['the seat map of a stadium', `/shows/${show}/seats`],
            checkout: ['payment, two seats held', `/shows/${show}/checkout`, (page) => holdSeats(server, page, show)],
        };
        const rows = [];
        for (const [name, [what, path, prepare]] of Object.entries(pages)) {
            const reports = [];
            for (let i = 0; i < (quick ? 1 : RUNS); i++)
                reports.push(await run(measure, browser, `http://${server.address}${path}`, prepare));
            rows.push(rowOf(name, what, reports));
        }
        return rows;
    } finally {
        await browser.close();
        await server.stop();
    }
}
