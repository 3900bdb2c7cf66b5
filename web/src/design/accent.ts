/* The show's accent colour, made fit to be read: on it, black or white, whichever stands out more; and as text on the
 * paper of either theme it is moved towards the ink until it has 4.5:1 (WCAG 2.2, 1.4.3, with its relative luminance). */

type Rgb = [number, number, number];

const LIGHT_PAPER: Rgb = [250, 249, 246];
const DARK_PAPER: Rgb = [28, 26, 34]; /* the dark theme's lighter surface: text stands on it, too */
const dark = window.matchMedia('(prefers-color-scheme: dark)');
let wanted: string | null = null;

function read(color: string): Rgb | null {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  return parts ? [parseInt(parts[1] ?? '', 16), parseInt(parts[2] ?? '', 16), parseInt(parts[3] ?? '', 16)] : null;
}

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => (part <= 10.3 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4)) as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [dimmer, brighter] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (brighter + 0.05) / (dimmer + 0.05);
}

function readable(color: Rgb, paper: Rgb, ink: Rgb): Rgb {
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = color.map((part, i) => Math.round(part * (1 - share) + (ink[i] ?? 0) * share)) as Rgb;
    if (contrast(mixed, paper) >= 4.6) return mixed;
  }
  return ink;
}

const css = (color: Rgb) => `rgb(${color.join(' ')})`;

/* What a colour gives, as custom properties: of a part of a page, too (a show's card in a list). */
export function accent_style(wanted_color: string | null | undefined): Record<string, string> {
  const color = wanted_color ? read(wanted_color) : null;
  if (!color) return {};
  const [paper, ink]: [Rgb, Rgb] = dark.matches ? [DARK_PAPER, [255, 255, 255]] : [LIGHT_PAPER, [0, 0, 0]];
  return {
    '--accent': css(color),
    '--accent-ink': contrast(color, [255, 255, 255]) >= contrast(color, [0, 0, 0]) ? '#fff' : '#000',
    '--accent-text': css(readable(color, paper, ink)),
  };
}

function apply(): void {
  const style = document.documentElement.style;
  for (const name of ['--accent', '--accent-ink', '--accent-text']) style.removeProperty(name);
  for (const [name, value] of Object.entries(accent_style(wanted))) style.setProperty(name, value);
}

dark.addEventListener('change', apply);

/* The whole page's: `#rrggbb`, or null for our own. */
export function accent_set(color: string | null): void {
  wanted = color;
  apply();
}
