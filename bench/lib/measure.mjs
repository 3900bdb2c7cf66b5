// How things are measured: ratios of rounds that alternate between the peer and ours, in one run on one machine, since
// identical runs some minutes apart differ by a tenth and more. A row says what was compared, the median ratio, its
// spread and whether it meets its bar.

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const spread = (values) => [Math.min(...values), Math.max(...values)];

// Both sides of a round, who is first changing each round: [peer, ours].
export async function inTurn(round, peer, ours) {
    if (round % 2 === 0) return [await peer(), await ours()];
    const second = await ours();
    return [await peer(), second];
}

// [[peer, ours], …], as many as `rounds`.
export async function alternate(rounds, peer, ours) {
    const pairs = [];
    for (let round = 0; round < rounds; round++) pairs.push(await inTurn(round, peer, ours));
    return pairs;
}

// Of a round's outcomes of the herd: [peer, ours].
export const cpuRatio = ([peer, ours]) => ours.server_cpu_us_per_request / peer.server_cpu_us_per_request;
export const rateRatio = ([peer, ours]) => ours.rate / peer.rate;

// What else a row tells whose peer is nginx.
export const besideNginx = (pairs) => ({
    'nginx, µs of CPU a request': median(pairs.map(([peer]) => peer.server_cpu_us_per_request)),
    'onsale, µs of CPU a request': median(pairs.map(([, ours]) => ours.server_cpu_us_per_request)),
    'nginx, requests a second': median(pairs.map(([peer]) => peer.rate)),
    'onsale, requests a second': median(pairs.map(([, ours]) => ours.rate)),
    'onsale, p50 in µs': median(pairs.map(([, ours]) => ours.latency_us.p50)),
    'onsale, p99 in µs': median(pairs.map(([, ours]) => ours.latency_us.p99)),
    'onsale, answer in bytes': pairs[0][1].answer_bytes,
    'nginx, answer in bytes': pairs[0][0].answer_bytes,
});

const meets = (ratio, sense, bar) => (sense === 'at most' ? ratio <= bar : ratio >= bar);

// A row from ratios of rounds. `figures`: what else is worth knowing, name to number or text.
export function ratioRow({ name, what, ratios, sense, bar, figures = {} }) {
    const ratio = median(ratios);
    return { name, what, ratio, spread: spread(ratios), sense, bar, met: meets(ratio, sense, bar), figures };
}

// A row from a figure with a limit of its own: its ratio is the figure's share of the limit, and its bar 1.
export function limitRow({ name, what, values, limit, unit, sense, also_met = true, figures = {} }) {
    const row = ratioRow({ name, what, ratios: values.map((value) => value / limit), sense, bar: 1, figures });
    return { ...row, met: row.met && also_met, value: median(values), limit, unit };
}

// A row that only tells.
export function noteRow({ name, what, ratios, figures = {} }) {
    return { name, what, ratio: median(ratios), spread: spread(ratios), sense: null, bar: null, met: null, figures };
}
