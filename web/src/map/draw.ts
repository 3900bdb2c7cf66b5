/* The picture: the venue as shapes, and seats as bitmaps that are moved, not drawn, while the map is panned.
 *
 * Far away there are only sections: a few dozen shapes a frame. Where a section's seats are large enough to be told apart
 * they are drawn once into tiles of the present scale, a few a frame, and each frame copies the tiles that are seen. While
 * the scale changes, the last tiles are stretched; when it rests, crisp ones fade in. A seat that changes is mended in its
 * tile. What moves or is few (chosen seats, the focus, seats fading) is drawn over them each frame. */
import { AVAILABLE, BOOKED, HELD, type Changed } from './frames';
import { css, ink_on, mix, place_fill, price_colours, type PriceColours, type Rgb, type Theme } from './colours';
import { meets, visible_box, type Box, type LabelPlace, type View } from './geometry';
import type { Area, Plan, Seats, Section } from './plan';

const TILE = 512; /* device pixels */
const TILES_KEPT = 64;
const SEATS_FROM = 4.6; /* CSS pixels from seat to seat */
const NUMBERS_FROM = 19;
const ROWS_FROM = 12;
const SMALLEST_TEXT = 8;
const BUDGET_MS = 5; /* of a frame, for new tiles */
const APPEARS_MS = 160;
const FADES_MS = 900;
const MOST_FADES = 300;
const ARCS_A_PATH = 240; /* one path of thousands is slow to fill */

export interface Marks {
  only: ReadonlySet<number>; /* prices that are looked at; empty: all */
  selected: ReadonlySet<number>;
  mine: ReadonlySet<number>; /* held for this fan */
  lost: ReadonlySet<number>; /* just taken from the selection */
  focus: Thing | null;
  hover: number; /* a seat, or -1 */
  stage: string;
  from: (section: Section | Area) => string; /* the second line of a label */
}

export type Thing = { kind: 'seat'; index: number } | { kind: 'section'; index: number } | { kind: 'area'; index: number };

interface Tile {
  canvas: HTMLCanvasElement;
  born_ms: number;
}

interface Layer {
  scale: number; /* device pixels a unit of the plan */
  tiles: Map<string, Tile>;
}

export const shows_seats = (section: Section, view: View): boolean => section.pitch * view.scale >= SEATS_FROM;

export class Painter {
  marks: Marks = { only: new Set(), selected: new Set(), mine: new Set(), lost: new Set(), focus: null, hover: -1, stage: '', from: () => '' };
  statuses_known = false;
  middle = ''; /* the section that is named above the map */

  private prices: PriceColours[] = [];
  private layer: Layer | null = null;
  private before: Layer | null = null; /* shown until the new layer covers what is seen */
  private last_scale = 0;
  private ratio = 1;
  private view: View | null = null;
  private readonly fades = new Map<number, { from: number; since_ms: number }>();
  private readonly widths = new Map<string, number>();
  private readonly shapes: Path2D[];
  private readonly area_shapes: (Path2D | null)[];

