/* What stands where a page will be: nothing at first, then quiet shapes; or why it does not come. */
import { useLate } from '../base/hooks';
import type { Problem } from '../base/types';
import { ProblemNotice } from '../shop/problem_notice';
import { explain, type Context } from '../shop/problems';
import { say } from '../strings/strings';
import { Heading } from './heading';

export function Skeleton({ shapes }: { shapes: string[] }) {
  const late = useLate();
  return (
    <div class="column column-wide page" aria-busy="true">
      {late && (
        <>
          <p class="visually-hidden" role="status">
            {say('loading')}
          </p>
          <div class="skeletons" aria-hidden="true">
            {shapes.map((shape, i) => (
              <div key={i} class={`skeleton skeleton-${shape}`} />
            ))}
          </div>
        </>
      )}
    </div>
  );
}

/* A page that could not be loaded at all. */
export function NotLoaded({ problem, context, again }: { problem: Problem; context?: Context; again: () => void }) {
  return (
    <div class="column stack page">
      <Heading title={explain(problem).title} class="visually-hidden" />
      <ProblemNotice problem={problem} context={context ?? {}} helps={{ retry: again }} />
      {explain(problem, context).action?.help !== 'shows' && (
        <p>
          <a class="link" href="/">
            {say('back_to_shows')}
          </a>
        </p>
      )}
    </div>
  );
}
