#include "api/answers.h"
#include "api/problem.h"
#include "base/clock.h"

bool answer_is_final(unsigned status) {
    return status != 202 && status != 401 && status != 425 && status != 429 && status < 500;
}

unsigned answer_confirm(const struct confirm_outcome *outcome, struct buffer *body) {
    if (outcome->result == RESULT_OK) {
        struct json_writer writer = json_writer(body);
        json_open(&writer, '{');
        json_key(&writer, "booking_id");
        json_put_letter_id(&writer, 'b', &outcome->booking);
        json_member_text(&writer, "status", outcome->pending ? "PENDING" : "CONFIRMED");
        json_close(&writer, '}');
        return outcome->pending ? 202 : 200;
    }
    const char *detail =
        outcome->result == RESULT_INVALID_FIELD ? "payment_token is missing, and the seats cost something" : NULL;
    struct json_writer writer = problem_open(body, outcome->result, detail);
    if (outcome->result == RESULT_PAYMENT_DECLINED) {
        json_member_int(&writer, "attempts_left", outcome->attempts_left);
        json_member_text(&writer, "decline_code", outcome->reason);
    }
    if (outcome->result == RESULT_INVALID_FIELD)
        json_member_text(&writer, "pointer", "/payment_token");
    if (outcome->result == RESULT_SEAT_UNAVAILABLE) {
        json_key(&writer, "seat_ids");
        json_open(&writer, '[');
        for (uint32_t i = 0; i < outcome->lost_count; i++)
            json_put_string(&writer, outcome->lost[i]);
        json_close(&writer, ']');
    }
    json_close(&writer, '}');
    return problem_status(outcome->result);
}

static void write_seat_ids(struct json_writer *writer, const struct plan *plan, uint32_t count, const uint32_t *seats) {
    json_open(writer, '[');
    for (uint32_t i = 0; i < count; i++)
        json_put_string(writer, plan->seat_ids[seats[i]]);
    json_close(writer, ']');
}

/* The answer that is made most, so its fixed parts are written as they are: 5,000 instructions with the writer, 1,600
 * so. */
static void write_hold(struct buffer *body, const struct hold *hold) {
    char reservation[ID_LETTER_TEXT], deadline[CLOCK_TEXT_BYTES], now[CLOCK_TEXT_BYTES];
    id_format_letter(&hold->reservation, 'r', reservation);
    buffer_add_bytes(body, BYTES("{\"reservation_id\":\""));
    buffer_add(body, reservation, sizeof reservation);
    buffer_add_bytes(body, BYTES("\",\"expires_in_seconds\":"));
    buffer_add_i64(body, (hold->deadline_ms - hold->taken_ms) / 1000);
    buffer_add_bytes(body, BYTES(",\"expires_at\":\""));
    buffer_add(body, deadline, clock_format(hold->deadline_ms, deadline));
    buffer_add_bytes(body, BYTES("\",\"now\":\""));
    buffer_add(body, now, clock_format(hold->taken_ms, now));
    buffer_add_bytes(body, BYTES("\",\"seat_ids\":"));
}

unsigned answer_reserve(const struct hold *hold, const uint32_t *seats, const struct plan *plan, const char *currency,
                        const struct hold_warning *warning, struct buffer *body) {
    write_hold(body, hold);
    struct json_writer writer = json_writer(body);
    write_seat_ids(&writer, plan, hold->seat_count, seats);
    json_member_int(&writer, "amount", hold->amount);
    json_member_text(&writer, "currency", currency);
    if (warning && warning->orphan_count) {
        json_key(&writer, "warnings");
        json_open(&writer, '[');
        json_open(&writer, '{');
        json_member_text(&writer, "code", "leaves_orphan");
        json_key(&writer, "seat_ids");
        write_seat_ids(&writer, plan, warning->orphan_count, warning->orphans);
        json_close(&writer, '}');
        json_close(&writer, ']');
    }
    json_close(&writer, '}');
    return 201;
}
