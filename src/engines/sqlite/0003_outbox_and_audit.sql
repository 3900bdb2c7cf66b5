-- What is told to others: the outbox, events that wait to be delivered; and the audit, a chain in which every row carries
-- the hash of the one before (chain.h says how), so that whatever is changed afterwards shows.

-- `installation` is the ledger's own id. The two numbers and the hash are the ends of the outbox and of the audit: they
-- are written by the commit that moves them, only rise, and are never taken from the tables' rows, so that a row that is
-- deleted at the end is missed, and a number is never given twice.
ALTER TABLE meta ADD COLUMN installation TEXT NOT NULL DEFAULT '';
ALTER TABLE meta ADD COLUMN outbox_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN audit_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN audit_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
UPDATE meta SET installation = lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' ||
    substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));

-- With it the audit names the booking's user without their name; NULL once it is erased, and in bookings that are older
-- than the audit.
ALTER TABLE bookings ADD COLUMN salt BLOB;

-- Shows and bookings that are older than the audit. Its first row says what they were.
CREATE TABLE unaudited (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO unaudited (id) SELECT show_id FROM shows UNION ALL SELECT booking_id FROM bookings;

-- What the ledger wrote of cancellations and blocks before there was a chain. Nothing is added.
ALTER TABLE audit RENAME TO audit_before;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY, -- 1, 2, 3 … without a gap
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    show_id TEXT,
    booking_id TEXT,
    detail TEXT NOT NULL, -- JSON; nothing personal
    person BLOB,          -- the booking's user, hashed with the booking's salt
    why BLOB,             -- the operator's reason, hashed with a salt of its own
    hash BLOB NOT NULL    -- over the row before's hash and all of this row
) STRICT;
CREATE INDEX audit_by_booking ON audit (booking_id) WHERE booking_id IS NOT NULL;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'nothing is deleted from the audit'); END;

-- The operator's reasons, apart, so that one can be erased while the chain stays whole.
CREATE TABLE audit_reasons (
    number INTEGER PRIMARY KEY REFERENCES audit (number),
    salt BLOB NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- A row leaves when its event was delivered.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    at TEXT NOT NULL,
    data TEXT NOT NULL, -- JSON
    attempts INTEGER NOT NULL, -- deliveries that failed
    next_at TEXT NOT NULL,     -- not tried before
    dead INTEGER NOT NULL CHECK (dead = 0 OR dead = 1),
    why TEXT NOT NULL -- the last attempt failed
) STRICT;
CREATE INDEX outbox_by_turn ON outbox (dead, next_at);
