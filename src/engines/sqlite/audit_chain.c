/* Checks the audit's chain: every row's hash is computed again, and what stands in it by hashes (persons, reasons) is
 * compared with what was not erased.
 *
 * Happy path: the rows are read in order of their numbers, each hash over the stored one before. So a row that was
 * changed is named itself, one that was changed together with its hash is named by the next one, and a row that is
 * missing is named by its number. The end is held against the one that the ledger keeps beside the tables. */
#include "engines/sqlite/audit_private.h"

#include <stdio.h>

#include "base/hash.h"
#include "engines/sqlite/chain.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/unaudited.h"

#define CHAIN_WORDS "each row of the audit carries the hash of the one before: nothing was changed, added or left out"
#define PERSON_WORDS "the audit's rows are about the bookings' own users, where those were not erased"
#define REASON_WORDS "the reasons are those that were given, where they were not erased"
#define SHOW_WORDS "each show is as the audit last said"

static bool ask(struct audit *audit, const char *sql, sqlite3_stmt **statement) {
    if (sqlite3_prepare_v2(audit->db, sql, -1, statement, NULL) == SQLITE_OK)
        return true;
    sqlite3_finalize(*statement);
    return false;
}

/* A column as chain.h wants it: NULL, or text and blobs of which an empty one is not NULL. */
static struct bytes part_of(sqlite3_stmt *statement, int at) {
    if (sqlite3_column_type(statement, at) == SQLITE_NULL)
        return (struct bytes){NULL, 0};
    struct bytes column = column_bytes(statement, at);
    return column.at ? column : BYTES("");
}

static bool is_hash(struct bytes stored, const uint8_t hash[static CHAIN_HASH_BYTES]) {
    return bytes_equal(stored, (struct bytes){(const char *)hash, CHAIN_HASH_BYTES});
}

/* ---- the chain ---- */

struct walk {
    uint64_t number; /* of the last row */
    uint8_t hash[CHAIN_HASH_BYTES];
};

static void check_beginning(struct audit *audit, const struct chain_row *row) {
    struct unaudited unaudited;
    char expected[200];
    if (unaudited_read(audit->db, &unaudited) != RESULT_OK) {
        audit_find(audit, "what is older than the audit cannot be read: %s", sqlite3_errmsg(audit->db));
        return;
    }
    (void)snprintf(expected, sizeof expected, "{\"shows\":%lld,\"bookings\":%lld,\"hash\":\"%.*s\"}",
                   (long long)unaudited.shows, (long long)unaudited.bookings, (int)sizeof unaudited.hash,
                   unaudited.hash);
    if (!bytes_equal(row->action, BYTES("audit.begun")) || !bytes_equal(row->detail, bytes_of(expected)))
        audit_find(audit, "row %llu, the audit's first, says %.*s of what is older, but that is %s",
                   (unsigned long long)row->number, (int)row->detail.length, row->detail.at, expected);
}

static void check_row(struct audit *audit, sqlite3_stmt *rows, struct walk *walk) {
    const struct chain_row row = {.number = (uint64_t)sqlite3_column_int64(rows, 0),
                                  .at = part_of(rows, 1),
                                  .actor = part_of(rows, 2),
                                  .action = part_of(rows, 3),
                                  .show_id = part_of(rows, 4),
                                  .booking_id = part_of(rows, 5),
                                  .detail = part_of(rows, 6),
                                  .person = part_of(rows, 7),
                                  .why = part_of(rows, 8)};
    struct bytes stored = part_of(rows, 9);
    uint8_t hash[CHAIN_HASH_BYTES];
    if (row.number != walk->number + 1)
        audit_find(audit, "rows %llu to %llu of the audit are missing", (unsigned long long)walk->number + 1,
                   (unsigned long long)row.number - 1);
    if (walk->number == 0)
        check_beginning(audit, &row);
    chain_hash(walk->hash, &row, hash);
    if (!is_hash(stored, hash))
        audit_find(audit, "the audit's chain breaks at row %llu (%.*s, %.*s): it, or the one before, was changed",
                   (unsigned long long)row.number, (int)row.action.length, row.action.at, (int)row.at.length,
                   row.at.at);
    walk->number = row.number;
    memset(walk->hash, 0, sizeof walk->hash);
    if (stored.length == sizeof walk->hash)
        memcpy(walk->hash, stored.at, stored.length);
}

static bool check_end(struct audit *audit, const struct walk *walk) {
    sqlite3_stmt *ends = NULL;
    if (!ask(audit, "SELECT audit_number, audit_hash FROM meta", &ends))
        return false;
    bool read = sqlite3_step(ends) == SQLITE_ROW;
    if (read) {
        uint64_t number = (uint64_t)sqlite3_column_int64(ends, 0);
        if (number != walk->number)
            audit_find(audit, "the audit ends with row %llu, but its last one was row %llu",
                       (unsigned long long)walk->number, (unsigned long long)number);
        else if (!is_hash(part_of(ends, 1), walk->hash))
            audit_find(audit, "row %llu, the audit's last, is not the one that was written",
                       (unsigned long long)walk->number);
    }
    sqlite3_finalize(ends);
    return read;
}

static void check_chain(struct audit *audit) {
    sqlite3_stmt *rows = NULL;
    struct walk walk = {0};
    int code = SQLITE_ERROR;
    if (ask(audit,
            "SELECT number, at, actor, action, show_id, booking_id, detail, person, why, hash FROM audit "
            "ORDER BY number",
            &rows)) {
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            audit->counted++;
            check_row(audit, rows, &walk);
        }
        sqlite3_finalize(rows);
    }
    if (code == SQLITE_DONE && check_end(audit, &walk))
        audit_conclude(audit, CHAIN_WORDS, "rows");
    else
        audit_give_up(audit, CHAIN_WORDS);
}

