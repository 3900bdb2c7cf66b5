/* Where things are: the window on the plan, polygons, and which seat is at a point. Nothing here knows a browser.
 *
 * A window is its middle on the plan and its scale (CSS pixels a unit of the plan); all else follows. Seats are found by
 * an even grid of cells, filled by counting sort, so that drawing a tile and finding a tap look at few seats. */
import type { Point } from '../base/types';

export interface View {
  x: number; /* the middle, on the plan */
  y: number;
  scale: number;
  width: number; /* CSS pixels */
  height: number;
}

export type Box = readonly [left: number, top: number, right: number, bottom: number];

export const to_screen = (view: View, x: number, y: number): Point => [(x - view.x) * view.scale + view.width / 2, (y - view.y) * view.scale + view.height / 2];
export const to_plan = (view: View, x: number, y: number): Point => [(x - view.width / 2) / view.scale + view.x, (y - view.height / 2) / view.scale + view.y];

export function visible_box(view: View, margin = 0): Box {
  const across = view.width / 2 / view.scale + margin;
  const down = view.height / 2 / view.scale + margin;
  return [view.x - across, view.y - down, view.x + across, view.y + down];
}

export const meets = (one: Box, other: Box): boolean => one[0] <= other[2] && other[0] <= one[2] && one[1] <= other[3] && other[1] <= one[3];

export function box_of(points: readonly Point[]): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return [left, top, right, bottom];
}

/* The whole box, with `padding` CSS pixels around it. */
export function fit(box: Box, width: number, height: number, padding: number): View {
  const across = Math.max(box[2] - box[0], 1e-3);
  const down = Math.max(box[3] - box[1], 1e-3);
  const scale = Math.min(Math.max(width - 2 * padding, 16) / across, Math.max(height - 2 * padding, 16) / down);
  return { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2, scale, width, height };
}

/* The point of the plan under (x, y) stays there. */
export function zoom_at(view: View, x: number, y: number, scale: number): View {
  const [plan_x, plan_y] = to_plan(view, x, y);
  return { ...view, scale, x: plan_x - (x - view.width / 2) / scale, y: plan_y - (y - view.height / 2) / scale };
}

/* Not lost: the middle of the window stays within the box, and what fits whole stays whole. */
export function keep_within(view: View, box: Box, least_scale: number, most_scale: number): View {
  const scale = Math.min(Math.max(view.scale, least_scale), most_scale);
  const side = (middle: number, low: number, high: number, size: number) => {
    const slack = Math.max((high - low) / 2 - size / scale / 2, 0) + (scale > least_scale * 1.01 ? (size / scale) * 0.35 : 0);
    const centre = (low + high) / 2;
    return Math.min(Math.max(middle, centre - slack), centre + slack);
  };
  return { ...view, scale, x: side(view.x, box[0], box[2], view.width), y: side(view.y, box[1], box[3], view.height) };
}

/* Even-odd rule. */
export function inside(outline: readonly Point[], x: number, y: number): boolean {
  let within = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [ax, ay] = outline[i] as Point;
    const [bx, by] = outline[j] as Point;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

function distance_to_side(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const share = length ? Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / length)) : 0;
  return Math.hypot(x - a[0] - share * dx, y - a[1] - share * dy);
}

export function distance_to_edge(outline: readonly Point[], x: number, y: number): number {
  let least = Infinity;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) least = Math.min(least, distance_to_side(x, y, outline[j] as Point, outline[i] as Point));
  return least;
}

/* How far one can go to both sides before a side of the outline is met. */
function room_across(outline: readonly Point[], x: number, y: number): number {
  let least = Infinity;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [ax, ay] = outline[i] as Point;
    const [bx, by] = outline[j] as Point;
    if (ay > y !== by > y) least = Math.min(least, Math.abs(((bx - ax) * (y - ay)) / (by - ay) + ax - x));
  }
  return Number.isFinite(least) ? least : 0;
}

function centroid(outline: readonly Point[]): Point {
  let [x, y, area] = [0, 0, 0];
  const [first_x, first_y] = outline[0] ?? [0, 0];
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [ax, ay] = [outline[j]![0] - first_x, outline[j]![1] - first_y];
    const [bx, by] = [outline[i]![0] - first_x, outline[i]![1] - first_y];
    const cross = ax * by - bx * ay;
    x += (ax + bx) * cross;
    y += (ay + by) * cross;
    area += cross * 3;
  }
  return area === 0 ? [first_x, first_y] : [first_x + x / area, first_y + y / area];
}

