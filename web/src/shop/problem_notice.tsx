/* A problem as a part of a page: what went wrong, and the one thing that helps. */
import type { Problem } from '../base/types';
import { explain, type Context, type Help } from './problems';

interface Properties {
  problem: Problem;
  context?: Context;
  /* What the page can do itself; a help that it cannot, and that has no address, is not offered. */
  helps?: Partial<Record<Help, () => void>>;
  busy?: boolean;
  id?: string;
}

export function ProblemNotice({ problem, context, helps = {}, busy = false, id }: Properties) {
  const { title, text, action } = explain(problem, context);
  const help = action && (helps[action.help] ?? (action.help === 'reload' ? () => location.reload() : undefined));
  return (
    <div class="notice notice-bad problem" role="alert" id={id}>
      <h2>{title}</h2>
      <p>{text}</p>
      {action && (help || action.href) && (
        <p class="problem-help">
          {help ? (
            <button type="button" class="button button-quiet button-small" disabled={busy} onClick={help}>
              {action.label}
            </button>
          ) : (
            <a class="button button-quiet button-small" href={action.href}>
              {action.label}
            </a>
          )}
        </p>
      )}
    </div>
  );
}
