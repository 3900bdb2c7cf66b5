// Whatever a benchmark starts: each with its pid known, each stopped at the end, however the end comes about; and the
// temporary folder that they all live in.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Where the programs are; ONSALE_BUILD names another build folder than script/build's.
export const BUILD = process.env.ONSALE_BUILD ?? 'build';
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const running = new Set();
const root = mkdtempSync(join(tmpdir(), 'onsale-bench-'));
let folders = 0;

export function newFolder(name) {
    const folder = join(root, `${name}-${++folders}`);
    mkdirSync(folder);
    return folder;
}

function endAll() {
    for (const child of running) child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
}
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function pinned(core, command, words) {
    return core === null ? [command, words] : ['taskset', ['-c', String(core), command, ...words]];
}

// A server: runs until stop() is awaited. What it says on stderr is kept, for when it goes wrong.
export function start(command, words, { core = null, environment = {}, folder } = {}) {
    const child = spawn(...pinned(core, command, words), {
        cwd: folder,
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
    });
    const server = { pid: child.pid, said: '', ended: false };
    server.end = new Promise((done) => {
        const finish = (code, signal) => {
            server.ended = true;
            running.delete(child);
            done({ code, signal });
        };
        child.on('error', (error) => finish(String(error), null));
        child.on('exit', finish);
    });
    child.stderr.on('data', (text) => (server.said = (server.said + text).slice(-65536)));
    server.stop = async (signal = 'SIGTERM') => {
        child.kill(signal);
        const late = setTimeout(() => child.kill('SIGKILL'), 20000);
        const end = await server.end;
        clearTimeout(late);
        return end;
    };
    running.add(child);
    return server;
}

// A program that ends by itself: its standard output. Fails with what it said if it does not end with 0.
export function run(command, words, { core = null, environment = {}, folder, input } = {}) {
    return new Promise((done, fail) => {
        const child = spawn(...pinned(core, command, words), {
            cwd: folder,
            env: { ...process.env, ...environment },
            stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        });
        let output = '';
        let said = '';
        running.add(child);
        child.stdout.on('data', (text) => (output += text));
        child.stderr.on('data', (text) => (said = (said + text).slice(-65536)));
        child.on('error', fail);
        child.on('close', (code, signal) => {
            running.delete(child);
            if (code === 0) done(output);
            else fail(new Error(`${command} ${words.slice(0, 3).join(' ')}: ended with ${code ?? signal}: ${said.slice(-2000)}`));
        });
        if (input !== undefined) child.stdin.end(input);
    });
}

export function runNow(command, words) {
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function freePort() {
    return new Promise((done, fail) => {
        const server = createServer();
        server.on('error', fail);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}

export async function until(what, seconds, server, check) {
    const give_up = Date.now() + seconds * 1000;
    while (Date.now() < give_up) {
        if (server?.ended) throw new Error(`${what}: the server ended: ${server.said.slice(-2000)}`);
        const found = await check();
        if (found) return found;
        await sleep(20);
    }
    throw new Error(`${what}: not within ${seconds} s: ${server?.said.slice(-2000) ?? ''}`);
}

export function portOpen(port) {
    return new Promise((done) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('connect', () => (socket.destroy(), done(true)));
        socket.on('error', () => done(false));
    });
}

// Ticks of CPU that a process has had, all its threads.
function cpuTicks(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
}

// The share of a core that a process takes while nobody asks it for anything.
export async function idleShare(pid, seconds) {
    const before = cpuTicks(pid);
    await sleep(seconds * 1000);
    return (cpuTicks(pid) - before) / (100 * seconds);
}

// Waits until what was set up is on disk and done with: a server that still moves its log to its file, and a kernel that
// still writes, would be charged to the requests that come next.
export async function calm(server) {
    await run('sync', []);
    for (let tries = 0; tries < 20 && (await idleShare(server.pid, 0.3)) > 0.04; tries++) continue;
}

// Memory in bytes: resident pages, those shared with other processes divided by how many share them.
export function proportionalBytes(pid) {
    const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Number(line[1]) * 1024;
}

// Resident memory in bytes.
export function residentBytes(pid) {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line[1]) * 1024;
}
