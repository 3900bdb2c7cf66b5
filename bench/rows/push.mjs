// Pushing to WebSockets: what a push costs beside the bare sends, and what a member that lives costs in memory.
import { figuresOf, limitOf, ratioOf } from './engines.mjs';

export async function push({ quick }) {
    const told = await figuresOf('push_bench', quick ? ['2000', '5'] : []);
    const value = (name) => told.of(name).value;
    const sockets = value('sockets');
    return [
        ratioOf(told.of('push_over_bare_loop'), {
            name: 'queue_push',
            what: `CPU of one push of 300 bytes to ${sockets} live WebSockets, to a bare send() loop over the same sockets`,
            sense: 'at most',
            bar: 1.1,
            figures: {
                'push, µs of CPU a socket': value('push_us_a_socket'),
                'bare loop, µs of CPU a socket': value('bare_loop_us_a_socket'),
            },
        }),
        limitOf(told.of('members_mib'), {
            name: 'queue_push_memory',
            what: `Resident memory of ours for ${sockets} live WebSockets, all of them pushed to`,
            sense: 'at most',
            limit: 8,
            unit: 'MiB',
            figures: { 'bytes that one more adds': value('member_bytes') },
        }),
    ];
}
