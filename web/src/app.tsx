/* The frame around every page, and which page it is. */
import { match, usePath } from './base/router';
import { Frame } from './pages/frame';
import { ShowsPage } from './pages/shows';
import { NotFoundPage } from './pages/not_found';

export function App() {
  const path = usePath();
  return (
    <Frame>
      {match('/', path) ? <ShowsPage /> : <NotFoundPage />}
    </Frame>
  );
}
