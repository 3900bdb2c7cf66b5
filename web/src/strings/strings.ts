/* The shop's texts in the fan's language: say('key', {count: 3}). All texts stand in en.ts and de.ts. */
import { fill, language, type Values } from '../base/language';
import { de } from './de';
import { en, type Key } from './en';

const texts = { en, de }[language];

export function say(key: Key, values?: Values): string {
  return fill(texts[key], values);
}
