#include "engines/sqlite/audit.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engines/sqlite/audit_private.h"
#include "engines/sqlite/database.h"
#include "engines/sqlite/migrations.h"
#include "engines/sqlite/sqlite_ledger.h"

#define BUSY_MS 5000
#define CACHE_KIB (32 * 1024)

struct check {
    const char *words, *unit, *count, *differences;
};

static const struct check checks[] = {
#define CHECK(words, unit, count, differences) {words, unit, count, differences},
#include "engines/sqlite/audit_checks.def"
#undef CHECK
};

void audit_give_up(struct audit *audit, const char *words) {
    char text[600];
    (void)snprintf(text, sizeof text, "it cannot be checked that %s: %s", words, sqlite3_errmsg(audit->db));
    audit->listener->difference(audit->listener->context, text);
    audit->found = audit->counted = 0;
}

void audit_find(struct audit *audit, const char *format, ...) {
    if (++audit->found > AUDIT_DIFFERENCES)
        return;
    char text[1000];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    audit->listener->difference(audit->listener->context, text);
}

void audit_conclude(struct audit *audit, const char *words, const char *unit) {
    char text[400];
    if (audit->found > AUDIT_DIFFERENCES) {
        (void)snprintf(text, sizeof text, "… and %lld more of these", (long long)(audit->found - AUDIT_DIFFERENCES));
        audit->listener->difference(audit->listener->context, text);
    }
    if (audit->found)
        (void)snprintf(text, sizeof text, "NOT SO: %s (%lld %s, %lld differences)", words, (long long)audit->counted,
                       unit, (long long)audit->found);
    else
        (void)snprintf(text, sizeof text, "%s (%lld %s)", words, (long long)audit->counted, unit);
    audit->listener->check(audit->listener->context, text);
    audit->found = audit->counted = 0;
}

static bool count(struct audit *audit, const struct check *check) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(audit->db, check->count, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        audit->counted = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

/* True if the check could be made. */
static bool find_differences(struct audit *audit, const struct check *check) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(audit->db, check->differences, -1, &statement, NULL) != SQLITE_OK) {
        sqlite3_finalize(statement);
        return false;
    }
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text && strcmp(text, "ok") == 0) /* PRAGMA integrity_check says so in a row */
            continue;
        audit_find(audit, "%s", text ? text : "(out of memory)");
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

static void run_check(struct audit *audit, const struct check *check) {
    if (count(audit, check) && find_differences(audit, check))
        audit_conclude(audit, check->words, check->unit);
    else
        audit_give_up(audit, check->words);
}

/* All checks see one snapshot. */
static enum result run_checks(struct audit *audit, const char *path, const struct detail *detail) {
    if (!database_run(audit->db, "BEGIN"))
        return detail_of_sqlite(detail, audit->db, path, "reading it");
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        run_check(audit, &checks[i]);
    audit_chain_run(audit);
    sqlite3_exec(audit->db, "ROLLBACK", NULL, NULL, NULL);
    return RESULT_OK;
}

enum result audit_run(const char *folder, const struct audit_listener *listener, char *fault, size_t fault_size) {
    struct detail detail = {fault, fault_size};
    struct audit audit = {.listener = listener};
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, SQLITE_LEDGER_FILE) >= (int)sizeof path) {
        detail_set(&detail, "the name of the folder '%s' is too long", folder);
        return RESULT_IO_ERROR;
    }
    if (access(path, F_OK) != 0) {
        detail_set(&detail, "there is no ledger in '%s'", folder);
        return RESULT_NOT_FOUND;
    }
    enum result result = database_open_to_read(path, NULL, BUSY_MS, CACHE_KIB, &detail, &audit.db);
    if (result != RESULT_OK)
        return result;
    result = migrations_check(audit.db, path, &ledger_migrations, &detail);
    if (result == RESULT_NOT_FOUND)
        detail_set(&detail, "the ledger in '%s' is empty", folder);
    if (result == RESULT_OK)
        result = run_checks(&audit, path, &detail);
    sqlite3_close(audit.db);
    return result;
}
