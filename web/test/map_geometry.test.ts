/* Where things are: windows, hit tests, labels, and the camera's ways. */
import { describe, expect, it } from 'vitest';
import { box_of, fit, Grid, inside, keep_within, label_place, next_towards, pitch_of, stage_box, stage_place, to_plan, to_screen, zoom_at, type View } from '../src/map/geometry';
import { between } from '../src/map/view';
import type { Point } from '../src/base/types';

const square: Point[] = [
  [0, 0],
  [10, 0],
  [10, 10],
  [0, 10],
];

describe('a window', () => {
  it('shows the whole box with room around it', () => {
    /* Red if padding is added on one side only. */
    const view = fit([0, 0, 100, 50], 220, 300, 10);
    expect(view.scale).toBe(2);
    expect(to_screen(view, 0, 0)).toEqual([10, 100]);
    expect(to_screen(view, 100, 50)).toEqual([210, 200]);
  });

  it('turns points back into what they were', () => {
    /* Red if one of the two directions forgets the middle of the window. */
    const view: View = { x: 3, y: -2, scale: 1.7, width: 300, height: 200 };
    const [x, y] = to_plan(view, ...to_screen(view, 12, 34));
    expect(x).toBeCloseTo(12);
    expect(y).toBeCloseTo(34);
  });

  it('zooms about the point under the finger', () => {
    /* Red if it zooms about the middle. */
    const view: View = { x: 0, y: 0, scale: 1, width: 100, height: 100 };
    const before = to_plan(view, 80, 20);
    expect(to_plan(zoom_at(view, 80, 20, 4), 80, 20)).toEqual(before);
  });

  it('is never lost beside the venue', () => {
    /* Red if the middle is not held within the box. */
    const kept = keep_within({ x: 9999, y: -9999, scale: 50, width: 100, height: 100 }, [0, 0, 100, 100], 1, 20);
    expect(kept.scale).toBe(20);
    expect(kept.x).toBeLessThanOrEqual(100);
    expect(kept.y).toBeGreaterThanOrEqual(0);
    expect(keep_within({ x: 70, y: 70, scale: 0.1, width: 100, height: 100 }, [0, 0, 100, 100], 1, 20)).toMatchObject({ scale: 1, x: 50, y: 50 });
  });

  it('glides from one window to another, and ends there', () => {
    /* Red if the scale is interpolated straight: the end is then not reached by the place. */
    const [from, to]: View[] = [
      { x: 0, y: 0, scale: 1, width: 100, height: 100 },
      { x: 50, y: 20, scale: 16, width: 100, height: 100 },
    ] as [View, View];
    expect(between(from!, to!, 0)).toMatchObject({ x: 0, y: 0, scale: 1 });
    const end = between(from!, to!, 1);
    expect(end.scale).toBeCloseTo(16);
    expect(end.x).toBeCloseTo(50);
    expect(between(from!, to!, 0.5).scale).toBeCloseTo(4);
  });
});

