/* The shop's texts in the fan's language: say('key', {count: 3}). All texts stand in en.ts and de.ts. English comes with
 * the program; another language is fetched before anything is shown, and where it cannot be had it is English. */
import { fill, language, type Text, type Values } from '../base/language';
import { en, type Key } from './en';

let texts: Record<Key, Text> = en;

export async function strings_load(): Promise<void> {
  if (language === 'de') texts = (await import('./de')).de;
}

export function say(key: Key, values?: Values): string {
  return fill(texts[key], values);
}
