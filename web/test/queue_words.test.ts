// @vitest-environment node
/* The waiting room's texts, and what it shares with the shop by name alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import german from '../src/queue/words.de.json';
import english from '../src/queue/words.en.json';

/* Names of all texts, and how many gaps each has. */
function shape(value: unknown): unknown {
  if (typeof value === 'string') return value.split('{}').length - 1;
  if (Array.isArray(value)) return value.map((text) => shape(text));
  return Object.fromEntries(Object.entries(value as object).map(([name, text]) => [name, shape(text)]));
}

test('both languages have the same texts, with the same gaps', () => {
  // red when: a text is added or changed in one language alone
  expect(shape(german)).toEqual(shape(english));
});

test('every state of a sale has its words', () => {
  // red when: a status of the API has no text, and the page would say nothing
  for (const status of ['SCHEDULED', 'PRE_QUEUE', 'ON_SALE', 'PAUSED', 'SOLD_OUT', 'CLOSED']) expect(english).toHaveProperty(status);
});

test('this device\'s memory has the shop\'s names and forms', async () => {
  // red when: the shop does not find place, pass or fan where the waiting room kept them
  const kept: Record<string, string> = {};
  const storage = new Proxy(kept, {
    get: (all, name: string) => (name === 'getItem' ? (key: string) => all[key] ?? null : name === 'setItem' ? (key: string, value: string) => void (all[key] = value) : all[name]),
  });
  Object.assign(globalThis, { localStorage: storage, window: { localStorage: storage, addEventListener: () => {} } });
  const memory = await import('../src/queue/memory');
  const device = await import('../src/base/device');
  const user = memory.user();
  expect(device.device_user()).toBe(user);
  memory.keep('show.some-id', { queue_ticket: 'q1.x', position: 7, pass: 'p', pass_ends_ms: 5 });
  expect(device.device_show('some-id')).toEqual({ queue_ticket: 'q1.x', position: 7, pass: 'p', pass_ends_ms: 5 });
  device.device_remember('some-id', { pass: undefined });
  expect(memory.recall('show.some-id')).toEqual({ queue_ticket: 'q1.x', position: 7, pass_ends_ms: 5 });
  device.device_set('language', 'de');
  expect(memory.recall('language')).toBe('de');
});

test('the page has a place for every text of its own', () => {
  // red when: an id is renamed in queue.html or in the texts alone: the page would stop there
  const html = readFileSync(join(__dirname, '../queue.html'), 'utf8');
  for (const id of Object.keys(english.page)) expect(html).toContain(`id="${id}"`);
  const script = readFileSync(join(__dirname, '../src/queue/main.ts'), 'utf8');
  for (const [, id] of script.matchAll(/(?:element|write)\('(\w+)'/g)) expect(html).toContain(`id="${id}"`);
});
