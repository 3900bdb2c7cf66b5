/* The shortest way: how many, at which price, and we find the best seats together. */
import { useState } from 'preact/hooks';
import { write_money } from '../base/write';
import { say } from '../strings/strings';
import { write_price } from './names';
import type { SeatsState } from './seats_state';
import { Stepper } from './stepper';

const most_usual = 4;

export function Best({ state }: { state: SeatsState }) {
  const plan = state.plan!;
  const [count, set_count] = useState(Math.min(2, state.most));
  const [wanted, set_wanted] = useState<number | null>(null);
  const left = plan.left_by_price();
  const told = (index: number) => left[index] ?? state.show?.categories.find((category) => category.name === plan.prices[index]?.name)?.available ?? 0;
  const prices = plan.prices.filter((price) => price.amount !== null).sort((a, b) => (b.amount ?? 0) - (a.amount ?? 0));
  const chosen = wanted === null ? null : (plan.prices[wanted] ?? null);
  const enough = chosen ? told(chosen.index) >= count : prices.some((price) => told(price.index) >= count);
  const total = chosen?.amount != null ? write_money(chosen.amount * count, chosen.currency) : null;
  return (
    <form
      class="best"
      onSubmit={(event) => {
        event.preventDefault();
        if (state.held) state.say({ kind: 'holding' });
        else void state.hold_best(count, wanted);
      }}
    >
      <fieldset class="best-part">
        <legend>{say('seats_how_many')}</legend>
        <Stepper value={count} least={1} most={state.most} label={say('seats_how_many')} change={set_count} />
        {state.most > most_usual && state.most < 100 && <p class="small soft">{say('seats_most', { count: state.most })}</p>}
      </fieldset>
      <fieldset class="best-part">
        <legend>{say('seats_which_price')}</legend>
        <div class="best-prices">
          <label class="best-price">
            <input type="radio" name="price" checked={wanted === null} onChange={() => set_wanted(null)} />
            <span class="best-name">{say('seats_any_price')}</span>
            <span class="small soft">{say('seats_any_price_text')}</span>
          </label>
          {prices.map((price) => (
            <label key={price.index} class={told(price.index) < count ? 'best-price best-price-gone' : 'best-price'}>
              <input type="radio" name="price" checked={wanted === price.index} disabled={told(price.index) === 0} onChange={() => set_wanted(price.index)} />
              <span class="best-name">
                <span class="dot" style={{ '--color': price.color }} aria-hidden="true" />
                <span class="best-text">{price.name}</span>
              </span>
              <span class="best-amount numbers">{write_price(price)}</span>
              <span class="small soft numbers best-left">{told(price.index) > 0 ? say('seats_left', { count: told(price.index) }) : say('seats_none_left')}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <div class="best-go">
        <button type="submit" class="button button-wide" aria-disabled={!enough || state.busy || undefined} disabled={!enough || state.busy}>
          {state.has_to_queue ? say('seats_queue_first') : total ? say('seats_find_for', { count, price: total }) : say('seats_find', { count })}
        </button>
        <p class="small soft">{state.has_to_queue ? say('seats_queue_text') : say('seats_find_text')}</p>
      </div>
    </form>
  );
}
