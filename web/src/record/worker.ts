/* Fetches and checks a record beside the page, which stays alive meanwhile: {address, ticket} in; a number (the share that
 * is done), a Report or {problem} out. */
import { check_record } from './check';

self.onmessage = async ({ data: { address, ticket } }: MessageEvent<{ address: string; ticket: string | null }>) => {
  try {
    const answer = await fetch(address);
    if (!answer.ok) return self.postMessage({ problem: answer.status });
    const record: unknown = await answer.json();
    self.postMessage(await check_record(record, ticket, (share) => self.postMessage(share)));
  } catch {
    self.postMessage({ problem: 0 });
  }
};
