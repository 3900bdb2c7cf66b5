/* A small number, by two buttons and a word for those who do not see it. */
import { write_number } from '../base/language';
import { say } from '../strings/strings';
import { Sign } from './sign';

export function Stepper({ value, least, most, label, change }: { value: number; least: number; most: number; label: string; change: (value: number) => void }) {
  return (
    <div class="stepper" role="group" aria-label={label}>
      <button type="button" class="stepper-button" aria-label={say('seats_fewer')} aria-disabled={value <= least} onClick={() => value > least && change(value - 1)}>
        <Sign d="M5 12h14" />
      </button>
      <output class="stepper-value numbers" aria-live="polite">
        {write_number(value)}
      </output>
      <button type="button" class="stepper-button" aria-label={say('seats_more')} aria-disabled={value >= most} onClick={() => value < most && change(value + 1)}>
        <Sign d="M5 12h14M12 5v14" />
      </button>
    </div>
  );
}
