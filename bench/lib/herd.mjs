// The load generator, on its own core; its JSON line as an object.
import { spawn } from 'node:child_process';
import { BUILD, LOAD_CORE, pinned, run } from './processes.mjs';

export const HERD = `${BUILD}/bench/onsale-herd`;

const words = (mode, options) => [
    mode,
    ...Object.entries(options).flatMap(([name, value]) =>
        value === true ? [`--${name}`] : [value].flat().flatMap((one) => [`--${name}`, String(one)]),
    ),
];

// On a core of its own it spins: a server would be charged for waking it up, the more the faster it answers.
export async function herd(mode, options, { core = LOAD_CORE, spin = core !== null } = {}) {
    const outcome = JSON.parse(await run(HERD, words(mode, spin ? { ...options, spin } : options), { core }));
    if (outcome.broken > 0) throw new Error(`herd ${mode}: ${outcome.broken} connections were lost`);
    return outcome;
}

// Fails unless every answer that was counted had this status.
export function onlyStatus(outcome, status) {
    const others = Object.keys(outcome.statuses).filter((one) => one !== String(status));
    if (others.length > 0 || outcome.requests === 0)
        throw new Error(`herd ${outcome.mode}: wanted ${status} alone, got ${JSON.stringify(outcome.statuses)}`);
    return outcome;
}

// A program that tells a line of JSON, stays until close() is called, and may then tell another: what it told first, and
// close(), which gives what it told last.
export function stay(program, all_words, core = LOAD_CORE) {
    return new Promise((done, fail) => {
        const child = spawn(...pinned(core, program, all_words), { stdio: ['pipe', 'pipe', 'inherit'] });
        let output = '';
        const ended = new Promise((end) => child.on('exit', end));
        const last = () => JSON.parse(output.trim().split('\n').at(-1));
        const close = async () => {
            child.stdin.end();
            const code = await ended;
            if (code !== 0) throw new Error(`${program}: ended with ${code}`);
            return last();
        };
        child.on('error', fail);
        child.on('exit', (code) => fail(new Error(`${program}: ended with ${code}`)));
        child.stdout.on('data', (text) => {
            output += text;
            if (output.endsWith('\n'))
                done({ ...last(), close });
        });
    });
}

// Connections that do nothing more: resolves when they are open.
export const idleHerd = (options) => stay(HERD, words('idle', options));

// WebSockets that read what they are sent: resolves when each has had its first frame.
export const watchers = (options, core) => stay(`${BUILD}/bench/onsale-watchers`, words('', options).slice(1), core);

// Fans who wait and poll as they are told, for so long; what came of it.
export const pollers = async (options) =>
    JSON.parse(await run(`${BUILD}/bench/onsale-pollers`, words('', options).slice(1), { core: LOAD_CORE }));
