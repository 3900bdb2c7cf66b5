import { say } from '../strings/strings';

export function NotFoundPage() {
  return (
    <div class="column stack">
      <h1>{say('not_found_title')}</h1>
      <p>{say('not_found_text')}</p>
      <p>
        <a href="/">{say('back_to_shows')}</a>
      </p>
    </div>
  );
}
