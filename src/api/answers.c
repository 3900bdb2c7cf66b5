#include "api/answers.h"
#include "api/problem.h"

bool answer_is_final(unsigned status) {
    return status != 202 && status != 429 && status < 500;
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

unsigned answer_reserve(const struct hold *hold, const uint32_t *seats, const struct plan *plan, const char *currency,
                        const struct hold_warning *warning, struct buffer *body) {
    struct json_writer writer = json_writer(body);
    json_open(&writer, '{');
    json_key(&writer, "reservation_id");
    json_put_letter_id(&writer, 'r', &hold->reservation);
    json_member_int(&writer, "expires_in_seconds", (hold->deadline_ms - hold->taken_ms) / 1000);
    json_member_time(&writer, "expires_at", hold->deadline_ms);
    json_member_time(&writer, "now", hold->taken_ms);
    json_key(&writer, "seat_ids");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < hold->seat_count; i++)
        json_put_string(&writer, plan->seat_ids[seats[i]]);
    json_close(&writer, ']');
    json_member_int(&writer, "amount", hold->amount);
    json_member_text(&writer, "currency", currency);
    if (warning && warning->orphan_count) {
        json_key(&writer, "warnings");
        json_open(&writer, '[');
        json_open(&writer, '{');
        json_member_text(&writer, "code", "leaves_orphan");
        json_key(&writer, "seat_ids");
        json_open(&writer, '[');
        for (uint32_t i = 0; i < warning->orphan_count; i++)
            json_put_string(&writer, plan->seat_ids[warning->orphans[i]]);
        json_close(&writer, ']');
        json_close(&writer, '}');
        json_close(&writer, ']');
    }
    json_close(&writer, '}');
    return 201;
}
