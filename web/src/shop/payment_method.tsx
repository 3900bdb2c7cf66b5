/* How the fan pays: what is shown for it, and how it becomes the `payment_token` that the confirm call takes.
 *
 * Card data never meets this shop: they are the gateway's business, and so is the form for them. What is here is the
 * sandbox's (docs/sandbox.md): a choice of cards to try out what may happen, each of which is a token.
 *
 * To take a real gateway's element, replace this component and keep its interface. Mount the element into a node of its
 * own in an effect; when what is in it is complete call `ready` with a function that asks the gateway for a token, and
 * with null when it is not. That function is called once a payment, when the fan presses the button; it may take its
 * time, and it may throw a PaymentMethodProblem, whose message is shown beside the form. The gateway's script and frame
 * have to be allowed in the pages' Content-Security-Policy. */
import { useLayoutEffect, useState } from 'preact/hooks';
import { say } from '../strings/strings';
import type { Key } from '../strings/en';

export type Tokenize = () => Promise<string>;

/* What the fan can mend in the form, in their language. Nothing has been asked of the shop yet. */
export class PaymentMethodProblem extends Error {}

export interface PaymentMethodProperties {
  disabled: boolean; /* a payment runs */
  described_by?: string | undefined; /* what is wrong with the last one */
  ready: (tokenize: Tokenize | null) => void;
}

const cards: { token: string; label: Key }[] = [
  { token: 'pm_card_visa', label: 'test_approved' },
  { token: 'tok_declined', label: 'test_declined' },
  { token: 'tok_insufficient_funds', label: 'test_funds' },
  { token: 'tok_expired_card', label: 'test_expired' },
  { token: 'tok_slow_3000', label: 'test_slow' },
  { token: 'tok_slow_8000', label: 'test_very_slow' },
  { token: 'tok_lost_reply', label: 'test_lost' },
];

export function PaymentMethod({ disabled, described_by, ready }: PaymentMethodProperties) {
  const [token, set_token] = useState('pm_card_visa');
  /* Before the next key or tap: whoever presses the button at once pays with the card that is seen to be chosen. */
  useLayoutEffect(() => ready(() => Promise.resolve(token)), [token]);
  return (
    <fieldset class="payment" disabled={disabled} aria-describedby={['payment-note', described_by].filter(Boolean).join(' ')}>
      <legend class="payment-legend">
        {say('pay_how')} <span class="chip">{say('test_payment')}</span>
      </legend>
      <p class="soft small" id="payment-note">
        {say('test_payment_text')}
      </p>
      <ul class="payment-cards">
        {cards.map((card) => (
          <li key={card.token}>
            <label class="payment-card">
              <input type="radio" name="payment-card" value={card.token} checked={card.token === token} onChange={() => set_token(card.token)} />
              <span>{say(card.label)}</span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}
