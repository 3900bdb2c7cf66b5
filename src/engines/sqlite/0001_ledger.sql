-- The ledger's first schema. `shows`, `show_seats` and `bookings` carry the columns that other systems know them by;
-- "sold" is the primary key of `tickets`.
--
-- Ids of shows and bookings are UUIDs as text, reservations "r" and 32 hex digits, times RFC 3339 in UTC with
-- milliseconds (so that text order is time order), money minor units of `currency`.
--
-- Lists of values are written out with OR and <>: IN with more than two values builds a table each time it is asked,
-- which cost a booking a fifth of its time (bench/ledger_bench.c).
--
-- Foreign keys are declared for readers and for `onsale verify`; the writer does not have them enforced, since each
-- command proves by row counts what they would (README.md says what that gains).

CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL -- rises at every start, before anything is served; the high bits of every fence
) STRICT;
INSERT INTO meta (one, epoch) VALUES (1, 0);

CREATE TABLE plans (
    plan_hash TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE shows (
    show_id TEXT NOT NULL PRIMARY KEY,
    event_name TEXT NOT NULL,
    start_time TEXT,
    plan_hash TEXT NOT NULL REFERENCES plans (plan_hash),
    settings TEXT NOT NULL, -- JSON
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- `version` is the number (fence) of the last hold, sale, release or block that touched the seat; it only rises.
-- HELD is written lazily and decides nothing.
CREATE TABLE show_seats (
    show_id TEXT NOT NULL REFERENCES shows (show_id),
    seat_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status = 'AVAILABLE' OR status = 'HELD' OR status = 'BOOKED'),
    version INTEGER NOT NULL,
    PRIMARY KEY (show_id, seat_id)
) STRICT, WITHOUT ROWID;

-- Seats that the operator took off sale.
CREATE TABLE seat_blocks (
    show_id TEXT NOT NULL REFERENCES shows (show_id),
    seat_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    blocked_at TEXT NOT NULL,
    PRIMARY KEY (show_id, seat_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bookings (
    booking_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    seat_ids TEXT NOT NULL, -- JSON array; of a booking cancelled in part, the seats that are left
    status TEXT NOT NULL CHECK (status = 'PENDING' OR status = 'CONFIRMED' OR status = 'CANCELLED'),
    show_id TEXT NOT NULL REFERENCES shows (show_id),
    reservation_id TEXT NOT NULL,
    seat_amounts TEXT NOT NULL, -- JSON array, one number a seat of seat_ids
    amount INTEGER NOT NULL,    -- what all seats cost when they were taken
    refunded INTEGER NOT NULL,  -- what was given back of it
    currency TEXT NOT NULL,
    payment_state TEXT NOT NULL
        CHECK (payment_state = 'NONE' OR payment_state = 'AUTHORIZED' OR payment_state = 'CAPTURED' OR
               payment_state = 'VOIDED' OR payment_state = 'REFUNDED' OR payment_state = 'REVIEW'),
    saga TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    intent_id TEXT NOT NULL, -- the payment's at the gateway; '' until it has one
    fence INTEGER NOT NULL,  -- the hold's; the sale writes fence + 1 to its seats
    reason TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    confirmed_at TEXT
) STRICT;
CREATE INDEX bookings_by_reservation ON bookings (reservation_id);
CREATE INDEX bookings_by_show ON bookings (show_id, status, amount, refunded); -- a show's totals, without its rows
CREATE INDEX bookings_unfinished ON bookings (booking_id)
    WHERE saga <> 'DONE' AND saga <> 'CANCELLED' AND saga <> 'REFUNDED';

-- One row a sold seat, in the order of selling: only the primary key's index is written at random places, which is a
-- tenth faster than WITHOUT ROWID here, and slower for show_seats, whose rows are changed in place. A ticket that is
-- cancelled moves to ticket_history in the same transaction.
CREATE TABLE tickets (
    show_id TEXT NOT NULL,
    seat_id TEXT NOT NULL,
    booking_id TEXT NOT NULL REFERENCES bookings (booking_id),
    amount INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    PRIMARY KEY (show_id, seat_id),
    FOREIGN KEY (show_id, seat_id) REFERENCES show_seats (show_id, seat_id)
) STRICT;

CREATE TABLE ticket_history (
    history_id INTEGER PRIMARY KEY,
    show_id TEXT NOT NULL,
    seat_id TEXT NOT NULL,
    booking_id TEXT NOT NULL REFERENCES bookings (booking_id),
    amount INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    seat_version INTEGER NOT NULL, -- the number under which the seat went free
    ended_at TEXT NOT NULL,
    actor TEXT NOT NULL,
    FOREIGN KEY (show_id, seat_id) REFERENCES show_seats (show_id, seat_id)
) STRICT;

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    show_id TEXT,
    booking_id TEXT,
    seat_ids TEXT, -- JSON array
    reason TEXT NOT NULL
) STRICT;

-- Final answers to keyed requests, in the order in which they were kept, which is how they are forgotten.
CREATE TABLE kept_answers (
    answer_id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    body_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
