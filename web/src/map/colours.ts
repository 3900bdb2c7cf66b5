/* The map's colours in both themes: the plan's own, moved only as far as they must be to be seen (WCAG 2.2, 1.4.11). */

export type Rgb = readonly [number, number, number];

export interface Theme {
  dark: boolean;
  ground: Rgb; /* around the venue */
  floor: Rgb; /* a section whose seats are drawn */
  empty: Rgb; /* a section in which nothing is left */
  ink: Rgb;
  soft: Rgb;
  line: Rgb;
  taken: Rgb;
  accent: string;
  accent_ink: string;
  bad: string;
  font: string;
  calm: boolean; /* less motion is asked for */
}

export function rgb_read(color: string): Rgb {
  const hex = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color.trim());
  if (hex) return [parseInt(hex[1]!, 16), parseInt(hex[2]!, 16), parseInt(hex[3]!, 16)];
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(color.trim());
  if (short) return [parseInt(short[1]!, 16) * 17, parseInt(short[2]!, 16) * 17, parseInt(short[3]!, 16) * 17];
  const parts = color.match(/[\d.]+/g);
  return parts && parts.length >= 3 ? [Number(parts[0]), Number(parts[1]), Number(parts[2])] : [136, 136, 136];
}

export const mix = (one: Rgb, other: Rgb, share: number): Rgb => [
  one[0] + (other[0] - one[0]) * share,
  one[1] + (other[1] - one[1]) * share,
  one[2] + (other[2] - one[2]) * share,
];

export const css = (color: Rgb, opacity = 1): string => `rgba(${color.map(Math.round).join(',')},${opacity})`;

export function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => (part <= 10.3 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const BLACK: Rgb = [16, 14, 20];
const WHITE: Rgb = [255, 255, 255];

/* Black or white, whichever is read better on it. */
export const ink_on = (color: Rgb): Rgb => (contrast(color, WHITE) >= contrast(color, BLACK) ? WHITE : BLACK);

/* The colour, moved towards `away` until it stands out from `ground`. */
export function standing_out(color: Rgb, ground: Rgb, away: Rgb, least: number): Rgb {
  for (let share = 0; share < 1; share += 0.05) {
    const moved = mix(color, away, share);
    if (contrast(moved, ground) >= least) return moved;
  }
  return away;
}

export interface PriceColours {
  fill: Rgb; /* a free seat */
  edge: Rgb; /* its rim: seen on the floor whatever the fill is */
  ink: string; /* its number */
}

export function price_colours(color: string, theme: Theme): PriceColours {
  const wanted = rgb_read(color);
  /* At night full yellow and sky blue glare, and dark blue drowns. */
  const calm = theme.dark ? mix(wanted, theme.floor, luminance(wanted) > 0.4 ? 0.2 : 0) : wanted;
  const fill = standing_out(calm, theme.floor, theme.dark ? WHITE : BLACK, theme.dark ? 3 : 1.25);
  return { fill, edge: standing_out(fill, theme.floor, theme.ink, 3), ink: css(ink_on(fill)) };
}

/* A section: the more is left, the more colour. */
export function place_fill(fill: Rgb, theme: Theme, left_share: number): Rgb {
  return left_share <= 0 ? theme.empty : mix(theme.empty, fill, 0.28 + 0.6 * left_share);
}

export function theme_read(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string, fallback: string) => style.getPropertyValue(name).trim() || fallback;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const ink = rgb_read(value('--ink', '#17151c'));
  const ground = rgb_read(value('--sunken', '#f1efea'));
  return {
    dark,
    ground,
    floor: rgb_read(value('--surface', '#ffffff')),
    empty: mix(ground, ink, dark ? 0.11 : 0.07),
    ink,
    soft: rgb_read(value('--ink-soft', '#5b5763')),
    line: rgb_read(value('--line', '#dedad2')),
    taken: mix(rgb_read(value('--surface', '#ffffff')), ink, dark ? 0.3 : 0.24),
    accent: value('--accent', '#3d2fd0'),
    accent_ink: value('--accent-ink', '#fff'),
    bad: value('--bad', '#b3261e'),
    font: value('--font', 'sans-serif'),
    calm: matchMedia('(prefers-reduced-motion: reduce)').matches,
  };
}
