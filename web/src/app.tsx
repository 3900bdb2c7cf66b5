/* The frame around every page, and which page it is. */
import { lazy } from './base/lazy';
import { match, usePath } from './base/router';
import { BookingPage } from './pages/booking';
import { CheckoutPage } from './pages/checkout';
import { Frame } from './pages/frame';
import { NotFoundPage } from './pages/not_found';
import { ShowPage } from './pages/show';
import { ShowsPage } from './pages/shows';
import { TicketsPage } from './pages/tickets';
import { Skeleton } from './pages/waiting';

/* The map is fetched by who looks at it. */
const SeatsPage = lazy(
  () => import('./pages/seats').then((page) => page.SeatsPage),
  () => <Skeleton shapes={['title', 'line', 'hero']} />,
);

function Page({ path }: { path: string }) {
  const show_id = match('/shows/:id', path)?.id;
  if (show_id) return <ShowPage show_id={show_id} />;
  const seats_id = match('/shows/:id/seats', path)?.id;
  if (seats_id) return <SeatsPage key={seats_id} show_id={seats_id} />;
  const checkout_id = match('/shows/:id/checkout', path)?.id;
  if (checkout_id) return <CheckoutPage show_id={checkout_id} />;
  const booking_id = match('/bookings/:id', path)?.id;
  if (booking_id) return <BookingPage booking_id={booking_id} />;
  if (match('/tickets', path)) return <TicketsPage />;
  if (match('/', path)) return <ShowsPage />;
  return <NotFoundPage />;
}

export function App() {
  const path = usePath();
  return (
    <Frame path={path}>
      <Page path={path} />
    </Frame>
  );
}
