/* The fan's language, and how it writes numbers, money and times: English and German so far; what they set on this
 * device, else what their browser asks for. */
import { device_set, device_setting } from './device';

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

const named: Record<Language, string> = { en: 'English', de: 'Deutsch' };

function chosen(): Language {
  const wanted = [device_setting('language'), ...navigator.languages];
  for (const tag of wanted) {
    const found = languages.find((language) => tag?.toLowerCase().startsWith(language));
    if (found) return found;
  }
  return 'en';
}

export const language: Language = chosen();
document.documentElement.lang = language;

/* The browser's own variant of it where it asks for one ("en-GB"), for dates and numbers. */
export const locale = navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

export function language_name(of: Language): string {
  return named[of];
}

/* The page is loaded again, in that language. */
export function language_choose(to: Language): void {
  device_set('language', to);
  location.reload();
}

/* A text may have one form a plural category of Intl; `{name}` is filled in. */
export type Text = string | { one: string; other: string };
export type Values = Record<string, string | number>;

const plurals = new Intl.PluralRules(locale);
const integers = new Intl.NumberFormat(locale);

export function write_number(value: number): string {
  return integers.format(value);
}

/* `{count}` decides the plural, and is written as the language writes numbers, like every other number. */
export function fill(text: Text, values: Values = {}): string {
  const form = typeof text === 'string' ? text : plurals.select(Number(values.count ?? 0)) === 'one' ? text.one : text.other;
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === 'number' ? write_number(value) : value;
  });
}
