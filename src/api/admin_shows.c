/* The operator's shows: made from a plan, changed, opened, paused, closed; how they are doing. */
#include "api/admin_shows.h"
#include "api/handlers.h"
#include "api/media.h"
#include "api/room.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- making ---- */

/* A show on its way into the ledger. */
struct new_show {
    struct plan *plan; /* the sale's, once that is made */
    struct sale_terms terms;
    struct sale *sale;
    struct show_record record;
    struct buffer settings_json;
};

static void new_show_free(struct new_show *fresh) {
    buffer_release(&fresh->settings_json);
    if (fresh->sale)
        sale_free(fresh->sale);
    else
        plan_free(fresh->plan);
    free(fresh);
}

/* Where only the waiting room runs, in front of another site, a show has no seats to speak of: one place stands for
 * them all. */
static json_t *plan_of_a_gate(void) {
    static const char text[] = "{\"sections\":[{\"name\":\"Gate\",\"capacity\":1,\"category\":\"Gate\"}],"
                               "\"prices\":{\"Gate\":{\"amount\":0,\"currency\":\"EUR\"}}}";
    json_t *document;
    char detail[120];
    return json_parse((struct bytes){text, sizeof text - 1}, &document, detail, sizeof detail) == RESULT_OK ? document
                                                                                                            : NULL;
}

/* Reads the whole document. False: refused, and answered. */
static bool read_new_show(struct call *call, const json_t *document, struct new_show *fresh) {
    struct sale_fault fault = {0};
    const json_t *plan_document = json_object_get(document, "plan");
    if (!plan_document && (call->api->roles & ROLE_SEATS)) {
        call_refuse_field(call, "/plan", "plan is missing");
        return false;
    }
    char pointer[160] = "";
    json_t *gate_plan = plan_document ? NULL : plan_of_a_gate();
    if (gate_plan)
        plan_document = gate_plan;
    enum result result =
        plan_read(plan_document, &fresh->plan, pointer, sizeof pointer, fault.detail, sizeof fault.detail);
    sale_default_terms(&fresh->terms);
    if (result == RESULT_OK) {
        result = sale_read_prices(plan_document, fresh->plan, &fresh->terms, &fault);
        snprintf(pointer, sizeof pointer, "%.*s", (int)sizeof pointer - 1, fault.pointer);
    }
    json_decref(gate_plan);
    if (result == RESULT_INVALID_FIELD) {
        snprintf(fault.pointer, sizeof fault.pointer, "/plan%s", pointer);
        call_refuse_field(call, fault.pointer, fault.detail);
        return false;
    }
    if (result != RESULT_OK) {
        call_refuse(call, result, NULL);
        return false;
    }
    result = sale_read_terms(document, fresh->plan, &fresh->terms, &fault);
    if (result == RESULT_OK && fresh->terms.room.beacon_value[0] && fresh->terms.room.order == ROOM_SHUFFLED) {
        snprintf(fault.pointer, sizeof fault.pointer, "/waiting_room/beacon_value");
        snprintf(fault.detail, sizeof fault.detail, "the beacon's value is told at the opening");
        result = RESULT_INVALID_FIELD;
    }
    if (result != RESULT_OK) {
        call_refuse_field(call, fault.pointer, fault.detail);
        return false;
    }
    return true;
}

/* What the call will be answered with. */
static void promise_show(struct call *call, const struct sale_terms *terms, int64_t updated_ms, unsigned status) {
    struct json_writer writer = json_writer(call_scratch(call));
    sale_write_changed(call->sale, terms, updated_ms, call->now_ms, &writer);
    call_promise(call, status);
}

/* On the clerk's thread: the show is in the ledger. */
static void list_new_show(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct new_show *fresh = call->context;
    enum result result = api->services.know_show(api->services.runtime, fresh->sale);
    /* Fans may come at once: their room is there before the show is. */
    if (result == RESULT_OK && room_is_wanted(fresh->sale, call->now_ms))
        room_open(api, fresh->sale, reader); /* said in the log; tried again later */
    if (result == RESULT_OK)
        result = sale_list_add(api->sales, fresh->sale);
    atomic_fetch_sub(&api->shows_being_made, 1);
    if (result == RESULT_OK) {
        log_info("show made", LOG_INT("seats", fresh->sale->plan->seat_count),
                 LOG_STRING("event_name", fresh->terms.event_name));
        fresh->sale = NULL;
        fresh->plan = NULL;
    } else {
        log_error("a show that was made will be there after a restart only", LOG_STRING("why", result_name(result)));
    }
    new_show_free(fresh);
    call_keep_promise(call);
}

