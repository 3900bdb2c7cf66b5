// The servers that are compared: nginx, and ours.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { herd, onlyStatus, stay } from './herd.mjs';
import { inTurn } from './measure.mjs';
import { BUILD, SERVER_CORE, calm, freePort, newFolder, portOpen, run, start, until } from './processes.mjs';

export const ONSALE = `${BUILD}/onsale`;
const ADMIN_TOKEN = 'bench-operator';

// nginx as lean as it gets: one process, no log, files kept open. `files`: path → bytes; `constant`: the body that every
// other path is answered with; or `origin`: the server that every other path is fetched from, through a cache that does
// as the answers' Cache-Control says, asks once for many and serves what it has while it asks again.
export async function startNginx({ constant = null, files = {}, origin = null }) {
    const folder = newFolder('nginx');
    const port = await freePort();
    for (const [path, bytes] of Object.entries(files)) writeFileSync(join(folder, path), bytes);
    const locations = Object.keys(files).map((path) => `location = /${path} { root ${folder}; }`);
    if (constant !== null) locations.push(`location / { default_type application/json; return 200 '${constant}'; }`);
    if (origin !== null)
        locations.push(`location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
            proxy_cache edge; proxy_cache_lock on; proxy_cache_use_stale updating; proxy_cache_background_update on; }`);
    const edge =
        origin === null
            ? ''
            : `proxy_cache_path ${folder}/cache keys_zone=edge:1m; upstream origin { server ${origin}; keepalive 16; }`;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${folder}/${name};`,
    );
    writeFileSync(
        join(folder, 'nginx.conf'),
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
    ${temporary.join('\n    ')}
    access_log off; server_tokens off; default_type application/octet-stream;
    keepalive_requests 1000000000; keepalive_timeout 600;
    sendfile on; tcp_nopush on; open_file_cache max=100;
    ${edge}
    server { listen 127.0.0.1:${port};
        ${locations.join('\n        ')}
    }
}
`,
    );
    const server = start('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { core: SERVER_CORE });
    await until('nginx', 5, server, () => portOpen(port));
    return Object.assign(server, { address: `127.0.0.1:${port}` });
}

// nginx that answers whatever is asked with `bytes` in all, head and body, as near as its head lets it.
export async function startConstantNginx(bytes) {
    const probe = await startNginx({ constant: 'x'.repeat(100) });
    const probed = await herd('get', { server: probe.address, path: '/', connections: 1, 'warm-up': 0, seconds: 0.05 });
    await probe.stop();
    const head = probed.answer_bytes - 100;
    return startNginx({ constant: 'x'.repeat(Math.max(1, bytes - head)) });
}

// Each round has a fresh server of ours, made ready by `prepare` (ours → the herd's options), beside the same nginx that
// answers `mode` with a constant of `bytes`. Pairs of [nginx, ours].
export async function alternateFresh({ rounds, bytes, mode, status, prepare }) {
    const nginx = await startConstantNginx(bytes);
    const pairs = [];
    for (let round = 0; round < rounds; round++) {
        const ours = await startOnsale();
        const load = await prepare(ours);
        await calm(ours);
        const sides = [
            async () => onlyStatus(await herd(mode, { ...load, server: nginx.address, pid: nginx.pid }), 200),
            async () => onlyStatus(await herd(mode, { ...load, server: ours.address, pid: ours.pid }), status),
        ];
        pairs.push(await inTurn(round, ...sides));
        await ours.stop();
    }
    await nginx.stop();
    return pairs;
}

// How long the answer to a herd's request is, head and body, of a fresh server of ours with a show of `hall`.
export async function lengthOfAnswer(mode, status, hall, options) {
    const server = await startOnsale();
    const outcome = await herd(mode, { server: server.address, show: await makeShow(server, hall), connections: 1, ...options });
    await server.stop();
    return onlyStatus(outcome, status).answer_bytes;
}

