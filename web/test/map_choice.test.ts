/* What is chosen, what is left of a plan, and what is offered for seats that were lost. */
import { beforeEach, describe, expect, it } from 'vitest';
import { next_best } from '../src/map/next_best';
import { most_seats, nothing, selection_count, selection_keep, selection_kept, selection_set_area, selection_toggle, selection_without } from '../src/map/selection';
import { venue } from './map_world';

describe('a selection', () => {
  beforeEach(() => sessionStorage.clear());

  it('goes on and off, and stops at the most one person may have', () => {
    /* Red if places of areas do not count, or a seat cannot be taken off when all are chosen. */
    let chosen = selection_toggle(nothing, 7, 3)!;
    chosen = selection_set_area(chosen, 0, 2, 3)!;
    expect(selection_toggle(chosen, 8, 3)).toBeNull();
    expect(selection_set_area(chosen, 0, 3, 3)).toBeNull();
    expect(selection_set_area(chosen, 0, 1, 3)).not.toBeNull();
    expect(selection_count(selection_toggle(chosen, 7, 3)!)).toBe(2);
  });

  it('is bound by the stricter of the two rules, where 0 is none', () => {
    /* Red if a limit of 0 is taken for none allowed. */
    expect(most_seats({ max_seats_per_reservation: 10, max_seats_per_user: 4 })).toBe(4);
    expect(most_seats({ max_seats_per_reservation: 10, max_seats_per_user: 0 })).toBe(10);
  });

  it('is the same object when nothing of it is lost', () => {
    /* Red if every change of the map makes the page draw again. */
    const chosen = { seats: [1, 2], areas: {} };
    expect(selection_without(chosen, [5])).toBe(chosen);
    expect(selection_without(chosen, [2]).seats).toEqual([1]);
  });

  it('is found again after a reload, but not for another plan', () => {
    /* Red if the plan's hash is not looked at. */
    selection_keep('s', 'h', { seats: [3, 9], areas: { 0: 2 } });
    expect(selection_kept('s', 'h', 10, 1)).toEqual({ seats: [3, 9], areas: { 0: 2 } });
    expect(selection_kept('s', 'other', 10, 1)).toEqual(nothing);
    expect(selection_kept('other', 'h', 10, 1)).toEqual(nothing);
  });

  it('that another program wrote is nothing, or only what can be', () => {
    /* Red if an index beyond the plan, or a text, comes through. */
    for (const text of ['', '{', 'null', '[]', '{"hash":"h"}', '{"hash":"h","seats":"all"}']) {
      sessionStorage.setItem('onsale.selection.s', text);
      expect(selection_kept('s', 'h', 10, 1), text).toEqual(nothing);
    }
    sessionStorage.setItem('onsale.selection.s', '{"hash":"h","seats":[1,1,-1,99,"2",1.5],"areas":{"0":-1,"7":3,"x":1}}');
    expect(selection_kept('s', 'h', 10, 1)).toEqual({ seats: [1], areas: {} });
  });
});

describe('a plan', () => {
  it('counts what is left as seats go and come back', async () => {
    /* Red if a seat that goes from held to sold is counted twice. */
    const { plan } = await venue({ sections: 2, cheap: [1] });
    const go = (index: number, status: number) => {
      const before = plan.statuses[index]!;
      plan.statuses[index] = status;
      plan.count({ indices: [index], before: [before] });
    };
    go(0, 1);
    go(0, 2);
    go(25, 1);
    go(45, 2);
    expect([plan.sections[0]!.left, plan.sections[1]!.left, plan.areas[0]!.left]).toEqual([19, 19, 29]);
    expect(plan.left_by_price()).toEqual([19, 48]);
    go(0, 0);
    expect(plan.total_left()).toBe(68);
  });

  it('knows the section and the seat of an index', async () => {
    /* Red if an area's places are taken for seats, or rows are counted from the plan's first. */
    const { plan } = await venue({ sections: 2 });
    expect(plan.seat(31)).toMatchObject({ seat_id: 'S1-B2', section: 'S1', row: 'B', number: '2' });
    expect(plan.seat(42)).toMatchObject({ seat_id: 'Floor-3', section: 'Floor', category: 1 });
    expect(plan.home(9999)).toMatchObject({ section: null, area: null });
  });

  it('fetches a section once, however often it is asked for', async () => {
    /* Red if a second call before the answer asks again. */
    const { plan, fetched } = await venue({ sections: 2, known: false });
    await Promise.all([plan.seats(1), plan.seats(1)]);
    await plan.seats(1);
    expect(fetched).toEqual([1]);
  });

  it('finds seats by their ids, and asks only where they may be', async () => {
    /* Red if every section is fetched for a seat whose id names one. */
    const { plan, fetched } = await venue({ sections: 5, known: false });
    expect((await plan.find(['S3-A4', 'Floor-2', 'gone'].slice(0, 2))).map((seat) => seat.index)).toEqual([63, 101]);
    expect(fetched).toEqual([3]);
    expect(await plan.find(['gone'])).toEqual([]);
  });
});

describe('the next best', () => {
  const none = new Set<number>();

  it('continues what is still chosen', async () => {
    /* Red if the kept seats are given up while they could be continued. */
    const { plan } = await venue();
    plan.statuses[5] = 1;
    expect(next_best(plan, [5], [4], none)).toEqual({ seats: [3], instead_of: [] });
    plan.statuses[9] = 1;
    expect(next_best(plan, [9], [2], none)).toEqual({ seats: [3], instead_of: [] });
  });

  it('is a whole new group where the kept seats cannot be continued', async () => {
    /* Red if two fans who came together are offered seats apart while two together are there. */
    const { plan } = await venue();
    for (const index of [3, 5]) plan.statuses[index] = 2;
    const found = next_best(plan, [5], [4], none)!;
    expect(found.instead_of).toEqual([4]);
    expect(found.seats.length).toBe(2);
    expect(found.seats[1]! - found.seats[0]!).toBe(1);
  });

  it('never spans an aisle, a taken seat or the end of a row', async () => {
    /* Red if a run goes on over a gap. */
    const { plan } = await venue({ rows: 1, seats: 6, aisle: 3 });
    plan.statuses[0] = 2;
    expect(next_best(plan, [0], [], none)?.seats).toEqual([1]);
    plan.statuses[4] = 1;
    expect(next_best(plan, [0, 4], [], none)?.seats).toEqual([1, 2]);
    plan.statuses[1] = 1;
    expect(next_best(plan, [0, 1], [], none)).toBeNull();
  });

  it('costs about as much, though dearer seats are nearer', async () => {
    /* Red if the price has no weight. */
    const { plan } = await venue({ sections: 3, rows: 1, seats: 4, cheap: [0, 2] });
    for (const index of [0, 1, 2, 3]) plan.statuses[index] = 2;
    expect(next_best(plan, [3], [], none)?.seats).toEqual([8]);
  });

  it('is not what was refused a moment ago, whatever the map says', async () => {
    /* Red if the refusal, which is newer than the map, is forgotten. */
    const { plan } = await venue({ rows: 1, seats: 3 });
    expect(next_best(plan, [1], [], new Set([0, 1]))?.seats).toEqual([2]);
    expect(next_best(plan, [1], [], new Set([0, 1, 2]))).toBeNull();
  });

  it('has to be asked for where the section is not known', async () => {
    /* Red if unknown seats are taken for free ones. */
    const { plan } = await venue({ known: false });
    expect(next_best(plan, [1], [], none)).toBeNull();
  });
});
