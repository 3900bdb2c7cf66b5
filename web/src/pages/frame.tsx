/* What is around every page: where one is, the language, whether there is a connection, and what to do when a page
 * itself breaks. */
import { Component, type ComponentChildren } from 'preact';
import { useConnectionLost } from '../base/hooks';
import { language, language_choose, language_name, languages } from '../base/language';
import { say } from '../strings/strings';

class Mishap extends Component<{ path: string; children: ComponentChildren }, { broken_path: string | null }> {
  override state = { broken_path: null };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ broken_path: this.props.path });
  }

  override render() {
    /* Another page may be well. */
    if (this.state.broken_path !== this.props.path) return this.props.children;
    return (
      <div class="column stack page">
        <h1>{say('crash_title')}</h1>
        <p class="lead">{say('crash_text')}</p>
        <p>
          <button type="button" class="button" onClick={() => location.reload()}>
            {say('action_reload')}
          </button>
        </p>
      </div>
    );
  }
}

function Connection() {
  const lost = useConnectionLost();
  return (
    <div role="status" class="connection">
      {lost && <p>{say('offline_banner')}</p>}
    </div>
  );
}

export function Frame({ path, children }: { path: string; children: ComponentChildren }) {
  return (
    <div class="frame">
      <a class="skip" href="#main">
        {say('skip')}
      </a>
      <header class="frame-head">
        <nav class="frame-bar column column-wide" aria-label={say('nav_main')}>
          <a class="frame-mark" href="/">
            onsale
          </a>
          <a class="frame-link frame-link-shows" href="/" aria-current={path === '/' ? 'page' : undefined}>
            {say('nav_shows')}
          </a>
          <a class="frame-link" href="/tickets" aria-current={path === '/tickets' ? 'page' : undefined}>
            {say('nav_tickets')}
          </a>
        </nav>
      </header>
      <Connection />
      <main class="frame-main" id="main" tabIndex={-1}>
        <Mishap path={path}>{children}</Mishap>
      </main>
      <footer class="frame-foot">
        <div class="frame-bar column column-wide">
          <p class="frame-line">{say('shop_line')}</p>
          <div class="row" role="group" aria-label={say('language_label')}>
            {languages.map((other) => (
              <button key={other} type="button" class="button-text small" lang={other} aria-pressed={other === language} onClick={() => language_choose(other)}>
                {language_name(other)}
              </button>
            ))}
          </div>
        </div>
      </footer>
    </div>
  );
}
