/* The accent colour of a show, made fit to be seen: as a fill it stands out from the paper; on it, black or white,
 * whichever stands out more; as text on the paper of either theme it is moved towards the ink until it has 4.5:1 (WCAG
 * 2.2, 1.4.3, with its relative luminance). */

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

/* The colour, or what is nearest to it on the way to the ink and has that contrast to the paper. */
function apart(color: Rgb, paper: Rgb, ink: Rgb, least: number): Rgb {
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = color.map((part, i) => Math.round(part * (1 - share) + (ink[i] ?? 0) * share)) as Rgb;
    if (contrast(mixed, paper) >= least) return mixed;
  }
  return ink;
}

const css = (color: Rgb) => `rgb(${color.join(' ')})`;

/* Deep and calm; each holds white text. A show that sets no colour has the one that its id draws. */
const drawn = ['#3d2fd0', '#0f5f4c', '#9a3412', '#6b21a8', '#0c4a75', '#8a1c4a'];

export function accent_of(show_id: string, accent_color: string | null | undefined): string {
  let sum = 0;
  for (let i = 0; i < show_id.length; i++) sum = (sum * 31 + show_id.charCodeAt(i)) >>> 0;
  return accent_color ?? drawn[sum % drawn.length] ?? '#3d2fd0';
}

/* What a colour gives, as custom properties: of a part of a page, too (a show's card in a list). */
export function accent_style(wanted_color: string | null | undefined): Record<string, string> {
  const color = wanted_color ? read(wanted_color) : null;
  if (!color) return {};
  const [paper, ink]: [Rgb, Rgb] = dark.matches ? [DARK_PAPER, [255, 255, 255]] : [LIGHT_PAPER, [0, 0, 0]];
  /* A black button on black, or a white one on white, would be none. */
  const fill = apart(color, paper, ink, dark.matches ? 2.2 : 1.25);
  return {
    '--accent': css(fill),
    '--accent-ink': contrast(fill, [255, 255, 255]) >= contrast(fill, [0, 0, 0]) ? '#fff' : '#000',
    '--accent-text': css(apart(color, paper, ink, 4.6)),
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
