import { expect, it, vi } from 'vitest';

type Rgb = [number, number, number];

async function accents(theme: 'light' | 'dark') {
  vi.resetModules();
  vi.spyOn(window, 'matchMedia').mockReturnValue({ matches: theme === 'dark', addEventListener: () => undefined } as unknown as MediaQueryList);
  return import('../src/design/accent');
}

function numbers(color: string): Rgb {
  if (color === '#fff') return [255, 255, 255];
  if (color === '#000') return [0, 0, 0];
  return (color.match(/\d+/g) ?? []).map(Number) as Rgb;
}

const colors = ['#000000', '#ffffff', '#ffff00', '#facc15', '#808080', '#ff0000', '#111827', '#00ff00', '#3d2fd0'];
const papers: Record<string, Rgb> = { light: [250, 249, 246], dark: [28, 26, 34] };

it.each(['light', 'dark'] as const)('any_colour_can_be_read_in_the_%s_theme', async (theme) => {
  /* Red when a colour is used as it is: yellow on white, black on black. */
  const { accent_style, contrast } = await accents(theme);
  const paper = papers[theme] as Rgb;
  for (const color of colors) {
    const style = accent_style(color);
    const fill = numbers(style['--accent'] ?? '');
    expect(contrast(numbers(style['--accent-text'] ?? ''), paper), color).toBeGreaterThanOrEqual(4.5);
    expect(contrast(numbers(style['--accent-ink'] ?? ''), fill), color).toBeGreaterThanOrEqual(4.5);
    expect(contrast(fill, paper), color).toBeGreaterThan(1.2);
  }
});

it('is_measured_as_wcag_does', async () => {
  /* Red when the luminance's weights or its curve are off. */
  const { contrast } = await accents('light');
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 5);
  expect(contrast([119, 119, 119], [255, 255, 255])).toBeCloseTo(4.48, 2);
});

it('leaves_our_own_colour_where_a_show_has_none_that_can_be_read', async () => {
  /* Red when whatever an operator wrote becomes a style. */
  const { accent_style } = await accents('light');
  for (const color of [null, 'red', '#fff', 'url(x)']) expect(accent_style(color)).toEqual({});
});

it('draws_a_colour_by_the_shows_id_unless_it_sets_one', async () => {
  /* Red when the id's draw goes before the operator's. */
  const { accent_of } = await accents('light');
  expect(accent_of('a', '#123456')).toBe('#123456');
  expect(accent_of('a', null)).toBe(accent_of('a', undefined));
  expect(new Set(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => accent_of(id, null))).size).toBeGreaterThan(1);
});
