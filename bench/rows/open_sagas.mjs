// Ten thousand payments that come to no end: what that costs everybody else, beside the same server without them, and
// what it takes in memory.
import { limitRow, median, ratioRow } from '../lib/measure.mjs';
import { makeShowsWithFans } from '../lib/fans.mjs';
import { herd, idleHerd, onlyStatus } from '../lib/herd.mjs';
import { idleShare, residentBytes, sleep } from '../lib/processes.mjs';
import { makeShow, metric, startFarSandbox, startOnsale } from '../lib/servers.mjs';

const SAGAS = 10000;
const SAGA_BYTES = 12 * 1024;
const SETTLED_MS = 25000;
const STADIUM = { rows: 200, seats_per_row: 250 };
const PLAIN = { headers: { 'accept-encoding': 'identity' } };

async function makeServer(gateway, rounds) {
    const server = await startOnsale(gateway.words, { environment: gateway.environment });
    const paid = await makeShow(server, STADIUM);
    const queued = await makeShow(server, { ...STADIUM, waiting_room: { enabled: true } });
    await herd('join', { server: server.address, show: queued, requests: 10000 });
    const fans = [];
    for (let round = 0; round < rounds; round++)
        fans.push(await makeShowsWithFans(server, STADIUM, { shows: 4, fans: 64, has_room: true }));
    const warm = await idleHerd({ server: server.address, path: '/api/v1/shows', connections: SAGAS });
    await warm.close();
    return { server, paid, queued, fans };
}

// Each fan reserves and pays, and is told `status`. Bytes a saga.
async function open({ server, paid }, token, status) {
    await sleep(500);
    const before = residentBytes(server.pid);
    const load = { server: server.address, show: paid, connections: SAGAS, token };
    const outcome = await herd('checkout', load, { spin: false });
    if (outcome.statuses[status] !== SAGAS)
        throw new Error(`wanted ${SAGAS} × ${status}, got ${JSON.stringify(outcome.statuses)}`);
    return (residentBytes(server.pid) - before) / SAGAS;
}

async function pollQueue({ server, queued }, seconds) {
    const path = `/api/v1/shows/${queued}/queue`;
    return onlyStatus(await herd('get', { server: server.address, pid: server.pid, path, 'warm-up': 0.3, seconds }), 200);
}

async function readSeats({ server, paid }, seconds) {
    const path = `/api/v1/shows/${paid}/seats`;
    const answer = await fetch(`http://${server.address}${path}`, PLAIN);
    await answer.arrayBuffer();
    const load = { server: server.address, pid: server.pid, path, 'if-none-match': answer.headers.get('etag') };
    return onlyStatus(await herd('get', { ...load, 'warm-up': 0.3, seconds }), 304);
}

async function reserveWithPass({ server, fans }, seconds, round) {
    const load = { server: server.address, pid: server.pid, 'warm-up': 0.1, seconds: Math.min(seconds, 0.6) };
    return onlyStatus(await herd('reserve', { ...load, ...fans[round] }), 201);
}

const QUESTIONS = [
    ['queue', 'GET …/queue', pollQueue],
    ['seats', 'GET …/seats answered 304, of the show that is being paid for,', readSeats],
    ['pass', 'POST …/reserve with a pass', reserveWithPass],
];

// How they come to be open: the gateway says nothing (fans are told 202 after 5 s), or it is asked again and again since
// it fails to capture what is sold.
const KINDS = [
    { kind: 'hung', words: 'hang at the gateway', token: 'tok_slow_600000', status: 202 },
    { kind: 'retried', words: 'are captured in vain', token: 'tok_capture_fails_1000000', status: 200 },
];

function row({ kind, words }, [name, what], triples, at, figures) {
    const median_of = (side, figure) => median(triples.map((triple) => figure(triple[side])));
    return ratioRow({
        name: `open_sagas_${kind}_${name}`,
        what: `CPU of ${what} while ${SAGAS.toLocaleString('en')} payments ${words} to the same without them, 64 connections`,
        ratios: triples.map((triple) => triple[at].server_cpu_us_per_request / triple[0].server_cpu_us_per_request),
        sense: 'at most',
        bar: 1.1,
        figures: {
            'without, µs of CPU a request': median_of(0, (one) => one.server_cpu_us_per_request),
            'with, µs of CPU a request': median_of(at, (one) => one.server_cpu_us_per_request),
            'without, p99 in µs': median_of(0, (one) => one.latency_us.p99),
            'with, p99 in µs': median_of(at, (one) => one.latency_us.p99),
            ...figures,
        },
    });
}

// All servers after one another, another one first each round.
async function askAll(ask, sides, seconds, round) {
    const outcomes = [];
    for (let i = 0; i < sides.length; i++) {
        const at = (round + i) % sides.length;
        outcomes[at] = await ask(sides[at], seconds, round);
    }
    return outcomes;
}

export async function openSagas({ rounds, seconds, quick }) {
    const gateway = await startFarSandbox(0);
    const sides = [await makeServer(gateway, rounds)];
    const bytes = [];
    for (const { token, status } of KINDS) {
        const side = await makeServer(gateway, rounds);
        sides.push(side);
        bytes.push(await open(side, token, status));
    }
    // The first tries follow each other fast; from then on each payment has one in half a minute.
    await sleep(quick ? 1000 : SETTLED_MS);
    const shares = [];
    for (const { server } of sides) shares.push(await idleShare(server.pid, quick ? 2 : 10));
    const callsOf = ({ server }) => metric(server, 'onsale_gateway_calls_total');
    const calls_before = await Promise.all(sides.map(callsOf));
    const began = performance.now();
    const asked = QUESTIONS.map(() => []);
    for (let round = 0; round < rounds; round++)
        for (const [index, [, , ask]] of QUESTIONS.entries())
            asked[index].push(await askAll(ask, sides, Math.min(seconds, 1), round));
    const took_s = (performance.now() - began) / 1000;
    const rows = [];
    for (const [index, kind] of KINDS.entries()) {
        const side = sides[index + 1];
        const still_open = await metric(side.server, 'onsale_sagas_open');
        if (still_open < SAGAS * 0.99) throw new Error(`only ${still_open} payments are still open`);
        rows.push(
            limitRow({
                name: `open_sagas_${kind.kind}_share`,
                what: `CPU that ${SAGAS.toLocaleString('en')} payments that ${kind.words} take while nobody asks for anything`,
                values: [shares[index + 1] * 100],
                limit: 10,
                unit: '% of a core',
                sense: 'at most',
                figures: { 'without them, % of a core': shares[0] * 100 },
            }),
        );
        const figures = {
            'payments still open at the end': still_open,
            'calls to the gateway a second meanwhile': ((await callsOf(side)) - calls_before[index + 1]) / took_s,
        };
        rows.push(...QUESTIONS.map((question, at) => row(kind, question, asked[at], index + 1, figures)));
    }
    for (const { server } of sides) await server.stop('SIGKILL');
    await gateway.stop();
    rows.push(
        limitRow({
            name: 'open_sagas_memory',
            what: `Resident memory that an open payment adds (${SAGAS.toLocaleString('en')} of them), its hold and its fan's call included`,
            values: bytes,
            limit: SAGA_BYTES,
            unit: 'bytes',
            sense: 'at most',
        }),
    );
    return rows;
}
