/* Reads what many clients saw of one queue, with the times at which they sent and were answered, and proves the order,
 * the drip and the room's bound from it; or names the calls that cannot be.
 *
 * A call took effect at some moment between `sent_ms` and `answered_ms`. A fault is told only where no choice of those
 * moments explains what was answered, so that a loaded machine causes no false alarm:
 *
 *     {kind: 'join', user, sent_ms, answered_ms, position, number, is_new}
 *     {kind: 'claim', user, sent_ms, answered_ms, number, position, outcome, pass, expires_ms}
 *           outcome: 'pass', or the code of the refusal: not_your_turn, at_the_door, turn_missed
 *     {kind: 'end', user, sent_ms, answered_ms, number}             left, or booked: the pass or place is given up
 *
 * All times are of one clock. A call that was never answered (its connection was cut) has answered_ms Infinity: it may
 * have taken effect at any time after it was sent, or never; leave out those whose outcome nobody knows.
 *
 * terms: {rate_per_minute, max_active} as high, and claim_seconds as low, as they ever were. Who stands at the door is
 * looked at only where claim_seconds is a minute or more, and then fans must ask first soon after they are called.
 * Gives the faults, as texts. */

/* A is answered before B is sent, so A's position is the lower one. */
function faults_of_order(joins) {
  const faults = [];
  const by_answer = joins.slice().sort((a, b) => a.answered_ms - b.answered_ms);
  const by_sending = joins.slice().sort((a, b) => a.sent_ms - b.sent_ms);
  let last = null; // the highest position among those answered so far
  let next = 0;
  for (const join of by_sending) {
    while (next < by_answer.length && by_answer[next].answered_ms < join.sent_ms) {
      if (!last || by_answer[next].position > last.position) last = by_answer[next];
      next++;
    }
    if (last && last.position >= join.position) faults.push(`${last.user} got place ${last.position} before ${join.user} sent, who got ${join.position}`);
  }
  return faults;
}

/* No place is two users', and no user has two while the first one lasts. */
function faults_of_places(joins, ends, claims, { claim_seconds }) {
  const faults = [];
  const owner = new Map(); // number → user
  const places = new Map(); // user → joins
  for (const join of joins) {
    if (owner.has(join.number) && owner.get(join.number) !== join.user) faults.push(`place ${join.number} is ${owner.get(join.number)}'s and ${join.user}'s`);
    owner.set(join.number, join.user);
    if (!places.has(join.user)) places.set(join.user, []);
    places.get(join.user).push(join);
  }
  const dead_after = new Map(); // number → when it may have been given up, at the earliest
  for (const call of [...ends, ...claims.filter((claim) => claim.outcome === 'turn_missed')])
    dead_after.set(call.number, Math.min(dead_after.get(call.number) ?? Infinity, call.kind === 'end' ? call.sent_ms : -Infinity));
  for (const join of joins) dead_after.set(join.number, Math.min(dead_after.get(join.number) ?? Infinity, join.sent_ms + claim_seconds * 1000));
  for (const claim of claims) if (claim.outcome === 'pass') dead_after.set(claim.number, Math.min(dead_after.get(claim.number) ?? Infinity, claim.expires_ms));
  for (const [user, list] of places) {
    list.sort((a, b) => a.number - b.number);
    for (let i = 1; i < list.length; i++) {
      const [older, newer] = [list[i - 1], list[i]];
      if (older.number !== newer.number && newer.answered_ms < (dead_after.get(older.number) ?? Infinity)) faults.push(`${user} has the places ${older.number} and ${newer.number}`);
      if (older.number === newer.number && older.position !== newer.position) faults.push(`${user}'s place ${older.number} was ${older.position} and then ${newer.position}`);
    }
  }
  return faults;
}

/* The first claim of each place that was answered with a pass. */
function admissions_of(claims) {
  const first = new Map();
  for (const claim of claims.filter((one) => one.outcome === 'pass')) {
    const known = first.get(claim.number);
    // Of two tabs either may have been the one: it happened after the earlier was sent, before the earlier was answered.
    first.set(claim.number, known ? {
      ...known,
      sent_ms: Math.min(known.sent_ms, claim.sent_ms),
      answered_ms: Math.min(known.answered_ms, claim.answered_ms),
    } : claim);
  }
  return [...first.values()];
}

/* Admissions that lie within a window for certain are no more than rate × its length + one second's worth. */
function faults_of_drip(admissions, { rate_per_minute }) {
  const burst = Math.max(1, rate_per_minute / 60);
  const by_answer = admissions.slice().sort((a, b) => a.answered_ms - b.answered_ms);
  for (const { sent_ms: from } of admissions) {
    let count = 0;
    for (const { sent_ms, answered_ms } of by_answer) {
      if (sent_ms < from) continue;
      count++;
      const bound = (rate_per_minute * (answered_ms - from)) / 60_000 + burst;
      if (count > bound + 1e-6) return [`${count} are let in within ${answered_ms - from} ms; ${bound.toFixed(2)} may be`];
    }
  }
  return [];
}

