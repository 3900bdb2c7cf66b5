/* A reservation: read and let go by who knows its id. */
#include "api/handlers.h"
#include "base/panic.h"

#include <stdlib.h>

static const char *state_name(const struct hold *hold, int64_t now_ms) {
    switch ((enum hold_state)hold->state) {
    case HOLD_HELD:
        return now_ms < hold->deadline_ms ? "HELD" : "EXPIRED";
    case HOLD_PAYING:
        return "PAYING";
    case HOLD_SOLD:
        return "BOOKED";
    case HOLD_EXPIRED:
        return "EXPIRED";
    case HOLD_RELEASED:
        return "RELEASED";
    case HOLD_DECLINED:
        return "DECLINED";
    case HOLD_FREE:
    case HOLD_STATE_COUNT:
        break;
    }
    impossible("a hold that is found has a state");
}

static void write_reservation(struct call *call, const struct hold *hold, const uint32_t *seats, uint32_t count,
                              const char *currency, struct json_writer *writer) {
    int64_t left_ms = hold->deadline_ms - call->now_ms;
    bool live = hold->state == HOLD_HELD || hold->state == HOLD_PAYING;
    json_open(writer, '{');
    json_key(writer, "reservation_id");
    json_put_letter_id(writer, 'r', &hold->reservation);
    json_key(writer, "show_id");
    json_put_uuid(writer, &call->sale->show_id);
    json_member_text(writer, "status", state_name(hold, call->now_ms));
    json_member_int(writer, "expires_in_seconds", live && left_ms > 0 ? (left_ms + 999) / 1000 : 0);
    json_member_time(writer, "expires_at", hold->deadline_ms);
    json_member_time(writer, "now", call->now_ms);
    json_key(writer, "seat_ids");
    json_open(writer, '[');
    for (uint32_t i = 0; i < count; i++)
        json_put_string(writer, call->sale->plan->seat_ids[seats[i]]);
    json_close(writer, ']');
    json_member_int(writer, "amount", hold->amount);
    json_member_text(writer, "currency", currency);
    if (!id_is_none(&hold->booking)) {
        json_key(writer, "booking_id");
        json_put_letter_id(writer, 'b', &hold->booking);
    }
    json_close(writer, '}');
}

void handle_read_reservation(struct call *call) {
    call->sale = sale_of_reservation(call->api->sales, &call->subject);
    if (!call->sale) {
        call_refuse(call, RESULT_RESERVATION_NOT_FOUND, NULL);
        return;
    }
    struct show *show = call->sale->show;
    struct hold hold = {0};
    uint32_t seats[LIMIT_SEATS_PER_HOLD], count = 0;
    char currency[4];
    show_lock(show);
    uint32_t slot = hold_find(show, &call->subject);
    if (slot != HOLD_NO_SLOT) {
        hold = *hold_at(show, slot);
        if (hold.state == HOLD_HELD || hold.state == HOLD_PAYING || hold.state == HOLD_SOLD)
            count = hold_seats(show, &hold, seats, LIMIT_SEATS_PER_HOLD);
    }
    memcpy(currency, show_settings(show)->currency, sizeof currency);
    show_unlock(show);

    if (slot == HOLD_NO_SLOT) {
        call_refuse(call, RESULT_RESERVATION_NOT_FOUND, NULL);
    } else if (hold.state == HOLD_EXPIRED || hold.state == HOLD_RELEASED || hold.state == HOLD_DECLINED ||
               (hold.state == HOLD_HELD && call->now_ms >= hold.deadline_ms)) {
        call_refuse(call, RESULT_RESERVATION_EXPIRED, NULL);
    } else {
        struct buffer *body = call_scratch(call);
        struct json_writer writer = json_writer(body);
        write_reservation(call, &hold, seats, count, currency, &writer);
        call_reply(call, 200, buffer_bytes(body));
    }
}

struct release {
    struct call *call;
    struct hold_step_call step;
};

static void released(struct hold_step_call *step) {
    struct release *release = step->context;
    struct call *call = release->call;
    enum result result = step->result;
    free(release);
    if (result == RESULT_OK) {
        call_reply(call, 204, (struct bytes){NULL, 0});
    } else {
        call_refuse(call, result, NULL);
    }
}

void handle_release_reservation(struct call *call) {
    call->sale = sale_of_reservation(call->api->sales, &call->subject);
    if (!call->sale) {
        call_refuse(call, RESULT_RESERVATION_NOT_FOUND, NULL);
        return;
    }
    if (!call->api->holds->immediate && !(call = call_park(call)))
        return;
    struct release *release = calloc(1, sizeof *release);
    if (!release) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    release->call = call;
    release->step.show = call->sale->show;
    release->step.step = HOLD_STEP_RELEASE;
    release->step.reservation = call->subject;
    release->step.now_ms = call->now_ms;
    release->step.context = release;
    release->step.done = released;
    call->api->holds->step(call->api->holds->engine, &release->step);
}
