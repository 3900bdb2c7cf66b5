import { say } from '../strings/strings';
import { Heading } from './heading';

export function NotFoundPage() {
  return (
    <div class="column stack page">
      <Heading title={say('not_found_title')} />
      <p class="lead">{say('not_found_text')}</p>
      <p>
        <a class="button button-quiet" href="/">
          {say('back_to_shows')}
        </a>
      </p>
    </div>
  );
}
