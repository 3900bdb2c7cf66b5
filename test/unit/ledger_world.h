/* A ledger in a folder of its own, with one show of rows A and B, seats A1 … B20, for tests. Steps wait for their
 * commit. */
#ifndef ONSALE_TEST_LEDGER_WORLD_H
#define ONSALE_TEST_LEDGER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "engines/sqlite/sqlite_ledger.h"

#define NOW INT64_C(1800000000000)
#define PRICE 5000

struct world {
    char folder[64];
    char file[96];
    struct sqlite_ledger_settings settings;
    struct plan *plan;
    struct id show;
    struct ledger ledger;
    bool is_open;
};

/* A folder and a plan; nothing is open yet. */
void world_make(struct world *world);
/* An open ledger with the show in it. */
void world_start(struct world *world, enum ledger_locking locking);
void world_open(struct world *world);
void world_close(struct world *world);
/* Closes what is open and removes the folder. */
void world_remove(struct world *world);

/* Opening is refused with these words in the detail. */
void world_is_refused(struct world *world, enum result expected, const char *words);

struct id world_id(unsigned number);
/* A PENDING booking with saga OPENED; `seats` as "A1 A2"; its id, reservation and user are made from `number`. */
struct booking world_booking(const struct world *world, unsigned number, const char *seats, uint64_t fence);

/* Commands. */
struct ledger_command command_open(struct booking *booking);
struct ledger_command command_step(struct booking *booking, enum saga_state from);
/* Sets the booking's status and saga to what a sale writes: CAPTURING, or DONE for `insert`. */
struct ledger_command command_sell(struct booking *booking, enum saga_state from, bool insert);
/* Of seats (indices), or of all when `count` is 0. */
struct ledger_command command_cancel(struct booking *booking, enum saga_state from, uint64_t version, uint32_t count,
                                     const uint32_t *seats);
struct ledger_command command_seats(const struct world *world, enum ledger_kind kind, uint32_t count,
                                    const struct seat_change *changes);
struct ledger_command command_raise(const struct world *world, uint32_t ceiling);
/* The place's claim `seconds` after NOW, by the user "fan-<fan>", for 300 seconds. */
struct ledger_command command_admit(const struct world *world, uint32_t number, unsigned fan, unsigned seconds);
struct ledger_command command_end_pass(const struct world *world, uint32_t number, int64_t ended_ms);
struct kept_answer answer_of(unsigned number, const char *body);

/* Runs one command to its end; its result. */
enum result world_do(struct world *world, struct ledger_command *command);
/* Runs them all in one commit. */
void world_do_together(struct world *world, struct ledger_command *commands, unsigned count);
enum result world_create_show(struct world *world);
/* Sells a free-standing booking in one command. */
enum result world_sell(struct world *world, unsigned number, const char *seats, uint64_t fence);

/* What is in the ledger now. */
struct seat_seen {
    enum seat_status status;
    uint64_t version;
    char owner[LIMIT_USER_ID_BYTES + 1];
};
struct seat_seen world_seat(struct world *world, const char *seat_id);
/* The booking, its seats as "A1 A2" in `seats` (room for 256, may be NULL). */
enum result world_read(struct world *world, unsigned number, struct booking *booking, char *seats);
/* The single integer or text that a query gives, asked on a connection of its own. */
int64_t world_ask(const struct world *world, const char *sql);
void world_ask_text(const struct world *world, const char *sql, char *text, size_t size);
/* Changes the file of a closed ledger. */
void world_damage(const struct world *world, const char *sql);
/* "A1" … "B20" to its index. */
uint32_t world_seat_index(const struct world *world, const char *seat_id);

#endif
