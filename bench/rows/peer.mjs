// The sell-out by bench/peer, beside ours with free tickets: neither side calls a gateway.
import { chmodSync, chownSync, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { alternate, median, noteRow } from '../lib/measure.mjs';
import { herd } from '../lib/herd.mjs';
import { freePort, newFolder, portOpen, run, runNow, start, until } from '../lib/processes.mjs';
import { sell, SEATS } from './sellout.mjs';

const ROWS = 200;
const CONNECTIONS = 64;
const PACKAGE = 'build/bench-peer';

function postgresPrograms() {
    const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
    if (versions.length === 0) throw new Error('PostgreSQL is not installed; script/bootstrap peer installs it');
    return `/usr/lib/postgresql/${versions.sort((a, b) => b - a)[0]}/bin`;
}

// PostgreSQL refuses to run as root.
const asPostgres = (command, words) =>
    process.getuid() === 0 ? ['runuser', ['-u', 'postgres', '--', command, ...words]] : [command, words];

async function startPostgres() {
    const programs = postgresPrograms();
    const folder = newFolder('postgres');
    if (process.getuid() === 0) {
        const [user, group] = [runNow('id', ['-u', 'postgres']), runNow('id', ['-g', 'postgres'])].map(Number);
        chownSync(folder, user, group);
        chmodSync(dirname(folder), 0o711);
    }
    const port = await freePort();
    const data = join(folder, 'data');
    await run(...asPostgres(join(programs, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres']), { folder });
    const words = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=', '-c', 'shared_buffers=512MB'];
    // SIGTERM to runuser reaches the server; "fast" shutdown is what it asks for with SIGINT, and a bench can wait.
    const server = start(...asPostgres(join(programs, 'postgres'), words), { folder });
    await until('postgres', 20, server, () => existsSync(join(folder, `.s.PGSQL.${port}`)));
    return Object.assign(server, { folder, port });
}

async function startRedis() {
    const folder = newFolder('redis');
    const port = await freePort();
    const words = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
    const server = start('redis-server', words, { folder });
    await until('redis', 10, server, () => portOpen(port));
    return Object.assign(server, { port });
}

async function sellByPeer() {
    const postgres = await startPostgres();
    const redis = await startRedis();
    const port = await freePort();
    const words = [`${PACKAGE}/server.mjs`, port, redis.port, postgres.folder, postgres.port, ROWS, SEATS / ROWS];
    const server = start('node', words.map(String));
    await until('the peer', 30, server, () => portOpen(port));
    const outcome = await herd(
        'sellout',
        { server: `127.0.0.1:${port}`, show: 'bench', connections: CONNECTIONS, token: 'tok_ok', pid: server.pid },
        { core: null },
    );
    await server.stop();
    await redis.stop();
    await postgres.stop();
    if (outcome.bookings * 2 !== SEATS) throw new Error(`the peer sold ${outcome.bookings} bookings`);
    return outcome;
}

export async function peer({ sales }) {
    if (!existsSync(`${PACKAGE}/node_modules`)) throw new Error(`${PACKAGE} is not there; script/bench --with-peer makes it`);
    const pairs = await alternate(sales, sellByPeer, () => sell({ amount: 0, connections: CONNECTIONS }));
    const middle = (side, read) => median(pairs.map((pair) => read(pair[side])));
    return [
        noteRow({
            name: 'sellout_peer',
            what: 'Time of the sell-out to that of a Fastify, Redis and PostgreSQL server (no gateway on either side)',
            ratios: pairs.map(([theirs, ours]) => ours.seconds / theirs.seconds),
            figures: {
                connections: CONNECTIONS,
                'peer, seconds': middle(0, ({ seconds }) => seconds),
                'onsale, seconds': middle(1, ({ seconds }) => seconds),
                'peer, reserve p50 in ms': middle(0, ({ reserve_us }) => reserve_us.p50 / 1000),
                'onsale, reserve p50 in ms': middle(1, ({ reserve_us }) => reserve_us.p50 / 1000),
                'peer, confirm p50 in ms': middle(0, ({ confirm_us }) => confirm_us.p50 / 1000),
                'onsale, confirm p50 in ms': middle(1, ({ confirm_us }) => confirm_us.p50 / 1000),
                'peer, CPU of the web process in s': middle(0, ({ server_cpu_seconds }) => server_cpu_seconds),
                'onsale, CPU of the server in s': middle(1, ({ server_cpu_seconds }) => server_cpu_seconds),
            },
        }),
    ];
}
