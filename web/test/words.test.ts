import { beforeEach, describe, expect, it, vi } from 'vitest';
import { calendar_write } from '../src/shop/calendar';

/* The language is chosen when the page is loaded. */
async function words_of(...tags: string[]) {
  vi.resetModules();
  vi.spyOn(navigator, 'languages', 'get').mockReturnValue(tags);
  const [language, write, words] = await Promise.all([import('../src/base/language'), import('../src/base/write'), import('../src/shop/words')]);
  await (await import('../src/strings/strings')).strings_load();
  return { ...language, ...write, ...words };
}

/* Intl parts words and numbers by spaces that do not break. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

beforeEach(() => localStorage.clear());

describe('a language', () => {
  it('is_what_the_fan_set_or_else_what_the_browser_asks_for', async () => {
    /* Red when the browser goes before the fan, or an unknown language leaves none. */
    expect((await words_of('de-AT', 'en')).language).toBe('de');
    expect((await words_of('fr', 'de')).language).toBe('de');
    expect((await words_of('ja')).language).toBe('en');
    localStorage.setItem('onsale.language', '"en"');
    expect((await words_of('de')).language).toBe('en');
  });

  it('has_its_own_plural_and_numbers', async () => {
    /* Red when a number is written as it is: 2000 would have no separator. */
    const { fill } = await words_of('en-GB');
    const text = { one: 'one seat', other: '{count} seats' };
    expect([0, 1, 2000].map((count) => fill(text, { count }))).toEqual(['0 seats', 'one seat', '2,000 seats']);
    expect((await words_of('de')).fill(text, { count: 2000 })).toBe('2.000 seats');
  });

  it('leaves_a_gap_for_a_value_that_is_not_given_and_fills_in_no_other', async () => {
    /* Red when what is filled in is read for gaps again: a show called "{count}" would be changed. */
    const { fill } = await words_of('en');
    expect(fill('{a} and {b}', { a: '{b}' })).toBe('{b} and {b}');
  });
});

describe('what is written', () => {
  it('is_money_of_any_currency_without_needless_zeros', async () => {
    /* Red when minor units are always hundredths: yen would cost a hundredth. */
    const { write_money } = await words_of('de-DE');
    expect(plain(write_money(25800, 'EUR'))).toBe('258 €');
    expect(plain(write_money(6450, 'EUR'))).toBe('64,50 €');
    expect(plain(write_money(500, 'JPY'))).toBe('500 ¥');
  });

  it('is_time_that_is_left_and_never_less_than_none', async () => {
    /* Red when a countdown rounds down (0:00 a second early) or goes below nothing. */
    const { write_countdown, write_long_countdown } = await words_of('en');
    expect([545_000, 1, 0, -5000].map(write_countdown)).toEqual(['9:05', '0:01', '0:00', '0:00']);
    expect([3_600_000, 93_784_000, 65_000].map(write_long_countdown)).toEqual(['1:00:00', '26:03:04', '01:05']);
  });

  it('is_a_duration_in_its_largest_whole_unit', async () => {
    /* Red when a day is told as 1,440 minutes. */
    const { say_duration } = await words_of('en');
    expect([86_400, 7200, 600, 90, 5400, 200_000].map(say_duration)).toEqual(['1 day', '2 hours', '10 minutes', '90 seconds', '90 minutes', '56 hours']);
  });

  it('is_a_seats_name_or_its_id_where_the_plan_says_nothing', async () => {
    /* Red when parts that are not there leave their separators. */
    const { say_seat } = await words_of('de');
    expect(say_seat('x1', { section: 'Parkett', row: 'A', number: '5' })).toBe('Parkett · Reihe A · Platz 5');
    expect(say_seat('x1', { section: 'Floor', row: null, number: null })).toBe('Floor');
    expect(say_seat('x1', { section: '', row: null, number: null })).toBe('x1');
    expect(say_seat('x1', null)).toBe('x1');
  });
});

describe('a calendar entry', () => {
  it('keeps_names_text_and_lines_short', () => {
    /* Red when a name can end its line or begin another property, or a line has more than 75 bytes. */
    const title = 'Ärger;\r\nATTENDEE:evil, \\ ' + '🎸'.repeat(40);
    const written = calendar_write({ uid: 'u', starts_ms: Date.UTC(2027, 5, 1, 19, 30), title }, 0);
    expect(written).toContain('DTSTART:20270601T193000Z\r\n');
    expect(written).toContain('SUMMARY:Ärger\\;\\nATTENDEE:evil\\, \\\\ ');
    const lines = written.split('\r\n');
    for (const line of lines) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
    expect(lines.some((line) => line.startsWith('ATTENDEE'))).toBe(false);
    expect(written.replace(/\r\n /g, '')).toContain('🎸'.repeat(40));
  });
});