// Our server on free ports and a data directory of its own, or the one that another has left behind. Pinned to the
// servers' core unless told otherwise.
export async function startOnsale(words = [], { core = SERVER_CORE, data = newFolder('data'), environment = {} } = {}) {
    rmSync(join(data, 'listen.json'), { force: true });
    const server = start(
        ONSALE,
        ['serve', '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--data', data, '--limits', 'off', ...words],
        { core, environment: { ONSALE_ADMIN_TOKEN: ADMIN_TOKEN, ...environment } },
    );
    const listen = await until('onsale serve', 30, server, () => {
        const file = join(data, 'listen.json');
        return existsSync(file) && JSON.parse(readFileSync(file, 'utf8'));
    });
    const { listen: address, admin_listen: admin_address } = listen;
    await until('readyz', 60, server, async () => (await fetch(`http://${admin_address}/readyz`)).status === 200);
    return Object.assign(server, { data, address, admin_address });
}

// A node that shows again what another one has, on free ports; ready when all of the other's shows are there.
export async function startRelay(upstream, words = [], { core = null } = {}) {
    const server = start(
        ONSALE,
        ['serve', '--roles', 'live', '--upstream', `http://${upstream.address}`, '--listen', '127.0.0.1:0',
            '--admin-listen', '127.0.0.1:0', '--limits', 'off', ...words],
        { core },
    );
    const [, address, admin_address] = await until('a relay', 30, server, () =>
        / to fans at http:\/\/(\S+), .* operator at http:\/\/(\S+)/.exec(server.said),
    );
    await until('readyz', 60, server, async () => (await fetch(`http://${admin_address}/readyz`)).status === 200);
    return Object.assign(server, { address, admin_address });
}

export async function ask(server, method, path, body) {
    const response = await fetch(`http://${server.admin_address}${path}`, {
        method,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
}

// The sandbox gateway alone, as far away as `delay_ms` (0: no way at all): words and environment for startOnsale, and stop().
export async function startFarSandbox(delay_ms) {
    const folder = newFolder('sandbox');
    const sandbox = start(ONSALE, ['sandbox', '--listen', '127.0.0.1:0', '--data', folder], {});
    const { sandbox: address } = await until('onsale sandbox', 10, sandbox, () => {
        const file = join(folder, 'listen.json');
        return existsSync(file) && JSON.parse(readFileSync(file, 'utf8'));
    });
    const line =
        delay_ms > 0
            ? await stay(`${BUILD}/bench/onsale-delay`, ['--server', address, '--delay', String(delay_ms)], null)
            : null;
    return {
        words: ['--payments', `http://${line?.address ?? address}`],
        environment: { ONSALE_PAYMENTS_KEY: 'sk_test_bench' },
        async stop() {
            await line?.close();
            await sandbox.stop();
        },
    };
}

// A show of rows × seats_per_row seats, named A1, A2 …, that is on sale; its id. `waiting_room`: its settings; none: off.
export async function makeShow(server, { rows, seats_per_row, sections, amount = 5000, waiting_room }) {
    const show = await ask(server, 'POST', '/api/v1/admin/shows', {
        event_name: 'Bench',
        start_time: '2099-06-01T19:00:00Z',
        on_sale_time: '2020-01-01T00:00:00Z',
        waiting_room,
        plan: {
            sections: sections ?? [{ name: '', rows, seats_per_row, category: 'Standard' }],
            prices: { Standard: { amount, currency: 'EUR' } },
        },
    });
    return show.show_id;
}

// A server with the demo's stadium of 50,000 seats, on sale to everybody at once.
export async function startDemo() {
    const server = await startOnsale(['--demo'], { core: null });
    const [{ show_id }] = await (await fetch(`http://${server.address}/api/v1/shows`)).json();
    await ask(server, 'PATCH', `/api/v1/admin/shows/${show_id}`, { waiting_room: { enabled: false } });
    return Object.assign(server, { show_id });
}

export async function makeShows(server, count, settings) {
    const shows = [];
    for (let i = 0; i < count; i++) shows.push(await makeShow(server, settings));
    return shows;
}

// The value of a counter or gauge at /metrics.
export async function metric(server, name) {
    const response = await fetch(`http://${server.admin_address}/metrics`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `));
    if (!line) throw new Error(`/metrics does not tell ${name}`);
    return Number(line.split(' ')[1]);
}

// Stops the server and audits what it leaves behind; fails unless all is well. What verify said.
export async function stopAndVerify(server) {
    const end = await server.stop();
    if (end.code !== 0) throw new Error(`onsale serve ended with ${end.code ?? end.signal}: ${server.said.slice(-2000)}`);
    return run(ONSALE, ['verify', '--data', server.data]);
}
