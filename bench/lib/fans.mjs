// Fans as the herd takes them from a file: whose show, who, and the pass that lets them in.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, sleep } from './processes.mjs';
import { makeShow } from './servers.mjs';

const OPEN = { enabled: true, rate_per_minute: 6000000, max_active: 100000 };

async function post(server, path, body) {
    const response = await fetch(`http://${server.address}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
}

async function passOf(server, show, user_id) {
    const queue = `/api/v1/shows/${show}/queue`;
    const { body: joined } = await post(server, queue, { user_id });
    for (let tries = 0; tries < 100; tries++) {
        const claimed = await post(server, `${queue}/claim`, { queue_ticket: joined.queue_ticket });
        if (claimed.status === 200) return claimed.body.pass;
        await sleep(100);
    }
    throw new Error(`${user_id} was never let in`);
}

// So many shows of a kind, each with so many fans: the herd's options `show` and `fans`. With a room, they have passes.
export async function makeShowsWithFans(server, hall, { shows: show_count, fans: fan_count, has_room }) {
    const shows = [];
    const lines = [];
    for (let i = 0; i < show_count; i++) {
        const show = await makeShow(server, has_room ? { ...hall, waiting_room: OPEN } : hall);
        const users = Array.from({ length: fan_count }, (_, number) => `fan${number}`);
        const passes = has_room ? await Promise.all(users.map((user) => passOf(server, show, user))) : [];
        users.forEach((user, number) => lines.push(`${show} ${user} ${passes[number] ?? '-'}`));
        shows.push(show);
    }
    const fans = join(newFolder('fans'), 'fans');
    writeFileSync(fans, `${lines.join('\n')}\n`);
    return { show: shows, fans };
}