static void forget_new_show(struct clerk_job *job, struct ledger_reader *reader) {
    (void)reader;
    struct call *call = call_of_job(job);
    atomic_fetch_sub(&call->api->shows_being_made, 1);
    new_show_free(call->context);
    call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

static void show_is_written(struct ledger_command *command) {
    call_on_clerk(call_of_command(command), command->result == RESULT_OK ? list_new_show : forget_new_show);
}

/* Makes the sale, which owns the plan from here, and what the ledger keeps of it. */
static enum result prepare_new_show(struct call *call, struct new_show *fresh) {
    struct id show_id = id_new_uuid7(call->now_ms);
    struct plan *plan = fresh->plan;
    fresh->plan = NULL;
    enum result result = sale_new(&show_id, plan, &fresh->terms, call->api->ledger->epoch, call->now_ms, &fresh->sale);
    if (result != RESULT_OK)
        return result;
    const struct blob *plan_json = fresh->sale->plan_json; /* what fans get is what is kept */
    sale_write_settings(&fresh->terms, plan, &fresh->settings_json);
    fresh->record = (struct show_record){.show_id = show_id,
                                         .event_name = bytes_of(fresh->terms.event_name),
                                         .start_ms = fresh->terms.start_ms,
                                         .plan_hash = plan->hash,
                                         .plan_json = {plan_json->at, plan_json->length},
                                         .settings_json = buffer_bytes(&fresh->settings_json),
                                         .created_ms = call->now_ms,
                                         .updated_ms = call->now_ms};
    return buffer_ok(&fresh->settings_json) ? RESULT_OK : RESULT_OVERLOADED;
}

static void write_new_show(struct call *call, struct new_show *fresh) {
    struct api *api = call->api;
    if (atomic_load(&api->sales->count) + atomic_load(&api->shows_being_made) >= LIMIT_SHOWS) {
        new_show_free(fresh);
        call_refuse(call, RESULT_OVERLOADED, "this server has as many shows as it takes");
        return;
    }
    enum result result = prepare_new_show(call, fresh);
    if (result != RESULT_OK) {
        new_show_free(fresh);
        call_refuse(call, result, NULL);
        return;
    }
    call->sale = fresh->sale;
    call->context = fresh;
    call->command = (struct ledger_command){.kind = LEDGER_CREATE_SHOW, .actor = BYTES("operator")};
    call->command.show.record = &fresh->record;
    call->command.show.plan = fresh->sale->plan;
    promise_show(call, &fresh->terms, call->now_ms, 201);
    atomic_fetch_add(&api->shows_being_made, 1);
    if (!call_submit(call, show_is_written)) {
        atomic_fetch_sub(&api->shows_being_made, 1);
        new_show_free(fresh);
    }
}

/* On the clerk's thread: a stadium's plan takes a tenth of a second to read. */
static void make_show(struct clerk_job *job, struct ledger_reader *reader) {
    (void)reader;
    struct call *call = call_of_job(job);
    json_t *document;
    if (!call_read_json(call, &document))
        return;
    struct new_show *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        json_decref(document);
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    buffer_init(&fresh->settings_json, 256 * 1024);
    bool understood = read_new_show(call, document, fresh);
    json_decref(document);
    malloc_trim(0); /* a large document was tens of megabytes of small pieces */
    if (understood)
        write_new_show(call, fresh);
    else
        new_show_free(fresh);
}

void handle_admin_make_show(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, make_show);
}

/* ---- changing ---- */

struct change {
    struct sale_terms terms;
    char image_before[MEDIA_NAME_BYTES];
    struct show_image image;
    struct show_record record;
    struct buffer settings_json;
};

static void change_free(struct change *change) {
    buffer_release(&change->settings_json);
    free(change);
}

static void change_is_written(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    struct change *change = call->context;
    if (command->result == RESULT_OK) {
        sale_set_terms(call->sale, &change->terms, change->record.updated_ms);
        if (strcmp(change->image_before, change->terms.image) != 0)
            media_forget(call->api, change->image_before);
        call_keep_promise(call);
    } else {
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
    }
    change_free(change);
}

static void promise_image(struct call *call, const struct sale_terms *terms) {
    struct json_writer writer = json_writer(call_scratch(call));
    json_open(&writer, '{');
    sale_write_image(terms, &writer);
    json_close(&writer, '}');
    call_promise(call, 200);
}

/* Writes the terms to the ledger, then they count; `action` is the audit's word for it. Changes are made on the
 * operator's reactor alone, one after another. `image`: NULL where the picture stays.
 */
