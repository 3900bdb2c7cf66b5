import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { explain, faults } from '../src/shop/problems';
import { de } from '../src/strings/de';
import { en } from '../src/strings/en';

const source = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../src/api/problems.def'), 'utf8');
const codes = [...source.matchAll(/^PROBLEM\(\w+, "(\w+)", (\d+)\)/gm)].map(([, code]) => code ?? '');
const problem = (code: string, more: object = {}) => ({ status: 400, code, detail: '', ...more });
const general = explain(problem('a_code_of_tomorrow'));

describe('explain', () => {
  it('has_words_for_every_code_that_a_fan_can_meet', () => {
    /* Red when a code of problems.def is neither in help_of nor in faults. */
    expect(codes.length).toBeGreaterThan(40);
    for (const code of codes) {
      const told = explain(problem(code)).title;
      if (faults.includes(code)) expect(told, code).toBe(general.title);
      else expect(told, code).not.toBe(general.title);
    }
    expect(faults.filter((code) => !codes.includes(code))).toEqual([]);
  });

  it('leaves_no_gap_in_a_text_in_either_language', () => {
    /* Red when a language's text names a value that the other one does not: it would stand there as {name}. */
    const values = (text: unknown) => new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? []);
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(values(de[key]), key).toEqual(values(en[key]));
    for (const code of codes) expect(JSON.stringify(explain(problem(code))), code).not.toMatch(/\{\w+\}/);
  });

  it('says_after_a_declined_card_what_became_of_the_seats', () => {
    /* Red when attempts_left is not looked at: the seats are told to be held when they are free. */
    const held = explain(problem('payment_declined', { decline_code: 'expired_card', attempts_left: 2 }));
    expect(held.title).toBe(en.declined_expired_card);
    expect(held.text).toContain('2 more cards');
    expect(held.action?.help).toBe('other_card');
    const released = explain(problem('payment_declined', { decline_code: 'stolen_card', attempts_left: 0 }));
    expect(released.title).toBe(en.problem_payment_declined);
    expect(released.text).toContain(en.declined_released);
    expect(released.action?.help).toBe('same_seats');
  });

  it('leads_only_where_there_is_an_address', () => {
    /* Red when the help of a problem without a show links to nowhere. */
    expect(explain(problem('pass_expired')).action).toBeUndefined();
    expect(explain(problem('pass_expired'), { show_id: 'S' }).action?.href).toBe('/shows/S/queue');
    expect(explain(problem('show_not_found')).action?.href).toBe('/');
  });

  it('does_not_take_names_of_objects_for_codes', () => {
    /* Red when codes are looked up with `in`: a problem called "constructor" would find words that are none. */
    expect(explain(problem('constructor'))).toEqual(general);
  });
});
