-- The tables of the usual design: one row a seat with an optimistic version, one a booking.
CREATE TABLE show_seats (
    show_id text NOT NULL,
    seat_id text NOT NULL,
    status text NOT NULL DEFAULT 'AVAILABLE',
    version integer NOT NULL DEFAULT 0,
    PRIMARY KEY (show_id, seat_id)
);
CREATE TABLE bookings (
    booking_id uuid PRIMARY KEY,
    show_id text NOT NULL,
    user_id text NOT NULL,
    seat_ids jsonb NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
