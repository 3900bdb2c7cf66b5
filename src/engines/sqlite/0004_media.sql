-- The shows' pictures, one a show, named by the hash of their bytes; a show's settings hold the name. In the ledger, since
-- every node that shares it serves them.
CREATE TABLE media (
    show_id TEXT NOT NULL PRIMARY KEY REFERENCES shows (show_id),
    hash TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type = 'image/png' OR type = 'image/jpeg' OR type = 'image/webp'),
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX media_by_hash ON media (hash);
