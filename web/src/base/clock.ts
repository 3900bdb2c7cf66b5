/* The server's time, whatever the device's clock says: every deadline is counted down by it.
 *
 * performance.now() is what is carried on, since it neither jumps when the device's clock is set nor depends on it. It
 * may stand still while the device sleeps, so the clock is set again by each answer that tells the time; an answer that
 * was long under way says less, so the fastest of late decides. */

const KEEP_MS = 5 * 60_000;

let offset_ms = Date.now() - performance.now();
let error_ms = Infinity;
let set_at_ms = -Infinity;

/* `time_ms`: what the server said, somewhere between the two moments of performance.now(). */
export function clock_set(time_ms: number, asked_ms: number, answered_ms: number): void {
  const error = (answered_ms - asked_ms) / 2;
  const before_ms = asked_ms + error + offset_ms;
  /* A picture that is far off means that the device slept. */
  if (error > error_ms && answered_ms - set_at_ms < KEEP_MS && Math.abs(before_ms - time_ms) < 2000 + error) return;
  offset_ms = time_ms - (asked_ms + error);
  error_ms = error;
  set_at_ms = answered_ms;
}

/* Milliseconds since the epoch, by the server. */
export function clock_now(): number {
  return performance.now() + offset_ms;
}