export interface LabelPlace {
  x: number;
  y: number;
  room: number; /* the radius of a circle that fits */
  across: number; /* half the width of a line of text that fits */
}

/* Where a label has room: in the middle, if there is enough; else where there is the most (a coarse grid, then finer ones
 * around its best point). */
export function label_place(outline: readonly Point[]): LabelPlace {
  const box = box_of(outline);
  const [x, y] = centroid(outline);
  let best = { x, y, room: inside(outline, x, y) ? distance_to_edge(outline, x, y) : 0 };
  if (best.room < 0.3 * Math.min(box[2] - box[0], box[3] - box[1])) best = roomiest(outline, box, best);
  const widths = [-0.35, 0, 0.35].map((share) => room_across(outline, best.x, best.y + share * best.room));
  return { ...best, across: Math.min(...widths) };
}

function roomiest(outline: readonly Point[], box: Box, middle: { x: number; y: number; room: number }): { x: number; y: number; room: number } {
  let best = { ...middle, room: middle.room * 1.4 }; /* the middle looks better, where it has nearly as much room */
  let [left, top, across, down] = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
  for (let pass = 0; pass < 3; pass++) {
    for (let i = 0; i <= 10; i++)
      for (let j = 0; j <= 10; j++) {
        const [x, y] = [left + (across * i) / 10, top + (down * j) / 10];
        if (!inside(outline, x, y)) continue;
        const room = distance_to_edge(outline, x, y);
        if (room > best.room * 1.001) best = { x, y, room };
      }
    across /= 4;
    down /= 4;
    [left, top] = [best.x - across / 2, best.y - down / 2];
  }
  return best.x === middle.x && best.y === middle.y ? middle : best;
}

/* The stage, beside all seats and places: at the focus, or where that lies among seats, away from their middle. */
export function stage_place(focus: Point, box: Box, outlines: readonly (readonly Point[])[]): { box: Box; upright: boolean } | null {
  const [across, down] = [Math.max(box[2] - box[0], 1e-6), Math.max(box[3] - box[1], 1e-6)];
  const [dx, dy] = [(focus[0] - (box[0] + box[2]) / 2) / across, (focus[1] - (box[1] + box[3]) / 2) / down];
  const upright = Math.abs(dx) > Math.abs(dy);
  const long = (upright ? down : across) * 0.42;
  const short = Math.max(long * 0.13, Math.min(across, down) * 0.075);
  const step = short * 0.4;
  for (let steps = 0; steps < 24; steps++) {
    const away = steps * step;
    const at: Point = upright ? [focus[0] + Math.sign(dx) * away, focus[1]] : [focus[0], focus[1] + (dy > 0 ? away : -away)];
    const found = stage_box(at, outlines, upright ? short : long, upright ? long : short);
    if (found) return { box: found, upright };
  }
  return null;
}

/* A box in the middle of `focus`, as large as allowed, that touches no outline. */
export function stage_box(focus: Point, outlines: readonly (readonly Point[])[], most_width: number, most_height: number): Box | null {
  for (let share = 1; share > 0.15; share *= 0.88) {
    const [across, down] = [(most_width * share) / 2, (most_height * Math.sqrt(share)) / 2];
    const box: Box = [focus[0] - across, focus[1] - down, focus[0] + across, focus[1] + down];
    const corners: Point[] = [
      [box[0], box[1]],
      [box[2], box[1]],
      [box[2], box[3]],
      [box[0], box[3]],
    ];
    const touched = outlines.some(
      (outline) =>
        meets(box_of(outline), box) &&
        (corners.some(([x, y]) => inside(outline, x, y)) ||
          inside(outline, focus[0], focus[1]) ||
          outline.some(([x, y]) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]) ||
          outline.some((from, i) => crosses(from, outline[(i + 1) % outline.length] as Point, box))),
    );
    if (!touched) return box;
  }
  return null;
}

