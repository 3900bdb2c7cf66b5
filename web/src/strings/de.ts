/* German. */
import type { Text } from '../base/language';
import type { Key } from './en';

export const de: Record<Key, Text> = {
  skip: 'Zum Inhalt',
  nav_tickets: 'Meine Tickets',
  shows_title: 'Im Verkauf',
  shows_none: 'Noch keine Veranstaltungen. Schau bald wieder vorbei.',
  not_found_title: 'Hier ist nichts',
  not_found_text: 'Diese Seite gibt es nicht oder nicht mehr.',
  back_to_shows: 'Alle Veranstaltungen',
};
