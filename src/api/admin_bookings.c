/* The operator's bookings, of one show or of all: a page of them as JSON, all of them as CSV. */
#include "api/handlers.h"
#include "base/clock.h"
#include "base/container.h"
#include "bookings/saga.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_PAGE 100
#define LARGEST_PAGE 1000

/* ---- listing ---- */

struct listing {
    struct json_writer writer;
    struct buffer *body;
    struct id last;
    uint32_t count;
};

static bool add_json(void *context, const struct booking *booking) {
    struct listing *listing = context;
    write_booking(&listing->writer, booking, true);
    listing->last = booking->id;
    listing->count++;
    return buffer_ok(listing->body);
}

/* RFC 4180; a field that a spreadsheet would take for a formula gets an apostrophe in front. */
static void add_csv_field(struct buffer *out, struct bytes text) {
    bool formula = text.length && strchr("=+-@\t\r", text.at[0]);
    buffer_add_char(out, '"');
    if (formula)
        buffer_add_char(out, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"')
            buffer_add_char(out, '"');
        buffer_add_char(out, text.at[i]);
    }
    buffer_add_char(out, '"');
}

static void add_csv_time(struct buffer *out, int64_t ms) {
    char text[CLOCK_TEXT_BYTES];
    if (ms)
        buffer_add(out, text, clock_format(ms, text));
}

static bool add_csv(void *context, const struct booking *booking) {
    struct listing *listing = context;
    struct buffer *out = listing->body;
    char id[ID_LETTER_TEXT];
    id_format_letter(&booking->id, 'b', id);
    buffer_add(out, id, sizeof id);
    buffer_add_char(out, ',');
    add_csv_field(out, user_bytes(&booking->user));
    buffer_printf(out, ",%s,%s,", booking_status_name(booking->status), payment_state_name(booking->payment_state));
    struct buffer seats;
    buffer_init(&seats, LIMIT_SEATS_PER_HOLD * (LIMIT_SEAT_ID_BYTES + 1));
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        if (i)
            buffer_add_char(&seats, ' ');
        buffer_add_bytes(&seats, booking->seat_ids[i]);
    }
    add_csv_field(out, buffer_bytes(&seats));
    buffer_release(&seats);
    buffer_printf(out, ",%lld,%lld,%s,", (long long)booking->amount, (long long)booking->refunded, booking->currency);
    add_csv_time(out, booking->created_ms);
    buffer_add_char(out, ',');
    add_csv_time(out, booking->confirmed_ms);
    buffer_add_text(out, "\r\n");
    return buffer_ok(out);
}

static bool read_filter(struct call *call, struct booking_filter *filter, bool *csv) {
    struct bytes status = http_query(call->query, "status");
    struct bytes payment = http_query(call->query, "payment_state");
    struct bytes limit = http_query(call->query, "limit");
    struct bytes after = http_query(call->query, "after");
    struct bytes format = http_query(call->query, "format");
    uint64_t number = DEFAULT_PAGE;
    if (status.at) {
        for (int i = BOOKING_PENDING; i <= BOOKING_CANCELLED; i++)
            if (bytes_equal(status, bytes_of(booking_status_name((enum booking_status)i))))
                filter->status = booking_status_name((enum booking_status)i);
        if (!filter->status) {
            call_refuse_field(call, "/status", "status has to be PENDING, CONFIRMED or CANCELLED");
            return false;
        }
    }
    if (payment.at) {
        for (int i = PAYMENT_STATE_NONE; i <= PAYMENT_STATE_REVIEW; i++)
            if (bytes_equal(payment, bytes_of(payment_state_name((enum payment_state)i))))
                filter->payment_state = payment_state_name((enum payment_state)i);
        if (!filter->payment_state) {
            call_refuse_field(call, "/payment_state",
                              "payment_state has to be NONE, AUTHORIZED, CAPTURED, VOIDED, REFUNDED or REVIEW");
            return false;
        }
    }
    if (limit.at && (!bytes_to_u64(limit, LARGEST_PAGE, &number) || number < 1)) {
        call_refuse_field(call, "/limit", "limit has to be a number from 1 to 1000");
        return false;
    }
    if (after.at && !id_parse_letter(after, 'b', &filter->after)) {
        call_refuse_field(call, "/after", "after has to be a booking_id");
        return false;
    }
    if (format.at && !bytes_equal(format, BYTES("csv")) && !bytes_equal(format, BYTES("json"))) {
        call_refuse_field(call, "/format", "format has to be json or csv");
        return false;
    }
    *csv = format.at ? bytes_equal(format, BYTES("csv")) : call->wants_csv;
    filter->limit = *csv ? 0 : (uint32_t)number;
    filter->show_id = call->sale ? &call->sale->show_id : NULL;
    return true;
}

static void list_bookings(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct ledger *ledger = call->api->ledger;
    struct booking_filter filter = {0};
    bool csv;
    if (!read_filter(call, &filter, &csv))
        return;
    struct buffer *body = call_scratch(call);
    struct listing listing = {.body = body, .writer = json_writer(body)};
    if (csv) {
        buffer_add_text(
            body,
            "booking_id,user_id,status,payment_state,seat_ids,amount,refunded,currency,created_at,confirmed_at\r\n");
    } else {
        json_open(&listing.writer, '{');
        json_key(&listing.writer, "bookings");
        json_open(&listing.writer, '[');
    }
    enum result result = ledger->read_bookings(reader, &filter, csv ? add_csv : add_json, &listing);
    if (result != RESULT_OK || !buffer_ok(body)) {
        call_refuse(call, result == RESULT_OK ? RESULT_OVERLOADED : RESULT_LEDGER_UNAVAILABLE, NULL);
        return;
    }
    if (csv) {
        call_reply_text(call, 200, "text/csv; charset=utf-8", buffer_bytes(body));
        return;
    }
    json_close(&listing.writer, ']');
    json_key(&listing.writer, "next");
    if (listing.count == filter.limit)
        json_put_letter_id(&listing.writer, 'b', &listing.last);
    else
        json_put_null(&listing.writer);
    json_close(&listing.writer, '}');
    call_reply(call, 200, buffer_bytes(body));
}

static void list_on_clerk(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, list_bookings);
}

void handle_admin_list_bookings(struct call *call) {
    list_on_clerk(call);
}

void handle_admin_list_all_bookings(struct call *call) {
    list_on_clerk(call);
}
