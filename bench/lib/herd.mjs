// The load generator, on its own core; its JSON line as an object.
import { spawn } from 'node:child_process';
import { LOAD_CORE, run } from './processes.mjs';

export const HERD = 'build/bench/onsale-herd';

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

// Connections that do nothing more: resolves when they are open; close() ends them.
export function idleHerd(options) {
    return new Promise((done, fail) => {
        const child = spawn('taskset', ['-c', String(LOAD_CORE), HERD, ...words('idle', options)], {
            stdio: ['pipe', 'pipe', 'inherit'],
        });
        let output = '';
        const ended = new Promise((end) => child.on('exit', end));
        child.on('error', fail);
        child.on('exit', (code) => fail(new Error(`herd idle: ended with ${code}`)));
        child.stdout.on('data', (text) => {
            output += text;
            if (output.endsWith('\n'))
                done({ ...JSON.parse(output), close: () => (child.stdin.end(), ended) });
        });
    });
}
