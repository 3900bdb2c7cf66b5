/* English: the language that the others are held against. */
import type { Text } from '../base/language';

export const en = {
  skip: 'Skip to the page',
  nav_tickets: 'My tickets',
  shows_title: 'On sale',
  shows_none: 'No shows yet. Come back soon.',
  not_found_title: 'Nothing here',
  not_found_text: 'This page does not exist, or does no longer.',
  back_to_shows: 'All shows',
} satisfies Record<string, Text>;

export type Key = keyof typeof en;
