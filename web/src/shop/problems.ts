/* What went wrong, in the fan's words, and the one thing that helps.
 *
 * Each code of src/api/problems.def that a fan can meet has its own words (strings/); what only a fault of these pages
 * can cause (`faults`), and codes of tomorrow, are told as such. A test holds both lists against problems.def. */
import type { Problem } from '../base/types';
import { say } from '../strings/strings';

/* What helps. Those with an address are links; the page does the others, where it can. */
export type Help = 'retry' | 'next_best' | 'same_seats' | 'other_card' | 'queue' | 'seats' | 'show' | 'shows' | 'reload';

export interface Explanation {
  title: string;
  text: string;
  action?: { help: Help; label: string; href?: string };
}

export interface Context {
  show_id?: string | undefined;
  most_seats?: number | undefined; /* how many one person may have; 0 or none: not known */
}

const help_of = {
  offline: 'retry',
  unexpected: 'retry',
  pass_required: 'queue',
  pass_invalid: 'queue',
  pass_expired: 'queue',
  queue_ticket_invalid: 'queue',
  payment_declined: 'same_seats',
  forbidden: 'show',
  pass_for_another_user: 'queue',
  pass_for_another_show: 'queue',
  queue_ticket_for_another_show: 'queue',
  proof_required: 'queue',
  not_found: 'shows',
  show_not_found: 'shows',
  reservation_not_found: 'same_seats',
  booking_not_found: 'shows',
  request_timeout: 'retry',
  seat_unavailable: 'next_best',
  sale_not_open: 'show',
  sold_out: 'seats',
  no_adjacent_seats: 'seats',
  leaves_orphan: 'seats',
  idempotency_in_progress: 'retry',
  payment_in_progress: 'retry',
  booking_not_confirmed: 'retry',
  booking_not_refundable: 'show',
  conflict: 'reload',
  reservation_expired: 'same_seats',
  turn_missed: 'queue',
  unknown_seat: 'reload',
  duplicate_seat: 'seats',
  too_many_seats: 'seats',
  not_your_turn: 'queue',
  at_the_door: 'queue',
  rate_limited: 'retry',
  overloaded: 'retry',
  hold_store_unavailable: 'retry',
  ledger_unavailable: 'retry',
  gateway_unavailable: 'retry',
} as const satisfies Record<string, Help>;

type Code = keyof typeof help_of;

/* No fan can cause these: the page asked wrongly. */
export const faults: readonly string[] = [
  'bad_request',
  'bad_json',
  'unauthorized',
  'method_not_allowed',
  'length_required',
  'body_too_large',
  'target_too_long',
  'unsupported_media_type',
  'idempotency_key_reused',
  'invalid_field',
  'upgrade_required',
  'headers_too_large',
  'not_implemented',
  'http_version_not_supported',
];

/* Others (lost_card, stolen_card, fraudulent …) are not told apart: whoever holds such a card learns nothing from us. */
const declines = [
  'insufficient_funds',
  'expired_card',
  'incorrect_cvc',
  'processing_error',
  'card_velocity_exceeded',
  'authentication_required',
] as const;

function address(help: Help, show_id: string | undefined): string | undefined {
  if (help === 'shows') return '/';
  if (!show_id) return undefined;
  return { queue: `/shows/${show_id}/queue`, seats: `/shows/${show_id}/seats`, show: `/shows/${show_id}` }[help as string];
}

function helped(help: Help, show_id: string | undefined): Pick<Explanation, 'action'> {
  const href = address(help, show_id);
  const leads_nowhere = !href && (help === 'queue' || help === 'seats' || help === 'show');
  return leads_nowhere ? {} : { action: { help, label: say(`action_${help}`), ...(href ? { href } : {}) } };
}

function declined(problem: Problem, show_id: string | undefined): Explanation {
  const why = declines.find((code) => code === problem.decline_code);
  const left = problem.attempts_left ?? 0;
  const text = why ? say(`declined_${why}_text`) : say('problem_payment_declined_text');
  return {
    title: why ? say(`declined_${why}`) : say('problem_payment_declined'),
    text: `${text} ${left > 0 ? say('declined_still_held', { count: left }) : say('declined_released')}`,
    ...helped(left > 0 ? 'other_card' : 'same_seats', show_id),
  };
}

function text_of(code: Code, problem: Problem, context: Context): string {
  if (code === 'seat_unavailable') return say('problem_seat_unavailable_text', { count: problem.seat_ids?.length || 1 });
  if (code === 'too_many_seats' && context.most_seats) return say('problem_too_many_seats_limit', { count: context.most_seats });
  if (code === 'rate_limited' && problem.retry_after_seconds)
    return say('problem_rate_limited_wait', { count: Math.ceil(problem.retry_after_seconds) });
  return say(`problem_${code}_text`);
}

export function explain(problem: Problem, context: Context = {}): Explanation {
  if (problem.code === 'payment_declined') return declined(problem, context.show_id);
  const code: Code = Object.keys(help_of).includes(problem.code) ? (problem.code as Code) : 'unexpected';
  return { title: say(`problem_${code}`), text: text_of(code, problem, context), ...helped(help_of[code], context.show_id) };
}
