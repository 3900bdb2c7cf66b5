-- The waiting room: how far each show's queue may give out places, and the claims that it granted. Waiting fans have no
-- row; what is here is what a power cut must not take: that no place is given out twice, and no turn used twice.

-- Raised before any place beyond it is given out, and never lowered: after a power cut numbers go on behind it.
CREATE TABLE queues (
    show_id TEXT NOT NULL PRIMARY KEY REFERENCES shows (show_id),
    number_ceiling INTEGER NOT NULL CHECK (number_ceiling >= 0)
) STRICT, WITHOUT ROWID;

-- One row a pass. A pass ends at `ended_at`, else at `expires_at`. Claims come nearly in the order of their numbers, so
-- that the primary key is written at its end, and a pass that ends changes its row in place: WITHOUT ROWID.
CREATE TABLE admissions (
    show_id TEXT NOT NULL REFERENCES shows (show_id),
    number INTEGER NOT NULL CHECK (number > 0),
    user_id TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    expires_at TEXT NOT NULL CHECK (claimed_at <= expires_at),
    ended_at TEXT CHECK (claimed_at <= ended_at),
    PRIMARY KEY (show_id, number)
) STRICT, WITHOUT ROWID;
