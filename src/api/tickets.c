/* GET /api/v1/bookings/{booking}/tickets and …/ticket.svg: a confirmed booking's tickets, a seat each, for programs and
 * for people. Whoever knows the booking's id may have them, as often as they like: nothing is stored, they are made and
 * signed again each time, on the pictures' clerk's thread, since a sheet of a hundred takes a third of a second: nobody
 * who buys waits behind it.
 *
 * Seats that were given back are not the booking's any more, and so have no ticket. */
#include "api/handlers.h"
#include "tickets/sheet.h"

#include <stdlib.h>

/* The style element by its hash, and nothing else. */
#define SHEET_HEADERS                                                                                                  \
    "Content-Security-Policy: default-src 'none'; style-src '" SHEET_STYLE_HASH "'; frame-ancestors 'self'\r\n"        \
    "X-Content-Type-Options: nosniff\r\n"

/* A booking with what its tickets say beside it. */
struct stub {
    struct booking booking;
    struct buffer storage;
    struct sale *sale;
    struct sale_terms terms;
    struct card cards[LIMIT_SEATS_PER_HOLD];
};

static void stub_free(struct stub *stub) {
    if (stub)
        buffer_release(&stub->storage);
    free(stub);
}

static struct card card_of(const struct stub *stub, const struct keyring *ring, uint32_t at) {
    const struct booking *booking = &stub->booking;
    const struct plan *plan = stub->sale->plan;
    struct card card = {.ticket = ticket_for_seat(ring, &booking->show_id, &booking->id, booking->seat_ids[at],
                                                  booking->confirmed_ms, stub->terms.start_ms),
                        .ordinal = at + 1,
                        .total = booking->seat_count,
                        .amount = booking->seat_amounts[at]};
    memcpy(card.currency, booking->currency, sizeof card.currency);
    uint32_t seat = plan_find_seat(plan, booking->seat_ids[at]);
    if (seat == PLAN_NO_SEAT)
        return card;
    card.section = plan->sections[plan->seat_section[seat]].name;
    if (plan->seat_row[seat] != PLAN_NO_SEAT)
        card.row = plan->rows[plan->seat_row[seat]].label;
    card.number = plan->seat_numbers[seat];
    card.category = plan->categories[plan->seat_category[seat]].name;
    return card;
}

/* OK: the booking is confirmed, and its cards are filled in. */
static enum result read_stub(struct call *call, struct ledger_reader *reader, const struct keyring *ring,
                             struct stub *stub) {
    enum result result = call->api->ledger->read_booking(reader, &call->subject, &stub->booking, &stub->storage);
    if (result != RESULT_OK)
        return result == RESULT_BOOKING_NOT_FOUND ? result : RESULT_LEDGER_UNAVAILABLE;
    if (stub->booking.status != BOOKING_CONFIRMED)
        return RESULT_BOOKING_NOT_CONFIRMED;
    stub->sale = sale_find(call->api->sales, &stub->booking.show_id);
    if (!stub->sale)
        return RESULT_SHOW_NOT_FOUND;
    sale_copy_terms(stub->sale, &stub->terms, NULL);
    for (uint32_t i = 0; i < stub->booking.seat_count; i++)
        stub->cards[i] = card_of(stub, ring, i);
    return RESULT_OK;
}

static void with_stub(struct call *call, struct ledger_reader *reader,
                      void (*reply)(struct call *call, const struct keyring *ring, struct stub *stub)) {
    const struct keyring *ring = atomic_load_explicit(&call->api->keys, memory_order_acquire);
    struct stub *stub = atomic_load(&call->api->stopped) ? NULL : calloc(1, sizeof *stub); /* nobody is there to see */
    if (stub)
        buffer_init(&stub->storage, BOOKING_STORAGE_BYTES);
    enum result result = stub ? read_stub(call, reader, ring, stub) : RESULT_OVERLOADED;
    if (result == RESULT_OK)
        reply(call, ring, stub);
    else
        call_refuse(call, result, NULL);
    stub_free(stub);
}

/* ---- for programs ---- */

static void put_name(struct json_writer *writer, const char *key, struct bytes name) {
    json_key(writer, key);
    if (name.length)
        json_put_string(writer, name);
    else
        json_put_null(writer);
}

static void write_ticket(struct json_writer *writer, const struct keyring *ring, const struct card *card) {
    char room[LIMIT_TICKET_BYTES], number[TICKET_NUMBER_TEXT];
    struct buffer token = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    ticket_write(ring, &card->ticket, &token);
    ticket_number_format(card->ticket.number, number);
    json_open(writer, '{');
    json_member_string(writer, "seat_id", ticket_seat(&card->ticket));
    put_name(writer, "section", card->section);
    put_name(writer, "row", card->row);
    put_name(writer, "number", card->number);
    put_name(writer, "category", card->category);
    json_member_string(writer, "ticket", buffer_bytes(&token));
    json_member_string(writer, "ticket_number", (struct bytes){number, sizeof number});
    json_close(writer, '}');
}