describe('a tap', () => {
  const seats = 2000;
  const [columns, apart] = [50, 0.5];
  const xs = Float32Array.from({ length: seats }, (_, i) => (i % columns) * apart);
  const ys = Float32Array.from({ length: seats }, (_, i) => Math.floor(i / columns) * 0.9);
  const grid = new Grid(xs, ys, box_of(Array.from(xs, (x, i): Point => [x, ys[i]!])), 2);

  it('finds the nearest seat, as looking at all of them does', () => {
    /* Red if a cell at the rim is left out, or a farther seat of the same cell wins. */
    for (let i = 0; i < 300; i++) {
      const [x, y] = [((i * 37) % 271) / 10 - 1, ((i * 53) % 391) / 10 - 1];
      let [best, least] = [-1, 0.36];
      for (let seat = 0; seat < seats; seat++) {
        const square = (xs[seat]! - x) ** 2 + (ys[seat]! - y) ** 2;
        if (square <= least) [best, least] = [seat, square];
      }
      const found = grid.nearest(x, y, 0.6);
      if (best < 0) expect(found).toBe(-1);
      else expect((xs[found]! - x) ** 2 + (ys[found]! - y) ** 2).toBeCloseTo(least);
    }
  });

  it('sees each seat of a box once', () => {
    /* Red if cells overlap. */
    const seen: number[] = [];
    grid.each([-1, -1, 100, 100], (seat) => seen.push(seat));
    expect(seen.length).toBe(seats);
    expect(new Set(seen).size).toBe(seats);
    const few: number[] = [];
    grid.each([0.9, 0.8, 1.6, 1], (seat) => few.push(seat));
    expect(few.sort((a, b) => a - b)).toEqual([52, 53]);
  });

  it('works where all seats are at one point', () => {
    /* Red if a box without extent divides by nothing. */
    const one = new Grid(new Float32Array(3), new Float32Array(3), [0, 0, 0, 0], 1);
    expect(one.nearest(0.1, 0, 0.5)).toBeGreaterThanOrEqual(0);
  });

  it('is inside an outline or not', () => {
    /* Red if a concave outline counts as its hull. */
    const corner: Point[] = [
      [0, 0],
      [10, 0],
      [10, 10],
      [5, 10],
      [5, 5],
      [0, 5],
    ];
    expect(inside(corner, 7, 7)).toBe(true);
    expect(inside(corner, 2, 7)).toBe(false);
  });
});

it('an arrow goes to the next thing ahead, not to one aside', () => {
  /* Red if only the distance counts. */
  expect(next_towards(0, 0, 1, 0, [0.4, 2, -1], [3, 0.2, 0])).toBe(1);
  expect(next_towards(0, 0, 1, 0, [0.4], [3])).toBe(-1);
  expect(next_towards(0, 0, 0, -1, [0.4, 2, -1], [3, 0.2, 0])).toBe(-1);
});

it('seats are as far apart as most neighbours are', () => {
  /* Red if an aisle or the way to the next row decides. */
  expect(pitch_of(Float32Array.from([0, 0.5, 1, 3, 3.5, 0, 0.5]), Float32Array.from([0, 0, 0, 0, 0, 1, 1]))).toBeCloseTo(0.5);
});

it('a label stands in the middle of its section, and within it', () => {
  /* Red if the middle of the box is taken for an outline that bends around it. */
  expect(label_place(square)).toMatchObject({ x: 5, y: 5 });
  const bent: Point[] = [
    [0, 0],
    [20, 0],
    [20, 20],
    [17, 20],
    [17, 3],
    [0, 3],
  ];
  const { x, y } = label_place(bent);
  expect(inside(bent, x, y)).toBe(true);
});

it('the stage covers no seats', () => {
  /* Red if a side that passes through the stage, with no corner in it, is not seen. */
  const long: Point[] = [
    [-100, 6],
    [100, 6],
    [100, 50],
    [-100, 50],
  ];
  const box = stage_box([0, 0], [long], 60, 20);
  expect(box![3]).toBeLessThan(6);
  const strip: Point[] = [
    [-100, -1],
    [100, -1],
    [100, 1],
    [-100, 1],
  ];
  expect(stage_box([0, -6], [strip], 60, 20)![3]).toBeLessThan(-1);
  expect(stage_box([5, 5], [square], 60, 20)).toBeNull();
});

it('a stage whose place nobody gave stands in front of the first row, not on it', () => {
  /* Red if the stage is left out where the focus lies among seats, or goes behind them. */
  const hall: Point[] = [
    [0, 0],
    [8, 0],
    [8, 4.5],
    [0, 4.5],
  ];
  const stage = stage_place([4, 0], [0, 0, 8, 4.5], [hall]);
  expect(stage!.upright).toBe(false);
  expect(stage!.box[3]).toBeLessThan(0);
  expect(stage_place([0, 2.2], [0, 0, 8, 4.5], [hall])!.upright).toBe(true);
});