static void change_show(struct call *call, const struct sale_terms *terms, const char *action,
                        const struct show_image *image) {
    struct sale_terms before;
    struct sale_fault fault = {0};
    sale_copy_wanted(call->sale, &before);
    if (sale_want(call->sale, terms, &fault) != RESULT_OK) {
        call_refuse(call, RESULT_CONFLICT, fault.detail);
        return;
    }
    struct sale *sale = call->sale;
    call = call_park(call);
    struct change *change = call ? calloc(1, sizeof *change) : NULL;
    if (!change) {
        sale_set_wanted(sale, &before);
        if (call)
            call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    change->terms = *terms;
    buffer_init(&change->settings_json, 256 * 1024);
    sale_write_settings(&change->terms, call->sale->plan, &change->settings_json);
    change->record = (struct show_record){.show_id = call->sale->show_id,
                                          .event_name = bytes_of(change->terms.event_name),
                                          .start_ms = change->terms.start_ms,
                                          .plan_hash = call->sale->plan->hash,
                                          .settings_json = buffer_bytes(&change->settings_json),
                                          .created_ms = call->sale->created_ms,
                                          .updated_ms = call->now_ms};
    call->context = change;
    call->command = (struct ledger_command){.kind = LEDGER_CHANGE_SHOW, .actor = BYTES("operator")};
    call->command.show.action = bytes_of(action);
    call->command.show.record = &change->record;
    memcpy(change->image_before, before.image, sizeof change->image_before);
    if (image) {
        change->image = *image;
        if (terms->image[0])
            change->image.bytes = call->body; /* the parked call's own */
        call->command.show.image = &change->image;
        promise_image(call, terms);
    } else {
        promise_show(call, terms, call->now_ms, 200);
    }
    if (!call_submit(call, change_is_written)) {
        sale_set_wanted(sale, &before);
        change_free(change);
    }
}

static void change_terms(struct call *call, const struct sale_terms *terms, const char *action) {
    change_show(call, terms, action, NULL);
}

void change_show_image(struct call *call, const struct sale_terms *terms, const char *action,
                       const struct show_image *image) {
    change_show(call, terms, action, image);
}

/* What a hold will cost is a number of its show's currency: while seats are held or sold, or may be, it stays. */
static enum result check_currency(struct call *call, const char *before, const char *wanted, struct sale_fault *fault) {
    struct show_counts counts;
    if (strcmp(before, wanted) == 0)
        return RESULT_OK;
    show_lock(call->sale->show);
    show_count(call->sale->show, &counts);
    show_unlock(call->sale->show);
    if (counts.held + counts.booked == 0 && sale_is_open(call->sale, call->now_ms) != RESULT_OK)
        return RESULT_OK;
    snprintf(fault->pointer, sizeof fault->pointer, "/prices");
    snprintf(fault->detail, sizeof fault->detail,
             "the currency cannot be changed while the show is on sale, or any seat is held or sold");
    return RESULT_INVALID_FIELD;
}

void handle_admin_change_show(struct call *call) {
    json_t *document;
    if (!call_read_json(call, &document))
        return;
    struct sale_terms terms;
    struct sale_fault fault = {0};
    sale_copy_wanted(call->sale, &terms);
    enum result result = RESULT_OK;
    if (json_object_get(document, "plan")) {
        snprintf(fault.pointer, sizeof fault.pointer, "/plan");
        snprintf(fault.detail, sizeof fault.detail, "a show's plan cannot be changed; make another show");
        result = RESULT_INVALID_FIELD;
    } else {
        char before[sizeof terms.seats.currency];
        memcpy(before, terms.seats.currency, sizeof before);
        result = sale_read_terms(document, call->sale->plan, &terms, &fault);
        if (result == RESULT_OK)
            result = check_currency(call, before, terms.seats.currency, &fault);
    }
    json_decref(document);
    if (result != RESULT_OK)
        call_refuse_field(call, fault.pointer, fault.detail);
    else
        change_terms(call, &terms, "show.changed");
}

static void set_hand(struct call *call, enum sale_hand hand, const char *action) {
    struct sale_terms terms;
    sale_copy_wanted(call->sale, &terms);
    if (hand == SALE_PAUSED && terms.hand != SALE_PAUSED)
        terms.resumes_to = terms.hand == SALE_OPENED ? SALE_OPENED : SALE_AUTO;
    terms.hand = hand;
    change_terms(call, &terms, action);
}

void handle_admin_open(struct call *call) {
    set_hand(call, SALE_OPENED, "show.opened");
}

void handle_admin_pause(struct call *call) {
    set_hand(call, SALE_PAUSED, "show.paused");
}

/* Back to what it was before the pause: by its time, or opened by hand. A show that is not paused stays as it is. */
void handle_admin_resume(struct call *call) {
    struct sale_terms terms;
    sale_copy_wanted(call->sale, &terms);
    set_hand(call, terms.hand == SALE_PAUSED ? terms.resumes_to : terms.hand, "show.resumed");
}

void handle_admin_close(struct call *call) {
    set_hand(call, SALE_CLOSED, "show.closed");
}

/* ---- how it is doing ---- */

static void write_refusals(struct json_writer *writer) {
    json_key(writer, "refusals");
    json_open(writer, '{');
    for (int i = 0; i < RESULT_COUNT; i++)
        if (metric_refusals((enum result)i))
            json_member_int(writer, problem_code((enum result)i), metric_refusals((enum result)i));
    json_close(writer, '}');
}

static void write_latency(struct json_writer *writer, const char *name, enum timing timing) {
    static const struct {
        const char *key;
        double quantile;
    } quantiles[] = {{"p50_seconds", 0.5}, {"p95_seconds", 0.95}, {"p99_seconds", 0.99}};
    json_key(writer, name);
    json_open(writer, '{');
    json_member_int(writer, "count", timing_count(timing));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        json_key(writer, quantiles[i].key);
        json_put_float(writer, (double)timing_quantile(timing, quantiles[i].quantile) / 1e6);
    }
    json_close(writer, '}');
}

