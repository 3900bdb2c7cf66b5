#include "disk.h"
#include "memory.h"
#include "world.h"

void disk_init(struct disk *disk, uint32_t seats) {
    *disk = (struct disk){.record.is_whole = true};
    disk->ledger.seat_status = memory_new(seats, sizeof *disk->ledger.seat_status);
    disk->ledger.seat_version = memory_new(seats, sizeof *disk->ledger.seat_version);
    disk->ledger.seat_row = memory_new(seats, sizeof *disk->ledger.seat_row);
}

void disk_release(struct disk *disk) {
    struct ledger_image *ledger = &disk->ledger;
    for (uint32_t i = 0; i < ledger->count; i++)
        memory_free(ledger->writes[ledger->first + i].changes);
    memory_free(ledger->writes);
    memory_free(ledger->rows);
    memory_free(ledger->seat_status);
    memory_free(ledger->seat_version);
    memory_free(ledger->seat_row);
    memory_free(ledger->admissions);
    memory_free(ledger->admission_of);
    memory_free(disk->record.lines);
    memory_free(disk->journal.taken);
    memory_free(disk->journal.lines);
}

/* ---- what a committed write does ---- */

static enum result apply_step(struct ledger_image *ledger, const struct ledger_write *write) {
    struct row *row = &ledger->rows[write->row];
    if (row->saga != write->from)
        return RESULT_CONFLICT;
    *row = write->content;
    return RESULT_OK;
}

static enum result apply_sale(struct world *world, const struct ledger_write *write) {
    struct ledger_image *ledger = &world->disk.ledger;
    struct row *row = &ledger->rows[write->row];
    uint64_t version = write->content.fence + 1;
    if (row->saga != write->from || row->status == BOOKING_CONFIRMED)
        return RESULT_CONFLICT;
    for (uint32_t i = 0; i < row->seat_count; i++) {
        uint32_t seat = row->seats[i];
        if (ledger->seat_row[seat] || ledger->seat_status[seat] == SEAT_BOOKED || ledger->seat_version[seat] >= version)
            return RESULT_CONFLICT;
    }
    for (uint32_t i = 0; i < row->seat_count; i++) {
        uint32_t seat = row->seats[i];
        ledger->seat_row[seat] = write->row + 1;
        ledger->seat_status[seat] = SEAT_BOOKED;
        ledger->seat_version[seat] = version;
    }
    *row = write->content;
    return RESULT_OK;
}

static enum result apply_cancel(struct world *world, const struct ledger_write *write) {
    struct ledger_image *ledger = &world->disk.ledger;
    struct row *row = &ledger->rows[write->row];
    if (row->saga != write->from || row->status != BOOKING_CONFIRMED)
        return RESULT_CONFLICT;
    for (uint32_t i = 0; i < write->gone_count; i++)
        if (ledger->seat_row[write->gone[i]] != write->row + 1 ||
            ledger->seat_version[write->gone[i]] >= write->seat_version)
            return RESULT_CONFLICT;
    for (uint32_t i = 0; i < write->gone_count; i++) {
        uint32_t seat = write->gone[i];
        ledger->seat_row[seat] = 0;
        ledger->seat_status[seat] = SEAT_AVAILABLE;
        ledger->seat_version[seat] = write->seat_version;
    }
    *row = write->content;
    return RESULT_OK;
}

static void apply_seats(struct ledger_image *ledger, const struct ledger_write *write) {
    for (uint32_t i = 0; i < write->change_count; i++) {
        const struct seat_change *change = &write->changes[i];
        if (ledger->seat_version[change->seat] >= change->version || ledger->seat_status[change->seat] == SEAT_BOOKED)
            continue;
        ledger->seat_status[change->seat] = change->status;
        ledger->seat_version[change->seat] = change->version;
    }
}

const struct admission_row *ledger_admission(const struct ledger_image *ledger, uint32_t number) {
    uint32_t at = number < ledger->admission_of_room ? ledger->admission_of[number] : 0;
    return at ? &ledger->admissions[at - 1] : NULL;
}

static void apply_admission(struct ledger_image *ledger, const struct ledger_write *write) {
    uint32_t number = write->admission.number, before = ledger->admission_of_room;
    if (ledger_admission(ledger, number))
        return;
    ledger->admission_of =
        memory_grow(ledger->admission_of, &ledger->admission_of_room, number + 1, sizeof *ledger->admission_of);
    for (uint32_t i = before; i < ledger->admission_of_room; i++)
        ledger->admission_of[i] = 0;
    ledger->admissions = memory_grow(ledger->admissions, &ledger->admission_room, ledger->admission_count + 1,
                                     sizeof *ledger->admissions);
    ledger->admissions[ledger->admission_count++] = write->admission;
    ledger->admission_of[number] = ledger->admission_count;
}

static void apply_end(struct ledger_image *ledger, const struct ledger_write *write) {
    uint32_t at =
        write->admission.number < ledger->admission_of_room ? ledger->admission_of[write->admission.number] : 0;
    if (at && !ledger->admissions[at - 1].ended_ms)
        ledger->admissions[at - 1].ended_ms = write->admission.ended_ms;
}

