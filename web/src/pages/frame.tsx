import type { ComponentChildren } from 'preact';
import { language, language_choose, language_name, languages } from '../base/language';
import { say } from '../strings/strings';

export function Frame({ children }: { children: ComponentChildren }) {
  return (
    <div class="frame">
      <a class="skip" href="#main">
        {say('skip')}
      </a>
      <header class="frame-head">
        <a class="frame-mark" href="/">
          onsale
        </a>
        <a class="frame-link" href="/tickets">
          {say('nav_tickets')}
        </a>
      </header>
      <main class="frame-main" id="main" tabIndex={-1}>
        {children}
      </main>
      <footer class="frame-foot">
        {languages.map((other) => (
          <button key={other} type="button" class="button-text small" lang={other} aria-pressed={other === language} onClick={() => language_choose(other)}>
            {language_name(other)}
          </button>
        ))}
      </footer>
    </div>
  );
}