static void write_counts(struct call *call, struct json_writer *writer) {
    struct show_counts counts;
    show_lock(call->sale->show);
    show_count(call->sale->show, &counts);
    show_unlock(call->sale->show);
    json_member_int(writer, "capacity", counts.capacity);
    json_member_int(writer, "available", counts.available);
    json_member_int(writer, "held", counts.held);
    json_member_int(writer, "booked", counts.booked);
    json_member_int(writer, "blocked", counts.blocked);
    json_member_int(writer, "holds", counts.holds_held);
    json_member_int(writer, "payments_open", counts.holds_paying);
}

static void write_totals(const struct ledger_totals *totals, const char *currency, struct json_writer *writer) {
    json_key(writer, "bookings");
    json_open(writer, '{');
    json_member_int(writer, "confirmed", totals->confirmed);
    json_member_int(writer, "pending", totals->pending);
    json_member_int(writer, "cancelled", totals->cancelled);
    json_member_int(writer, "tickets", totals->tickets);
    json_close(writer, '}');
    json_key(writer, "revenue");
    json_open(writer, '{');
    json_member_int(writer, "amount", totals->revenue);
    json_member_int(writer, "refunded", totals->refunded);
    json_member_text(writer, "currency", currency);
    json_close(writer, '}');
}

static void read_stats(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct ledger_totals totals;
    if (call->api->ledger->read_totals(reader, &call->sale->show_id, &totals) != RESULT_OK) {
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
        return;
    }
    struct sale_terms terms;
    sale_copy_terms(call->sale, &terms, NULL);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    json_open(&writer, '{');
    json_key(&writer, "show_id");
    json_put_uuid(&writer, &call->sale->show_id);
    json_member_time(&writer, "now", call->now_ms);
    json_member_text(&writer, "status", sale_status_name(sale_status_under(call->sale, &terms, call->now_ms)));
    write_counts(call, &writer);
    write_totals(&totals, terms.seats.currency, &writer);
    json_key(&writer, "queue");
    if (atomic_load(&call->sale->room))
        room_write_stats(atomic_load(&call->sale->room), &writer);
    else
        json_put_null(&writer);
    json_key(&writer, "server");
    json_open(&writer, '{');
    json_member_int(&writer, "holds_per_minute", atomic_load(&call->api->holds_per_minute));
    json_member_int(&writer, "bookings_per_minute", atomic_load(&call->api->bookings_per_minute));
    write_refusals(&writer);
    json_key(&writer, "latency");
    json_open(&writer, '{');
    write_latency(&writer, "reserve", TIMING_RESERVE_SECONDS);
    write_latency(&writer, "confirm", TIMING_CONFIRM_SECONDS);
    write_latency(&writer, "gateway", TIMING_GATEWAY_CALL_SECONDS);
    write_latency(&writer, "ledger", TIMING_LEDGER_COMMAND_SECONDS);
    json_close(&writer, '}');
    json_close(&writer, '}');
    json_close(&writer, '}');
    call_reply(call, 200, buffer_bytes(body));
}

void handle_admin_read_stats(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, read_stats);
}