  constructor(
    private readonly plan: Plan,
    private theme: Theme,
  ) {
    const shape = (outline: readonly (readonly [number, number])[]) => {
      const path = new Path2D();
      outline.forEach(([x, y], i) => (i === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
      path.closePath();
      return path;
    };
    this.shapes = plan.sections.map((section) => shape(section.outline));
    this.area_shapes = plan.areas.map((area) => area.outline && shape(area.outline));
    this.theme_set(theme);
  }

  theme_set(theme: Theme): void {
    this.theme = theme;
    this.prices = this.plan.prices.map((price) => price_colours(price.color, theme));
    this.repaint();
  }

  price(index: number): PriceColours {
    return this.prices[index] ?? { fill: this.theme.soft, edge: this.theme.soft, ink: '#fff' };
  }

  /* All tiles are drawn anew. */
  repaint(): void {
    this.layer = this.before = null;
  }

  /* A section's seats have come, or how full an area is has changed: what lies there is drawn anew. */
  repaint_box(box: Box): void {
    const layer = this.layer;
    if (!layer) return;
    for (const key of layer.tiles.keys()) if (meets(box, this.tile_box(layer, key))) layer.tiles.delete(key);
  }

  /* The statuses have changed already. */
  changed(changed: Changed, now_ms: number): void {
    const view = this.view;
    if (!view) return;
    if (changed.indices.length > 6000) {
      this.repaint();
      return;
    }
    const seen = visible_box(view);
    changed.indices.forEach((index, i) => {
      const section = this.plan.home(index).section;
      const seats = section?.seats_known;
      if (!section || !seats || !shows_seats(section, view)) return;
      this.mend(section, seats, index);
      const [x, y] = [seats.xs[index - section.first]!, seats.ys[index - section.first]!];
      if (!this.theme.calm && this.fades.size < MOST_FADES && x > seen[0] && x < seen[2] && y > seen[1] && y < seen[3])
        this.fades.set(index, { from: changed.before[i]!, since_ms: now_ms });
    });
  }

  /* Draws the frame; true while another one has to follow. */
  frame(context: CanvasRenderingContext2D, view: View, ratio: number, now_ms: number): boolean {
    this.view = view;
    this.ratio = ratio;
    const { theme, plan } = this;
    const scale = view.scale * ratio;
    const seen = visible_box(view, 2 / view.scale);
    const left = Math.round((view.width * ratio) / 2 - view.x * scale);
    const top = Math.round((view.height * ratio) / 2 - view.y * scale);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = css(theme.ground);
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    const detailed = plan.sections.some((section) => section.seats_known && shows_seats(section, view) && meets(section.box, seen));
    let more = false;
    this.shapes_draw(context, scale, left, top, seen, view.scale);
    if (detailed) more = this.tiles_draw(context, view, scale, left, top, now_ms);
    this.last_scale = scale;
    this.stage_draw(context, scale, left, top);
    this.labels_draw(context, view, scale, left, top, seen);
    if (this.fades_draw(context, view, scale, left, top, now_ms)) more = true;
    this.marks_draw(context, view, scale, left, top);
    return more;
  }

  /* ---- shapes ---- */

  private faded(categories: readonly number[]): boolean {
    const { only } = this.marks;
    return only.size > 0 && !categories.some((category) => only.has(category));
  }

  private fill_of(place: Section | Area): Rgb {
    const category = 'category' in place ? place.category : (place.categories[0] ?? 0);
    const total = 'capacity' in place ? place.capacity : place.seats;
    return place_fill(this.price(category).fill, this.theme, this.statuses_known ? place.left / total : 0.7);
  }

  /* Several prices: bands, the dearest nearest to the stage. */
  private bands(context: CanvasRenderingContext2D, section: Section): string | CanvasGradient {
    const looked_at = section.categories.filter((category) => this.marks.only.size === 0 || this.marks.only.has(category));
    if (looked_at.length < 2) {
      const category = looked_at[0] ?? section.categories[0] ?? 0;
      return css(place_fill(this.price(category).fill, this.theme, this.statuses_known ? section.left / section.seats : 0.7));
    }
    const { focus } = this.plan.overview;
    const [dx, dy] = [section.label.x - focus.x, section.label.y - focus.y];
    const length = Math.hypot(dx, dy) || 1;
    const along = section.outline.map(([x, y]) => ((x - section.label.x) * dx + (y - section.label.y) * dy) / length);
    const [near, far] = [Math.min(...along), Math.max(...along)];
    const at = (distance: number) => [section.label.x + (dx / length) * distance, section.label.y + (dy / length) * distance] as const;
    const gradient = context.createLinearGradient(...at(near), ...at(far));
    const dearest = [...looked_at].sort((a, b) => (this.plan.prices[b]?.amount ?? 0) - (this.plan.prices[a]?.amount ?? 0));
    dearest.forEach((category, i) => {
      const color = css(place_fill(this.price(category).fill, this.theme, this.statuses_known ? section.left / section.seats : 0.7));
      gradient.addColorStop(i / dearest.length, color);
      gradient.addColorStop((i + 1) / dearest.length, color);
    });
    return gradient;
  }

  private shapes_draw(context: CanvasRenderingContext2D, scale: number, left: number, top: number, seen: Box, css_scale: number): void {
    const { plan, theme } = this;
    context.setTransform(scale, 0, 0, scale, left, top);
    context.lineJoin = 'round';
    for (const area of plan.areas) {
      const path = this.area_shapes[area.index];
      if (!path || !area.box || !meets(area.box, seen)) continue;
      context.globalAlpha = this.faded([area.category]) ? 0.22 : 1;
      context.fillStyle = css(this.fill_of(area));
      context.fill(path);
      context.globalAlpha = 1;
      context.lineWidth = 1.5 / css_scale;
      context.strokeStyle = css(theme.ground);
      context.stroke(path);
    }
    for (const section of plan.sections) {
      if (!meets(section.box, seen)) continue;
      const path = this.shapes[section.index]!;
      if (shows_seats(section, { scale: css_scale } as View)) {
        /* A thin line, then the floor: as wide as the seats at the rim need. */
        context.globalAlpha = 1;
        context.lineWidth = section.pitch * 1.3 + 2.5 / css_scale;
        context.strokeStyle = css(theme.line);
        context.stroke(path);
        context.lineWidth = section.pitch * 1.3;
        context.fillStyle = context.strokeStyle = css(section.seats_known ? theme.floor : theme.empty);
        context.fill(path);
        context.stroke(path);
        continue;
      }
      context.globalAlpha = this.faded(section.categories) ? 0.22 : 1;
      context.fillStyle = this.bands(context, section);
      context.fill(path);
      context.lineWidth = section.pitch * 0.35;
      context.strokeStyle = context.fillStyle;
      context.globalAlpha = context.globalAlpha < 1 ? 0 : 1;
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }

  private stage_draw(context: CanvasRenderingContext2D, scale: number, left: number, top: number): void {
    const { stage } = this.plan;
    if (!stage) return;
    const [x, y, right, bottom] = stage.box;
    const { theme, ratio } = this;
    const [width, height] = [(right - x) * scale, (bottom - y) * scale];
    context.setTransform(1, 0, 0, 1, left + ((x + right) / 2) * scale, top + ((y + bottom) / 2) * scale);
    context.fillStyle = css(theme.ink);
    context.beginPath();
    const round = Math.min(width, height) * 0.22;
    context.moveTo(-width / 2 + round, -height / 2);
    context.arcTo(width / 2, -height / 2, width / 2, height / 2, round);
    context.arcTo(width / 2, height / 2, -width / 2, height / 2, round);
    context.arcTo(-width / 2, height / 2, -width / 2, -height / 2, round);
    context.arcTo(-width / 2, -height / 2, width / 2, -height / 2, round);
    context.closePath();
    context.fill();
    if (stage.upright) context.rotate(-Math.PI / 2);
    const [long, short] = [Math.max(width, height), Math.min(width, height)];
    const size = Math.min(short * 0.62, 22 * ratio);
    const text_width = this.width_of(context, this.marks.stage, 640) * size;
    const shrunk = Math.min(size, (size * long * 0.86) / text_width);
    if (shrunk < 7 * ratio) return;
    context.fillStyle = css(theme.floor);
    this.write(context, this.marks.stage, 0, 0, shrunk, 640);
  }

  /* ---- words ---- */

  private width_of(context: CanvasRenderingContext2D, text: string, weight: number): number {
    const key = `${weight}${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      if (this.widths.size > 4000) this.widths.clear();
      context.font = `${weight} 100px ${this.theme.font}`;
      width = context.measureText(text).width / 100;
      this.widths.set(key, width);
    }
    return width;
  }

  private write(context: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, weight: number): void {
    context.font = `${weight} ${size}px ${this.theme.font}`;
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    context.fillText(text, x, y + size * 0.36);
  }

  /* Cut to what fits; '' where not even three letters do. */
  private fitted(context: CanvasRenderingContext2D, text: string, size: number, weight: number, room: number): string {
    const width = this.width_of(context, text, weight) * size;
    if (width <= room) return text;
    const letters = [...text];
    const kept = Math.floor((letters.length * room) / width) - 1;
    return kept >= 3 ? `${letters.slice(0, kept).join('').trimEnd()}…` : '';
  }

  private label_draw(context: CanvasRenderingContext2D, view: View, label: LabelPlace, place: Section | Area, scale: number, left: number, top: number): void {
    const { ratio } = this;
    const room = label.room * view.scale;
    const across = Math.max(label.across, label.room * 0.8) * 2 * scale * 0.94;
    let size = Math.max(SMALLEST_TEXT, Math.min(room * 0.58, 17));
    const needed = this.width_of(context, place.name, 650) * size * ratio;
    if (needed > across) size = Math.max(SMALLEST_TEXT, (size * across) / needed);
    if (room < 5) return;
    const name = this.fitted(context, place.name, size * ratio, 650, across);
    if (!name) return;
    const [x, y] = [left + label.x * scale, top + label.y * scale];
    const gone = this.statuses_known && place.left === 0;
    const quiet = this.faded('category' in place ? [place.category] : place.categories);
    context.globalAlpha = quiet ? 0.45 : 1;
    context.fillStyle = gone || quiet ? css(this.theme.soft) : css(ink_on(this.fill_of(place)));
    const second = this.marks.from(place);
    const small = Math.min(size * 0.8, 13);
    const second_width = this.width_of(context, second, 480) * small * ratio;
    const both = small >= 9.5 && room > (size + small) * 0.95 && second_width <= across;
    this.write(context, name, x, y - (both ? small * 0.62 * ratio : 0), size * ratio, 650);
    if (both) this.write(context, second, x, y + size * 0.62 * ratio, small * ratio, 480);
    context.globalAlpha = 1;
  }

  private labels_draw(context: CanvasRenderingContext2D, view: View, scale: number, left: number, top: number, seen: Box): void {
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const area of this.plan.areas) if (area.label && area.box && meets(area.box, seen)) this.label_draw(context, view, area.label, area, scale, left, top);
    for (const section of this.plan.sections) {
      if (!meets(section.box, seen)) continue;
      if (!shows_seats(section, view)) this.label_draw(context, view, section.label, section, scale, left, top);
      else if (section.pitch * view.scale < ROWS_FROM && section.name && section.name !== this.middle) this.pill_draw(context, section, scale, left, top);
    }
  }

  /* A section's name over its seats, while they are small; not where it does not fit: cut short it tells nothing, and it
   * would hide the seats. */
  private pill_draw(context: CanvasRenderingContext2D, section: Section, scale: number, left: number, top: number): void {
    const { theme, ratio } = this;
    const size = 13 * ratio;
    const { name } = section;
    const width = this.width_of(context, name, 650) * size + 14 * ratio;
    if (width > section.label.across * 2 * scale) return;
    const [x, y] = [left + section.label.x * scale, top + section.label.y * scale];
    context.fillStyle = css(theme.floor, 0.9);
    context.beginPath();
    context.arc(x - width / 2 + 11 * ratio, y, 11 * ratio, Math.PI / 2, -Math.PI / 2);
    context.arc(x + width / 2 - 11 * ratio, y, 11 * ratio, -Math.PI / 2, Math.PI / 2);
    context.closePath();
    context.fill();
    context.fillStyle = css(theme.ink);
    this.write(context, name, x, y, size, 650);
  }

  /* ---- tiles ---- */

  private tile_box(layer: Layer, key: string): Box {
    const [column, row] = key.split(',').map(Number) as [number, number];
    const size = TILE / layer.scale;
    return [column * size, row * size, (column + 1) * size, (row + 1) * size];
  }

  private tiles_draw(context: CanvasRenderingContext2D, view: View, scale: number, left: number, top: number, now_ms: number): boolean {
    context.setTransform(1, 0, 0, 1, 0, 0);
    const resting = Math.abs(scale / this.last_scale - 1) < 1e-9;
    const far = !this.layer || scale / this.layer.scale > 2.2 || scale / this.layer.scale < 0.5;
    if (!this.layer || (this.layer.scale !== scale && (resting || far))) {
      if (this.layer && this.layer.tiles.size > 0) this.before = this.layer;
      this.layer = { scale, tiles: new Map() };
    }
    if (this.layer.scale !== scale) {
      /* The scale is under way. */
      if (this.before) this.stretch(context, this.before, view, scale, left, top);
      this.stretch(context, this.layer, view, scale, left, top);
      return true;
    }
    if (this.before) this.stretch(context, this.before, view, scale, left, top);
    const [width, height] = [context.canvas.width, context.canvas.height];
    const [first_column, first_row] = [Math.floor(-left / TILE), Math.floor(-top / TILE)];
    const [last_column, last_row] = [Math.floor((width - left) / TILE), Math.floor((height - top) / TILE)];
    const begun = performance.now();
    let more = false;
    let covered = true;
    /* From the middle outwards, and a ring more than is seen, when there is time. */
    for (const [column, row, is_seen] of spiral(first_column, last_column, first_row, last_row)) {
      const key = `${column},${row}`;
      let tile = this.layer.tiles.get(key);
      if (!tile) {
        if (performance.now() - begun > (is_seen ? BUDGET_MS : BUDGET_MS / 3)) {
          more = true;
          if (is_seen) covered = false;
          continue;
        }
        tile = this.tile_make(this.layer, key, now_ms, is_seen);
      }
      if (!is_seen) continue;
      const age = this.theme.calm ? 1 : Math.min(1, Math.max(0, (now_ms - tile.born_ms) / APPEARS_MS));
      if (age < 1) {
        more = true;
        covered = false;
        context.globalAlpha = age;
      }
      context.drawImage(tile.canvas, left + column * TILE, top + row * TILE);
      context.globalAlpha = 1;
    }
    if (covered) this.before = null;
    if (this.layer.tiles.size > TILES_KEPT) this.forget(first_column, last_column, first_row, last_row);
    return more;
  }

  private forget(first_column: number, last_column: number, first_row: number, last_row: number): void {
    for (const key of this.layer?.tiles.keys() ?? []) {
      const [column, row] = key.split(',').map(Number) as [number, number];
      if (column < first_column - 1 || column > last_column + 1 || row < first_row - 1 || row > last_row + 1) this.layer?.tiles.delete(key);
    }
  }

  private stretch(context: CanvasRenderingContext2D, layer: Layer, view: View, scale: number, left: number, top: number): void {
    const share = scale / layer.scale;
    const seen = visible_box(view);
    for (const [key, tile] of layer.tiles) {
      if (!meets(this.tile_box(layer, key), seen)) continue;
      const [column, row] = key.split(',').map(Number) as [number, number];
      context.drawImage(tile.canvas, left + column * TILE * share, top + row * TILE * share, TILE * share + 0.5, TILE * share + 0.5);
    }
  }

  private tile_make(layer: Layer, key: string, now_ms: number, is_seen: boolean): Tile {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = TILE;
    const context = canvas.getContext('2d', { alpha: false })!;
    const [column, row] = key.split(',').map(Number) as [number, number];
    const box = this.tile_box(layer, key);
    const css_scale = layer.scale / this.ratio;
    context.fillStyle = css(this.theme.ground);
    context.fillRect(0, 0, TILE, TILE);
    const [left, top] = [-column * TILE, -row * TILE];
    this.shapes_draw(context, layer.scale, left, top, [box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2], css_scale);
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const section of this.plan.sections) {
      const seats = section.seats_known;
      const margin = section.pitch * 1.5;
      const wide: Box = [box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin];
      if (!seats || section.pitch * css_scale < SEATS_FROM || !meets(section.box, wide)) continue;
      const seen: number[] = [];
      seats.grid.each(wide, (at) => seen.push(at));
      this.seats_draw(context, section, seats, seen, layer.scale, left, top);
      if (section.pitch * css_scale >= ROWS_FROM) this.rows_draw(context, section, seats, layer.scale, left, top, wide);
    }
    const tile = { canvas, born_ms: is_seen ? now_ms : -Infinity };
    layer.tiles.set(key, tile);
    return tile;
  }

  /* ---- seats ---- */

  private seats_draw(context: CanvasRenderingContext2D, section: Section, seats: Seats, list: readonly number[], scale: number, left: number, top: number): void {
    const groups = new Map<number, number[]>();
    for (const at of list) {
      const status = this.plan.statuses[section.first + at]!;
      const style = status === AVAILABLE ? 4 + seats.categories[at]! : status;
      const group = groups.get(style);
      if (group) group.push(at);
      else groups.set(style, [at]);
    }
    for (const [style, group] of groups) this.style_draw(context, section, seats, group, style, scale, left, top);
  }

  private style_draw(context: CanvasRenderingContext2D, section: Section, seats: Seats, group: readonly number[], style: number, scale: number, left: number, top: number): void {
    const { theme, ratio } = this;
    const radius = section.pitch * scale * 0.4;
    const circles = (size: number, paint: () => void) => {
      for (let from = 0; from < group.length; from += ARCS_A_PATH) {
        context.beginPath();
        for (let i = from; i < Math.min(group.length, from + ARCS_A_PATH); i++) {
          const [x, y] = [left + seats.xs[group[i]!]! * scale, top + seats.ys[group[i]!]! * scale];
          context.moveTo(x + size, y);
          context.arc(x, y, size, 0, Math.PI * 2);
        }
        paint();
      }
    };
    if (style === BOOKED) {
      context.fillStyle = css(theme.taken);
      circles(Math.max(radius * 0.34, 0.8 * ratio), () => context.fill());
      return;
    }
    if (style === HELD) {
      context.strokeStyle = css(mix(theme.soft, theme.floor, 0.25));
      context.lineWidth = Math.max(ratio, radius * 0.14);
      circles(radius * 0.72, () => context.stroke());
      if (radius < 5 * ratio) return;
      context.beginPath();
      for (const at of group) {
        const [x, y] = [left + seats.xs[at]! * scale, top + seats.ys[at]! * scale];
        context.moveTo(x - radius * 0.5, y + radius * 0.5);
        context.lineTo(x + radius * 0.5, y - radius * 0.5);
      }
      context.stroke();
      return;
    }
    const category = style - 4;
    const colours = this.price(category);
    const quiet = this.faded([category]);
    context.globalAlpha = quiet ? 0.16 : 1;
    if (radius >= 3.5 * ratio && !quiet) {
      context.fillStyle = css(colours.edge);
      circles(radius, () => context.fill());
      context.fillStyle = css(colours.fill);
      circles(radius - Math.max(0.75 * ratio, radius * 0.09), () => context.fill());
    } else {
      context.fillStyle = css(colours.fill);
      circles(radius, () => context.fill());
    }
    if (section.pitch * scale >= NUMBERS_FROM * ratio && !quiet) {
      context.fillStyle = colours.ink;
      const size = radius * 0.92;
      context.font = `600 ${size}px ${theme.font}`;
      context.textAlign = 'center';
      context.textBaseline = 'alphabetic';
      for (const at of group) {
        const number = seats.numbers[at]!;
        if (number.length <= 3) context.fillText(number, left + seats.xs[at]! * scale, top + seats.ys[at]! * scale + size * 0.36);
      }
    }
    context.globalAlpha = 1;
  }

  /* A row's label before its first and behind its last seat. */
  private rows_draw(context: CanvasRenderingContext2D, section: Section, seats: Seats, scale: number, left: number, top: number, box: Box): void {
    const size = Math.min(section.pitch * scale * 0.52, 13 * this.ratio);
    context.fillStyle = css(this.theme.soft);
    for (const row of seats.rows) {
      if (!row.label || row.label.length > 4) continue;
      for (const [end, inner] of [
        [0, Math.min(1, row.seats - 1)],
        [row.seats - 1, Math.max(0, row.seats - 2)],
      ] as const) {
        const at = row.first - section.first + end;
        const [x, y] = [seats.xs[at]!, seats.ys[at]!];
        if (x < box[0] || x > box[2] || y < box[1] || y > box[3]) continue;
        const beside = row.first - section.first + inner;
        const [dx, dy] = end === inner ? [end === 0 ? -1 : 1, 0] : [x - seats.xs[beside]!, y - seats.ys[beside]!];
        const length = Math.hypot(dx, dy) || 1;
        const reach = section.pitch * 0.92;
        this.write(context, row.label, left + (x + (dx / length) * reach) * scale, top + (y + (dy / length) * reach) * scale, size, 550);
      }
    }
  }

  /* One seat, anew in its tiles. */
  private mend(section: Section, seats: Seats, index: number): void {
    const layer = this.layer;
    if (!layer) return;
    const at = index - section.first;
    const [x, y] = [seats.xs[at]! * layer.scale, seats.ys[at]! * layer.scale];
    const reach = section.pitch * layer.scale * 0.43;
    for (let column = Math.floor((x - reach) / TILE); column <= Math.floor((x + reach) / TILE); column++)
      for (let row = Math.floor((y - reach) / TILE); row <= Math.floor((y + reach) / TILE); row++) {
        const context = layer.tiles.get(`${column},${row}`)?.canvas.getContext('2d');
        if (!context) continue;
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.fillStyle = css(this.theme.floor);
        context.beginPath();
        context.arc(x - column * TILE, y - row * TILE, reach, 0, Math.PI * 2);
        context.fill();
        this.seats_draw(context, section, seats, [at], layer.scale, -column * TILE, -row * TILE);
      }
  }

  /* ---- what is few ---- */

  /* A seat's place on the canvas and its radius there; null where it is not known. */
  private spot(index: number, view: View, scale: number, left: number, top: number): { x: number; y: number; radius: number; number: string; large: boolean; small: boolean } | null {
    const section = this.plan.home(index).section;
    const seats = section?.seats_known;
    if (!section || !seats) return null;
    const at = index - section.first;
    const radius = Math.max(section.pitch * scale * 0.4, 4.5 * this.ratio);
    return { x: left + seats.xs[at]! * scale, y: top + seats.ys[at]! * scale, radius, number: seats.numbers[at]!, large: section.pitch * view.scale >= NUMBERS_FROM, small: !shows_seats(section, view) };
  }

  private fades_draw(context: CanvasRenderingContext2D, view: View, scale: number, left: number, top: number, now_ms: number): boolean {
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const [index, fade] of this.fades) {
      const share = Math.max(0, (now_ms - fade.since_ms) / FADES_MS);
      const section = this.plan.home(index).section;
      const seats = section?.seats_known;
      if (share >= 1 || !section || !seats || !shows_seats(section, view) || this.marks.mine.has(index)) {
        this.fades.delete(index);
        continue;
      }
      if (fade.from !== AVAILABLE) continue;
      /* What was free lets go slowly. */
      const at = index - section.first;
      const [x, y, radius] = [left + seats.xs[at]! * scale, top + seats.ys[at]! * scale, section.pitch * scale * 0.4];
      context.globalAlpha = (1 - share) ** 1.5;
      context.fillStyle = css(this.price(seats.categories[at]!).fill);
      context.beginPath();
      context.arc(x, y, radius * (1 - share * 0.35), 0, Math.PI * 2);
      context.fill();
    }
    context.globalAlpha = 1;
    return this.fades.size > 0;
  }

  private marks_draw(context: CanvasRenderingContext2D, view: View, scale: number, left: number, top: number): void {
    const { marks, theme, ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const ring = (x: number, y: number, radius: number, width: number, color: string) => {
      context.beginPath();
      context.arc(x, y, radius, 0, Math.PI * 2);
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke();
    };
    for (const index of marks.lost) {
      const spot = this.spot(index, view, scale, left, top);
      if (!spot) continue;
      ring(spot.x, spot.y, spot.radius, 2 * ratio, theme.bad);
      const arm = spot.radius * 0.42;
      context.beginPath();
      context.moveTo(spot.x - arm, spot.y - arm);
      context.lineTo(spot.x + arm, spot.y + arm);
      context.moveTo(spot.x + arm, spot.y - arm);
      context.lineTo(spot.x - arm, spot.y + arm);
      context.stroke();
    }
    const chosen = [...[...marks.selected].map((index) => [index, false] as const), ...[...marks.mine].map((index) => [index, true] as const)].flatMap(([index, is_mine]) => {
      const spot = this.spot(index, view, scale, left, top);
      return spot ? [{ ...spot, is_mine }] : [];
    });
    /* The rims first: neighbours seen from afar become one mark. */
    for (const { x, y, radius, is_mine, small } of chosen) {
      if (!small) ring(x, y, radius + 3.2 * ratio, 2 * ratio, is_mine ? css(theme.ink) : theme.accent);
      ring(x, y, radius + 1.6 * ratio, (small ? 4 : 2.2) * ratio, small ? theme.accent_ink : css(theme.floor));
    }
    for (const { x, y, radius, is_mine, small, large, number } of chosen) {
      context.beginPath();
      context.arc(x, y, radius + 0.6 * ratio, 0, Math.PI * 2);
      context.fillStyle = theme.accent;
      context.fill();
      if (is_mine && !small) {
        context.beginPath();
        context.moveTo(x - radius * 0.45, y + radius * 0.02);
        context.lineTo(x - radius * 0.1, y + radius * 0.38);
        context.lineTo(x + radius * 0.48, y - radius * 0.36);
        context.lineWidth = Math.max(1.6 * ratio, radius * 0.22);
        context.lineCap = context.lineJoin = 'round';
        context.strokeStyle = theme.accent_ink;
        context.stroke();
      } else if (large && number.length <= 3) {
        context.fillStyle = theme.accent_ink;
        this.write(context, number, x, y, radius * 0.92, 700);
      }
    }
    if (marks.hover >= 0 && !marks.selected.has(marks.hover)) {
      const spot = this.spot(marks.hover, view, scale, left, top);
      if (spot) ring(spot.x, spot.y, spot.radius + 1.5 * ratio, 2 * ratio, css(theme.ink));
    }
    this.focus_draw(context, view, scale, left, top);
  }

  private focus_draw(context: CanvasRenderingContext2D, view: View, scale: number, left: number, top: number): void {
    const { theme, ratio } = this;
    const { focus } = this.marks;
    if (!focus) return;
    const twice = (draw: () => void) => {
      context.lineJoin = 'round';
      context.strokeStyle = css(theme.floor);
      context.lineWidth = 6 * ratio;
      draw();
      context.strokeStyle = css(theme.ink);
      context.lineWidth = 3 * ratio;
      draw();
    };
    if (focus.kind === 'seat') {
      const spot = this.spot(focus.index, view, scale, left, top);
      if (!spot) return;
      twice(() => {
        context.beginPath();
        context.arc(spot.x, spot.y, spot.radius + 4.5 * ratio, 0, Math.PI * 2);
        context.stroke();
      });
      return;
    }
    const outline = focus.kind === 'section' ? this.plan.sections[focus.index]?.outline : this.plan.areas[focus.index]?.outline;
    if (!outline) return;
    twice(() => {
      context.beginPath();
      for (const [x, y] of outline) context.lineTo(left + x * scale, top + y * scale);
      context.closePath();
      context.stroke();
    });
  }
}

/* Columns and rows from the middle outwards, with one ring more than is seen. */
function spiral(first_column: number, last_column: number, first_row: number, last_row: number): [number, number, boolean][] {
  const cells: [number, number, boolean, number][] = [];
  const [middle_column, middle_row] = [(first_column + last_column) / 2, (first_row + last_row) / 2];
  for (let column = first_column - 1; column <= last_column + 1; column++)
    for (let row = first_row - 1; row <= last_row + 1; row++) {
      const is_seen = column >= first_column && column <= last_column && row >= first_row && row <= last_row;
      cells.push([column, row, is_seen, Math.hypot(column - middle_column, row - middle_row) + (is_seen ? 0 : 1000)]);
    }
  return cells.sort((a, b) => a[3] - b[3]).map(([column, row, is_seen]) => [column, row, is_seen]);
}
