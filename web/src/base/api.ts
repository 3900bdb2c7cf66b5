/* Calls to the server: what they answer, or a Problem, thrown.
 *
 * A GET, and a POST with its Idempotency-Key (each has one), may be asked again without harm: so a lost connection, 429
 * and 503 are tried a few times, after what Retry-After says or a pause drawn at random that doubles (full jitter:
 * "Exponential Backoff And Jitter", M. Brooker), before anybody is told. */
import { clock_set } from './clock';
import { connection_told } from './connection';
import type { Problem } from './types';

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8000;

export class ApiProblem extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
  get code(): string {
    return this.problem.code;
  }
}

export interface Options {
  pass?: string | undefined; /* the waiting room's */
  key?: string; /* Idempotency-Key; one is made if it is left out */
  signal?: AbortSignal;
  attempts?: number;
}

/* What is told when no answer came: the code is ours. */
const OFFLINE: Problem = { status: 0, code: 'offline', detail: 'There is no connection.' };

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });
}

export function jitter_ms(attempt: number, first_ms = FIRST_PAUSE_MS, longest_ms = LONGEST_PAUSE_MS): number {
  return Math.random() * Math.min(longest_ms, first_ms * 2 ** attempt);
}

export function fresh_key(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, '0')).join('');
}

async function problem_of(answer: Response): Promise<Problem> {
  const fallback = { status: answer.status, code: 'unexpected', detail: answer.statusText };
  const document = await answer.json().catch(() => null);
  const problem: Problem = typeof document === 'object' && document ? { ...fallback, ...document } : fallback;
  const seconds = Number(answer.headers.get('Retry-After'));
  if (problem.retry_after_seconds === undefined && seconds > 0) problem.retry_after_seconds = seconds;
  return problem;
}

async function ask(method: string, path: string, body: unknown, options: Options): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method === 'POST') headers['Idempotency-Key'] = options.key ?? fresh_key();
  if (options.pass) headers.Authorization = `Bearer ${options.pass}`;
  const asked = performance.now();
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: options.signal ?? null,
  });
  const time = Date.parse(answer.headers.get('Date') ?? '');
  /* A shared answer may have lain in a cache, the browser's own too, which does not say so: only what may hardly be
   * kept tells the time. The header has whole seconds: half of one is added. */
  const is_fresh = /no-store|max-age=[01]\b/.test(answer.headers.get('Cache-Control') ?? '') && !answer.headers.has('Age');
  if (time > 0 && is_fresh) clock_set(time + 500, asked - 500, performance.now() + 500);
  return answer;
}

/* The answer, whose status is below 400; or throws ApiProblem, or what `signal` was aborted with. */
export async function call(method: string, path: string, body?: unknown, options: Options = {}): Promise<Response> {
  const fixed: Options = method === 'POST' ? { ...options, key: options.key ?? fresh_key() } : options;
  const attempts = options.attempts ?? ATTEMPTS;
  for (let attempt = 0; ; attempt++) {
    let problem = OFFLINE;
    try {
      const answer = await ask(method, path, body, fixed);
      connection_told(true);
      if (answer.status < 400) return answer;
      problem = await problem_of(answer);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      connection_told(false);
    }
    const again = problem.status === 0 || problem.status === 429 || problem.status === 503 || problem.code === 'idempotency_in_progress';
    if (!again || attempt + 1 >= attempts) throw new ApiProblem(problem);
    await pause(Math.max((problem.retry_after_seconds ?? 0) * 1000 * (1 + Math.random() * 0.2), jitter_ms(attempt)), options.signal);
  }
}

export async function get<T>(path: string, options?: Options): Promise<T> {
  return (await call('GET', path, undefined, options)).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown, options?: Options): Promise<T> {
  return (await call('POST', path, body, options)).json() as Promise<T>;
}

/* Anything thrown, as a Problem. */
export function problem_from(error: unknown): Problem {
  if (error instanceof ApiProblem) return error.problem;
  return { status: 0, code: 'unexpected', detail: error instanceof Error ? error.message : String(error) };
}
