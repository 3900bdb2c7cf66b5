// Pushing to WebSockets: what a push costs beside the bare sends, when the last one has it, and what a member that lives
// costs in memory. A status of the queue, and a frame of the seat map.
import { figuresOf, limitOf, ratioOf } from './engines.mjs';

// What the seat map pushes to 15,000 viewers while a tenth of 50,000 seats changes each second: some 2,700 seats in the
// tick of half a second that so many are given, at 4 bytes each.
const VIEWERS = 15000;
const DELTA_BYTES = 10800;

const overBareLoop = (told, name, what) =>
    ratioOf(told.of('push_over_bare_loop'), {
        name,
        what: `CPU of one push of ${what} to ${told.of('sockets').value} live WebSockets, to a bare send() loop over the same sockets`,
        sense: 'at most',
        bar: 1.1,
        figures: {
            'push, µs of CPU a socket': told.of('push_us_a_socket').value,
            'bare loop, µs of CPU a socket': told.of('bare_loop_us_a_socket').value,
        },
    });

export async function push({ quick }) {
    const told = await figuresOf('push_bench', quick ? ['2000', '5'] : []);
    return [
        overBareLoop(told, 'queue_push', '300 bytes'),
        limitOf(told.of('members_mib'), {
            name: 'queue_push_memory',
            what: `Resident memory of ours for ${told.of('sockets').value} live WebSockets, all of them pushed to`,
            sense: 'at most',
            limit: 8,
            unit: 'MiB',
            figures: { 'bytes that one more adds': told.of('member_bytes').value },
        }),
    ];
}

export async function livePush({ quick }) {
    const told = await figuresOf('push_bench', [quick ? '2000' : `${VIEWERS}`, quick ? '5' : '15', `${DELTA_BYTES}`]);
    return [
        overBareLoop(told, 'live_push', `a seat map's ${DELTA_BYTES} bytes`),
        ratioOf(told.of('last_arrival_over_bare_loop'), {
            name: 'live_push_last',
            what: `Until the last of ${told.of('sockets').value} viewers has all of it, to the same after the bare loop`,
            sense: 'at most',
            bar: 1.5,
            figures: {
                'push, ms to the last': told.of('push_ms_to_the_last').value,
                'bare loop, ms to the last': told.of('bare_loop_ms_to_the_last').value,
            },
        }),
    ];
}
