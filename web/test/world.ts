/* A shop that answers as a test says, in the order of what is asked: a fake of the network alone. */
import { vi } from 'vitest';

export interface Asked {
  method: string;
  path: string;
  key: string | null;
  body: unknown;
}

export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | 'lost';

export const asked: Asked[] = [];

/* Answers are given in this order; what is asked beyond them is a mistake of the test. */
export function shop_answers(...answers: Answer[]): void {
  asked.length = 0;
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    asked.push({
      method: init.method ?? 'GET',
      path,
      key: headers.get('Idempotency-Key'),
      body: typeof init.body === 'string' ? JSON.parse(init.body) : null,
    });
    const answer = answers.shift();
    if (!answer) throw new Error(`nobody answers ${init.method} ${path}`);
    if (answer === 'lost') throw new TypeError('the connection was lost');
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), { status: answer.status, headers: answer.headers ?? {} });
  });
}

/* Waits between attempts take no time. */
export function time_is_short(): void {
  const set = globalThis.setTimeout;
  vi.stubGlobal('setTimeout', (work: () => void) => set(work, 0));
}
