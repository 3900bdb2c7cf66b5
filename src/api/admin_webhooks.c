/* The operator's view of what others are told: how much of it waits, which events were given up and why, and to have
 * those tried again. Delivering is the courier's. */
#include "api/event_id.h"
#include "api/handlers.h"

#define DEFAULT_PAGE 100
#define LARGEST_PAGE 1000

/* ---- listing ---- */

struct dead_list {
    const struct ledger *ledger;
    struct json_writer writer;
    uint32_t count;
    char last[EVENT_ID_BYTES];
};

static bool add_event(void *context, const struct outbox_event *event) {
    struct dead_list *list = context;
    struct json_writer *writer = &list->writer;
    struct buffer type;
    buffer_init(&type, 200);
    buffer_add_text(&type, EVENT_TYPE_PREFIX);
    buffer_add_bytes(&type, event->type);
    json_open(writer, '{');
    event_id_format(list->ledger, event, list->last);
    json_member_text(writer, "event_id", list->last);
    json_member_string(writer, "type", buffer_bytes(&type));
    json_member_string(writer, "subject", event->subject);
    json_member_time(writer, "time", event->at_ms);
    json_member_int(writer, "attempts", event->attempts);
    json_member_string(writer, "why", event->why);
    json_close(writer, '}');
    buffer_release(&type);
    list->count++;
    return true;
}

static bool read_page(struct call *call, uint64_t *after, uint64_t *limit) {
    struct bytes limit_text = http_query(call->query, "limit"), after_text = http_query(call->query, "after");
    *after = 0;
    *limit = DEFAULT_PAGE;
    if (limit_text.at && (!bytes_to_u64(limit_text, LARGEST_PAGE, limit) || *limit < 1)) {
        call_refuse_field(call, "/limit", "limit has to be a number from 1 to 1000");
        return false;
    }
    if (after_text.at && !event_id_parse(call->api->ledger, after_text, after)) {
        call_refuse_field(call, "/after", "after has to be an event_id");
        return false;
    }
    return true;
}

static void list_dead(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    const struct ledger *ledger = call->api->ledger;
    uint64_t after, limit;
    if (!read_page(call, &after, &limit))
        return;
    struct buffer *body = call_scratch(call);
    struct dead_list list = {.ledger = ledger, .writer = json_writer(body)};
    struct json_writer *writer = &list.writer;
    int64_t waiting, dead, oldest_ms;
    enum result result = ledger->read_outbox_totals(reader, &waiting, &dead, &oldest_ms);
    if (result == RESULT_OK) {
        json_open(writer, '{');
        json_member_int(writer, "waiting", waiting);
        json_member_int(writer, "dead", dead);
        json_member_time(writer, "oldest_waiting_at", oldest_ms);
        json_key(writer, "events");
        json_open(writer, '[');
        result = ledger->read_outbox(reader, true, after, 0, (uint32_t)limit, add_event, &list);
    }
    if (result != RESULT_OK || !buffer_ok(body)) {
        call_refuse(call, result == RESULT_OK ? RESULT_OVERLOADED : RESULT_LEDGER_UNAVAILABLE, NULL);
        return;
    }
    json_close(writer, ']');
    json_member_text(writer, "next", list.count == limit ? list.last : NULL);
    json_close(writer, '}');
    call_reply(call, 200, buffer_bytes(body));
}

void handle_admin_list_webhooks(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, list_dead);
}

/* ---- trying again ---- */

static void write_retried(struct call *call, int64_t count) {
    struct json_writer writer = json_writer(call_scratch(call));
    json_open(&writer, '{');
    json_member_int(&writer, "retried", count);
    json_close(&writer, '}');
}

static void refuse_unknown(struct call *call) {
    call_refuse(call, RESULT_NOT_FOUND, "there is no such event, or it was not given up");
}

static void revival_is_written(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    if (command->result == RESULT_OK)
        call_keep_promise(call);
    else if (command->result == RESULT_NOT_FOUND)
        refuse_unknown(call);
    else
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

static void revive(struct call *call, uint64_t number, int64_t count) {
    write_retried(call, count);
    call->command = (struct ledger_command){.kind = LEDGER_REVIVE_OUTBOX, .actor = BYTES("operator")};
    call->command.outbox.number = number;
    call->command.outbox.now_ms = call->now_ms;
    call_promise(call, 200);
    (void)call_submit(call, revival_is_written);
}

/* The answer tells how many were dead when it was asked for. */
static void revive_all(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    int64_t waiting, dead, oldest_ms;
    if (call->api->ledger->read_outbox_totals(reader, &waiting, &dead, &oldest_ms) != RESULT_OK) {
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
    } else if (dead == 0) {
        write_retried(call, 0);
        call_reply(call, 200, buffer_bytes(&call->answer));
    } else {
        revive(call, 0, dead);
    }
}

void handle_admin_retry_webhooks(struct call *call) {
    json_t *document;
    if (!call_read_json(call, &document))
        return;
    const json_t *member = json_object_get(document, "event_id");
    bool all = !member, readable = all || json_is_string(member);
    uint64_t number = 0;
    bool known = readable && !all && event_id_parse(call->api->ledger, bytes_of(json_string_value(member)), &number);
    json_decref(document);
    if (!readable) {
        call_refuse_field(call, "/event_id", "event_id has to be a text");
        return;
    }
    if (!all && !known) {
        refuse_unknown(call);
        return;
    }
    call = call_park(call);
    if (!call)
        return;
    if (all)
        call_on_clerk(call, revive_all);
    else
        revive(call, number, 1);
}