/* ---- persons ---- */

/* Each booking's user, by the hash in each row that is about it. A booking that is older than the audit has no salt;
 * any other has one until its user is erased, which the audit says. */
static const char persons[] = "SELECT a.number, a.person, b.booking_id, b.salt, b.user_id, "
                              "EXISTS (SELECT 1 FROM unaudited AS u WHERE u.id = b.booking_id), "
                              "b.salt IS NULL AND EXISTS (SELECT 1 FROM audit AS e WHERE e.booking_id = b.booking_id "
                              "AND e.action = 'person.erased') "
                              "FROM bookings AS b LEFT JOIN audit AS a ON a.booking_id = b.booking_id";

static void check_person(struct audit *audit, sqlite3_stmt *row) {
    struct bytes person = part_of(row, 1), id = column_bytes(row, 2), salt = part_of(row, 3);
    bool is_older = sqlite3_column_int(row, 5), is_erased = sqlite3_column_int(row, 6);
    uint8_t hash[CHAIN_HASH_BYTES];
    if (is_erased)
        return;
    if (!salt.at) {
        if (!is_older || person.at)
            audit_find(audit, "booking %.*s has lost its salt, but the audit does not say that its user was erased",
                       (int)id.length, id.at);
        return;
    }
    if (sqlite3_column_type(row, 0) == SQLITE_NULL)
        return; /* nothing was told of it yet */
    chain_person(salt, part_of(row, 4), hash);
    if (!is_hash(person, hash))
        audit_find(audit, "row %lld of the audit is about somebody else than the user of booking %.*s",
                   (long long)sqlite3_column_int64(row, 0), (int)id.length, id.at);
}

static void check_persons(struct audit *audit) {
    sqlite3_stmt *rows = NULL;
    int code = SQLITE_ERROR;
    if (ask(audit, persons, &rows)) {
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            audit->counted++;
            check_person(audit, rows);
        }
        sqlite3_finalize(rows);
    }
    if (code == SQLITE_DONE)
        audit_conclude(audit, PERSON_WORDS, "rows about bookings");
    else
        audit_give_up(audit, PERSON_WORDS);
}

/* ---- reasons ---- */

static void check_reasons(struct audit *audit) {
    sqlite3_stmt *rows = NULL;
    int code = SQLITE_ERROR;
    if (ask(audit,
            "SELECT r.number, r.salt, r.reason, a.why FROM audit_reasons AS r LEFT JOIN audit AS a "
            "ON a.number = r.number",
            &rows)) {
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            uint8_t hash[CHAIN_HASH_BYTES];
            audit->counted++;
            chain_why(part_of(rows, 1), part_of(rows, 2), hash);
            if (!is_hash(part_of(rows, 3), hash))
                audit_find(audit, "the reason kept for row %lld of the audit is not the one that was given",
                           (long long)sqlite3_column_int64(rows, 0));
        }
        sqlite3_finalize(rows);
    }
    if (code == SQLITE_DONE)
        audit_conclude(audit, REASON_WORDS, "reasons");
    else
        audit_give_up(audit, REASON_WORDS);
}

/* ---- shows ---- */

/* The newest row of each show, and the show. One that is older than the audit may have none. */
static const char shows[] =
    "SELECT s.show_id, s.event_name, s.start_time, s.settings, a.number, a.detail ->> 'event_name', "
    "a.detail ->> 'start_time', a.detail ->> 'settings', "
    "EXISTS (SELECT 1 FROM unaudited AS u WHERE u.id = s.show_id) "
    "FROM shows AS s LEFT JOIN audit AS a ON a.number = (SELECT max(number) FROM audit AS t "
    "WHERE t.show_id = s.show_id AND t.action LIKE 'show.%' AND json_valid(t.detail))";

static void check_show(struct audit *audit, sqlite3_stmt *row) {
    struct bytes id = column_bytes(row, 0), settings = column_bytes(row, 3);
    if (sqlite3_column_type(row, 4) == SQLITE_NULL) {
        if (!sqlite3_column_int(row, 8))
            audit_find(audit, "the audit does not tell of show %.*s", (int)id.length, id.at);
        return;
    }
    char text[32];
    struct id hash = hash_128(&settings, 1);
    hex_encode(hash.at, sizeof hash.at, text);
    if (!bytes_equal(column_bytes(row, 1), column_bytes(row, 5)) ||
        !bytes_equal(column_bytes(row, 2), column_bytes(row, 6)) ||
        !bytes_equal((struct bytes){text, sizeof text}, column_bytes(row, 7)))
        audit_find(audit, "show %.*s is not as row %lld of the audit says", (int)id.length, id.at,
                   (long long)sqlite3_column_int64(row, 4));
}

static void check_shows(struct audit *audit) {
    sqlite3_stmt *rows = NULL;
    int code = SQLITE_ERROR;
    if (ask(audit, shows, &rows)) {
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            audit->counted++;
            check_show(audit, rows);
        }
        sqlite3_finalize(rows);
    }
    if (code == SQLITE_DONE)
        audit_conclude(audit, SHOW_WORDS, "shows");
    else
        audit_give_up(audit, SHOW_WORDS);
}

void audit_chain_run(struct audit *audit) {
    check_chain(audit);
    check_persons(audit);
    check_reasons(audit);
    check_shows(audit);
}