/* At no instant are more inside for certain (from the answer to their claim until they ask to go, or the pass ends)
 * than max_active. */
function faults_of_room(admissions, ends, { max_active }) {
  const gone = new Map();
  for (const end of ends) gone.set(end.number, Math.min(gone.get(end.number) ?? Infinity, end.sent_ms));
  const steps = admissions.flatMap(({ number, answered_ms, expires_ms }) => {
    const until_ms = Math.min(gone.get(number) ?? Infinity, expires_ms);
    return until_ms > answered_ms ? [[answered_ms, 1], [until_ms, -1]] : [];
  }).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let inside = 0;
  for (const [at_ms, step] of steps) {
    inside += step;
    if (inside > max_active) return [`${inside} are inside at ${at_ms}; ${max_active} may be`];
  }
  return [];
}

/* A place is let in once: one pass for all its claims, nobody else's pass, and none after the place was given up. */
function faults_of_use(claims, ends) {
  const faults = [];
  const passes = new Map(); // number → pass
  const owner = new Map(); // pass → number
  const given_up = new Map(); // number → when it was over, at the latest
  for (const end of ends) given_up.set(end.number, Math.min(given_up.get(end.number) ?? Infinity, end.answered_ms));
  for (const claim of claims.filter((one) => one.outcome === 'pass')) {
    const { number, pass } = claim;
    if (passes.has(number) && passes.get(number) !== pass) faults.push(`place ${number} got two passes`);
    if (owner.has(pass) && owner.get(pass) !== number) faults.push(`places ${number} and ${owner.get(pass)} got one pass`);
    if (claim.sent_ms > (given_up.get(number) ?? Infinity)) faults.push(`place ${number} got a pass after it was given up`);
    if (claim.sent_ms > claim.expires_ms) faults.push(`place ${number} got a pass after it had ended`);
    passes.set(number, pass);
    owner.set(pass, number);
  }
  return faults;
}

/* Once somebody has been let in or was at the door, it is the turn of everyone before them. */
function faults_of_turns(claims) {
  const faults = [];
  const called = claims.filter((one) => ['pass', 'at_the_door'].includes(one.outcome)).sort((a, b) => a.answered_ms - b.answered_ms);
  const refused = claims.filter((one) => one.outcome === 'not_your_turn').sort((a, b) => a.sent_ms - b.sent_ms);
  let furthest = null;
  let next = 0;
  for (const claim of refused) {
    while (next < called.length && called[next].answered_ms < claim.sent_ms) {
      if (!furthest || called[next].position > furthest.position) furthest = called[next];
      next++;
    }
    if (furthest && furthest.position > claim.position) faults.push(`${claim.user} at ${claim.position} was told to wait after ${furthest.user} at ${furthest.position} had been called`);
  }
  return faults;
}

const PATIENCE_MS = 10_000; // less than what the server gives a fan at the door to ask again

/* Who is at the door and asks again is not passed over: somebody behind them goes in only if there is a place for both. So
 * who is still refused on asking again, though somebody behind them went in since, has been passed over; unless somebody
 * before them took that place. */
function faults_at_the_door(claims) {
  const faults = [];
  const admissions = admissions_of(claims);
  const by_number = new Map();
  for (const claim of claims) {
    if (!by_number.has(claim.number)) by_number.set(claim.number, []);
    by_number.get(claim.number).push(claim);
  }
  for (const list of by_number.values()) {
    list.sort((a, b) => a.sent_ms - b.sent_ms);
    for (let i = 1; i < list.length; i++) {
      const [first, second] = [list[i - 1], list[i]];
      if (first.outcome !== 'at_the_door' || second.outcome !== 'at_the_door' || second.sent_ms > first.answered_ms + PATIENCE_MS) continue;
      const passing = admissions.find((one) => one.position > first.position && one.sent_ms > first.answered_ms && one.answered_ms < second.sent_ms);
      const before = passing && admissions.find((one) => one.position < first.position && one.answered_ms >= passing.sent_ms && one.sent_ms <= second.answered_ms);
      if (passing && !before) faults.push(`${passing.user} at ${passing.position} went in past ${first.user} at ${first.position}, who was at the door`);
    }
  }
  return faults;
}

export function faults_of_history(calls, terms) {
  const of_kind = (kind) => calls.filter((call) => call.kind === kind);
  const joins = of_kind('join');
  const claims = of_kind('claim');
  const ends = of_kind('end');
  const admissions = admissions_of(claims);
  return [
    ...(terms.is_shuffled ? [] : faults_of_order(joins.filter((join) => join.is_new))),
    ...faults_of_places(joins, ends, claims, terms),
    ...faults_of_use(claims, ends),
    ...faults_of_drip(admissions, terms),
    ...faults_of_room(admissions, ends, terms),
    ...faults_of_turns(claims),
    ...(terms.claim_seconds < 60 ? [] : faults_at_the_door(claims)),
  ];
}
