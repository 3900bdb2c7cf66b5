/* GET …/admin/audit: who did what, when and why, newest first, with the head that proves it (docs/audit.md). */
#include "api/handlers.h"

#define DEFAULT_PAGE 100
#define LARGEST_PAGE 1000

struct audit_page {
    struct json_writer writer;
    struct buffer *body;
    uint64_t last;
    uint32_t count;
};

static bool add_row(void *context, const struct audit_row *row) {
    struct audit_page *page = context;
    struct json_writer *writer = &page->writer;
    json_open(writer, '{');
    json_member_int(writer, "number", (int64_t)row->number);
    json_member_time(writer, "at", row->at_ms);
    json_member_string(writer, "actor", row->actor);
    json_member_string(writer, "action", row->action);
    json_key(writer, "show_id");
    if (id_is_none(&row->show_id))
        json_put_null(writer);
    else
        json_put_uuid(writer, &row->show_id);
    json_key(writer, "booking_id");
    if (id_is_none(&row->booking_id))
        json_put_null(writer);
    else
        json_put_letter_id(writer, 'b', &row->booking_id);
    json_key(writer, "detail");
    json_put_raw(writer, row->detail);
    json_key(writer, "reason");
    if (row->why.length)
        json_put_string(writer, row->why);
    else
        json_put_null(writer);
    json_close(writer, '}');
    page->last = row->number;
    page->count++;
    return buffer_ok(page->body);
}

struct audit_query {
    struct id show_id, booking_id;
    uint64_t before, limit;
};

/* False: refused, and answered. */
static bool read_query(struct call *call, struct audit_query *query) {
    struct bytes show = http_query(call->query, "show_id"), booking = http_query(call->query, "booking_id");
    struct bytes before = http_query(call->query, "before"), limit = http_query(call->query, "limit");
    *query = (struct audit_query){.limit = DEFAULT_PAGE};
    if (show.at && !id_parse_uuid(show, &query->show_id))
        call_refuse_field(call, "/show_id", "show_id has to be a show's id");
    else if (booking.at && !id_parse_letter(booking, 'b', &query->booking_id))
        call_refuse_field(call, "/booking_id", "booking_id has to be a booking's id");
    else if (before.at && (!bytes_to_u64(before, INT64_MAX, &query->before) || query->before < 1))
        call_refuse_field(call, "/before", "before has to be a row's number");
    else if (limit.at && (!bytes_to_u64(limit, LARGEST_PAGE, &query->limit) || query->limit < 1))
        call_refuse_field(call, "/limit", "limit has to be a number from 1 to 1000");
    else
        return true;
    return false;
}

/* "head": {"number", "hash"}: whoever keeps it can tell later whether anything up to it was changed. */
static enum result write_head(const struct ledger *ledger, struct ledger_reader *reader, struct json_writer *writer) {
    uint64_t number;
    uint8_t hash[32];
    char text[2 * sizeof hash];
    enum result result = ledger->read_audit_head(reader, &number, hash);
    if (result != RESULT_OK)
        return result;
    hex_encode(hash, sizeof hash, text);
    json_key(writer, "head");
    json_open(writer, '{');
    json_member_int(writer, "number", (int64_t)number);
    json_member_string(writer, "hash", (struct bytes){text, sizeof text});
    json_close(writer, '}');
    return RESULT_OK;
}

static void list_audit(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct ledger *ledger = call->api->ledger;
    struct audit_query query;
    if (!read_query(call, &query))
        return;
    struct buffer *body = call_scratch(call);
    struct audit_page page = {.body = body, .writer = json_writer(body)};
    json_open(&page.writer, '{');
    json_key(&page.writer, "rows");
    json_open(&page.writer, '[');
    enum result result = ledger->read_audit(reader, &query.show_id, &query.booking_id, query.before,
                                            (uint32_t)query.limit, add_row, &page);
    json_close(&page.writer, ']');
    json_key(&page.writer, "next");
    if (page.count == query.limit)
        json_put_int(&page.writer, (int64_t)page.last);
    else
        json_put_null(&page.writer);
    if (result == RESULT_OK)
        result = write_head(ledger, reader, &page.writer);
    json_close(&page.writer, '}');
    if (result != RESULT_OK || !buffer_ok(body)) {
        call_refuse(call, result == RESULT_OK ? RESULT_OVERLOADED : RESULT_LEDGER_UNAVAILABLE, NULL);
        return;
    }
    call_reply(call, 200, buffer_bytes(body));
}

void handle_admin_read_audit(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, list_audit);
}