static void apply(struct world *world, struct ledger_write *write) {
    struct ledger_image *ledger = &world->disk.ledger;
    write->result = RESULT_OK;
    switch (write->kind) {
    case LEDGER_OPEN_BOOKING:
        ledger->rows = memory_grow(ledger->rows, &ledger->row_room, ledger->row_count + 1, sizeof *ledger->rows);
        write->row = ledger->row_count++;
        ledger->rows[write->row] = write->content;
        break;
    case LEDGER_STEP_BOOKING:
        write->result = apply_step(ledger, write);
        break;
    case LEDGER_SELL:
        write->result = apply_sale(world, write);
        break;
    case LEDGER_CANCEL_SOLD:
        write->result = apply_cancel(world, write);
        break;
    case LEDGER_WRITE_SEATS:
        apply_seats(ledger, write);
        break;
    case LEDGER_RAISE_QUEUE:
        ledger->ceiling = write->ceiling > ledger->ceiling ? write->ceiling : ledger->ceiling;
        break;
    case LEDGER_ADMIT:
        apply_admission(ledger, write);
        break;
    case LEDGER_END_PASS:
        apply_end(ledger, write);
        break;
    default:
        world_broken(world, "the simulator has no write of kind %d", (int)write->kind);
    }
    checks_committed(world, write);
}

/* ---- groups ---- */

static void begin_group(struct world *world) {
    struct ledger_image *ledger = &world->disk.ledger;
    if (ledger->group || !ledger->count)
        return;
    ledger->group = ledger->count < LIMIT_LEDGER_GROUP ? ledger->count : LIMIT_LEDGER_GROUP;
    struct chance *chance = &world->server_chance;
    int64_t takes_ms = 1 + chance_below(chance, 4);
    if (world_has(world, FAULT_disk) && chance_permille(chance, 5))
        takes_ms = chance_between(chance, 100, 4000);
    events_add(&world->events, world->now_ms + takes_ms, EVENT_COMMIT, world->server.life, 0, 0);
}

void ledger_submit(struct world *world, const struct ledger_write *write) {
    struct ledger_image *ledger = &world->disk.ledger;
    if (ledger->first > 1024 && ledger->first > ledger->count) {
        memmove(ledger->writes, ledger->writes + ledger->first, ledger->count * sizeof *ledger->writes);
        ledger->first = 0;
    }
    ledger->writes =
        memory_grow(ledger->writes, &ledger->room, ledger->first + ledger->count + 1, sizeof *ledger->writes);
    ledger->writes[ledger->first + ledger->count++] = *write;
    begin_group(world);
}

/* Takes the first write off. */
static struct ledger_write next_write(struct ledger_image *ledger) {
    ledger->count--;
    return ledger->writes[ledger->first++];
}

void ledger_committed(struct world *world) {
    struct ledger_image *ledger = &world->disk.ledger;
    uint32_t group = ledger->group;
    for (uint32_t i = 0; i < group; i++)
        apply(world, &ledger->writes[ledger->first + i]);
    for (uint32_t i = 0; i < group; i++) {
        struct ledger_write write = next_write(ledger);
        server_written(world, &write);
        memory_free(write.changes);
    }
    ledger->group = 0;
    begin_group(world);
}

void ledger_crash(struct world *world) {
    struct ledger_image *ledger = &world->disk.ledger;
    if (ledger->group && chance_permille(&world->faults_chance, 500))
        for (uint32_t i = 0; i < ledger->group; i++)
            apply(world, &ledger->writes[ledger->first + i]);
    while (ledger->count) {
        struct ledger_write write = next_write(ledger);
        memory_free(write.changes);
    }
    ledger->first = ledger->group = 0;
}

/* ---- the record and the journal ---- */

void record_append(struct world *world, enum record_kind kind, uint32_t number, int64_t open_ms) {
    struct record_image *record = &world->disk.record;
    record->lines = memory_grow(record->lines, &record->room, record->count + 1, sizeof *record->lines);
    record->lines[record->count++] = (struct record_line){.kind = (uint8_t)kind, .number = number, .open_ms = open_ms};
}

/* Up to a seal: the last one that is known to be on disk, or one that may have come there since. */
uint32_t record_left_after_power_loss(struct world *world) {
    const struct record_image *record = &world->disk.record;
    for (uint32_t count = record->count; count > record->sealed; count--)
        if (record->lines[count - 1].kind == RECORD_HEAD && chance_permille(&world->faults_chance, 300))
            return count;
    return record->sealed;
}

void journal_append(struct world *world, uint32_t taken, enum journal_word word, uint8_t payments_begun) {
    struct journal_image *journal = &world->disk.journal;
    journal->lines = memory_grow(journal->lines, &journal->room, journal->count + 1, sizeof *journal->lines);
    journal->lines[journal->count++] = (struct journal_line){
        .taken = taken, .word = (uint8_t)word, .payments_begun = payments_begun, .at_ms = world->now_ms};
}