/* A side of an outline that passes through the box (Liang and Barsky). */
function crosses(from: Point, to: Point, box: Box): boolean {
  let [enter, leave] = [0, 1];
  for (const axis of [0, 1] as const) {
    const step = to[axis] - from[axis];
    const [low, high] = [box[axis], box[axis + 2] as number];
    if (step === 0) {
      if (from[axis] < low || from[axis] > high) return false;
      continue;
    }
    const [one, other] = [(low - from[axis]) / step, (high - from[axis]) / step];
    enter = Math.max(enter, Math.min(one, other));
    leave = Math.min(leave, Math.max(one, other));
  }
  return enter <= leave;
}

/* Seats in cells of an even grid: cell c holds items[starts[c]] to items[starts[c + 1] - 1]. */
export class Grid {
  readonly columns: number;
  readonly rows: number;
  private readonly starts: Uint32Array;
  private readonly items: Uint32Array;

  constructor(
    readonly xs: Float32Array,
    readonly ys: Float32Array,
    readonly box: Box,
    readonly cell: number,
  ) {
    this.columns = Math.max(1, Math.min(512, Math.ceil((box[2] - box[0]) / cell)));
    this.rows = Math.max(1, Math.min(512, Math.ceil((box[3] - box[1]) / cell)));
    this.cell = Math.max(cell, (box[2] - box[0]) / this.columns, (box[3] - box[1]) / this.rows);
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    this.items = new Uint32Array(xs.length);
    for (let i = 0; i < xs.length; i++) this.starts[this.cell_of(i) + 1]!++;
    for (let c = 1; c < this.starts.length; c++) this.starts[c]! += this.starts[c - 1]!;
    const next = this.starts.slice();
    for (let i = 0; i < xs.length; i++) this.items[next[this.cell_of(i)]!++] = i;
  }

  private column(x: number): number {
    return Math.min(this.columns - 1, Math.max(0, Math.floor((x - this.box[0]) / this.cell)));
  }
  private row(y: number): number {
    return Math.min(this.rows - 1, Math.max(0, Math.floor((y - this.box[1]) / this.cell)));
  }
  private cell_of(i: number): number {
    return this.row(this.ys[i]!) * this.columns + this.column(this.xs[i]!);
  }

  /* Each seat within the box. */
  each(box: Box, visit: (item: number) => void): void {
    if (!meets(box, this.box)) return;
    const [left, right, top, bottom] = [this.column(box[0]), this.column(box[2]), this.row(box[1]), this.row(box[3])];
    for (let row = top; row <= bottom; row++) {
      const end = this.starts[row * this.columns + right + 1]!;
      for (let at = this.starts[row * this.columns + left]!; at < end; at++) {
        const item = this.items[at]!;
        const [x, y] = [this.xs[item]!, this.ys[item]!];
        if (x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]) visit(item);
      }
    }
  }

  /* The nearest seat no farther than `reach`, or -1. */
  nearest(x: number, y: number, reach: number): number {
    let [best, least] = [-1, reach * reach];
    this.each([x - reach, y - reach, x + reach, y + reach], (item) => {
      const square = (this.xs[item]! - x) ** 2 + (this.ys[item]! - y) ** 2;
      if (square <= least) [best, least] = [item, square];
    });
    return best;
  }
}

/* The next thing from (x, y) in a direction: near, and not far aside. -1: none. */
export function next_towards(x: number, y: number, dx: number, dy: number, xs: ArrayLike<number>, ys: ArrayLike<number>, allowed: (i: number) => boolean = () => true): number {
  let [best, least] = [-1, Infinity];
  for (let i = 0; i < xs.length; i++) {
    const [across, down] = [xs[i]! - x, ys[i]! - y];
    const ahead = across * dx + down * dy;
    const aside = Math.abs(across * dy - down * dx);
    if (ahead <= 1e-4 || aside > ahead * 1.8 || !allowed(i)) continue;
    const cost = ahead + aside * 2;
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}

/* How far apart seats stand: the median of the distances between neighbours of a row (a sample of them). */
export function pitch_of(xs: Float32Array, ys: Float32Array): number {
  const distances: number[] = [];
  const step = Math.max(1, Math.floor(xs.length / 400));
  for (let i = 1; i < xs.length; i += step) {
    const distance = Math.hypot(xs[i]! - xs[i - 1]!, ys[i]! - ys[i - 1]!);
    if (distance > 1e-6) distances.push(distance);
  }
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? 0.5;
}