static void reply_tickets(struct call *call, const struct keyring *ring, struct stub *stub) {
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    json_open(&writer, '[');
    for (uint32_t i = 0; i < stub->booking.seat_count; i++)
        write_ticket(&writer, ring, &stub->cards[i]);
    json_close(&writer, ']');
    call_reply(call, 200, buffer_bytes(body));
}

static void list_on_clerk(struct clerk_job *job, struct ledger_reader *reader) {
    with_stub(call_of_job(job), reader, reply_tickets);
}

void handle_list_tickets(struct call *call) {
    call = call_park(call);
    if (call)
        (void)call_on_pictures_clerk(call, list_on_clerk);
}

/* ---- for people ---- */

/* As forms write a value: '+' is a space, %XX a byte. False: it is not that, or too long. */
static bool decode_value(struct bytes text, size_t room, char *decoded, size_t *length) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++, count++) {
        char c = text.at[i] == '+' ? ' ' : text.at[i];
        if (count == room)
            return false;
        if (c == '%') {
            char digits[2];
            uint8_t byte;
            for (unsigned d = 0; d < 2; d++) {
                char digit = i + 1 + d < text.length ? text.at[i + 1 + d] : ' ';
                digits[d] = digit >= 'A' && digit <= 'F' ? (char)(digit - 'A' + 'a') : digit;
            }
            if (!hex_decode((struct bytes){digits, sizeof digits}, &byte, 1))
                return false;
            c = (char)byte;
            i += 2;
        }
        decoded[count] = c;
    }
    *length = count;
    return true;
}

static bool read_offset(struct bytes text, int *minutes) {
    uint64_t value;
    bool is_before = text.length && text.at[0] == '-';
    if (is_before)
        text = (struct bytes){text.at + 1, text.length - 1};
    if (!bytes_to_u64(text, WORDS_MOST_OFFSET_MINUTES, &value))
        return false;
    *minutes = is_before ? -(int)value : (int)value;
    return true;
}

/* How the sheet is to look, from the query. False: refused, and answered. */
static bool read_look(struct call *call, struct sheet *sheet) {
    struct bytes language = http_query(call->query, "lang"), offset = http_query(call->query, "utc_offset_minutes");
    sheet->words = language.at ? words_find(language) : words_default();
    if (!sheet->words) {
        call_refuse_field(call, "/lang", "lang has to be en or de");
        return false;
    }
    if (offset.at && !read_offset(offset, &sheet->offset_minutes)) {
        call_refuse_field(call, "/utc_offset_minutes", "utc_offset_minutes has to be a number from -1080 to 1080");
        return false;
    }
    return true;
}

/* All cards, or the one that "seat" asks for. False: refused, and answered. */
static bool choose_cards(struct call *call, const struct stub *stub, uint32_t *first, uint32_t *count) {
    char room[LIMIT_SEAT_ID_BYTES];
    struct bytes wanted = http_query(call->query, "seat");
    size_t length = 0;
    *first = 0;
    *count = stub->booking.seat_count;
    if (!wanted.at)
        return true;
    bool is_text = decode_value(wanted, sizeof room, room, &length);
    for (uint32_t i = 0; is_text && i < stub->booking.seat_count; i++) {
        if (bytes_equal(stub->booking.seat_ids[i], (struct bytes){room, length})) {
            *first = i;
            *count = 1;
            return true;
        }
    }
    call_refuse(call, RESULT_NOT_FOUND, "the booking has no such seat, or it was given back");
    return false;
}

static void reply_sheet(struct call *call, const struct keyring *ring, struct stub *stub) {
    struct sheet sheet = {
        .ring = ring, .event_name = bytes_of(stub->terms.event_name), .start_ms = stub->terms.start_ms};
    memcpy(sheet.accent, stub->terms.accent_color, sizeof sheet.accent);
    uint32_t first, count;
    if (!read_look(call, &sheet) || !choose_cards(call, stub, &first, &count))
        return;
    struct buffer *body = call_scratch(call);
    sheet_write(&sheet, count, &stub->cards[first], body);
    if (!buffer_ok(body)) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    call->headers = SHEET_HEADERS;
    call_reply_text(call, 200, "image/svg+xml", buffer_bytes(body));
}

static void draw_on_clerk(struct clerk_job *job, struct ledger_reader *reader) {
    with_stub(call_of_job(job), reader, reply_sheet);
}

void handle_draw_tickets(struct call *call) {
    call = call_park(call);
    if (call)
        (void)call_on_pictures_clerk(call, draw_on_clerk);
}
