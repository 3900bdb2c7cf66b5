/* POST …/seats/reserve: named seats, places in areas, or best available; all or none. */
#include "api/gate.h"
#include "api/handlers.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

bool read_user(struct call *call, const json_t *document, struct user_id *user) {
    const json_t *member = json_object_get(document, "user_id");
    size_t length = json_string_length(member);
    if (!json_is_string(member) || length < 1 || length > LIMIT_USER_ID_BYTES) {
        call_refuse_field(call, "/user_id",
                          member ? "user_id has to be a text of 1 to 128 bytes" : "user_id is missing");
        return false;
    }
    user->length = (uint8_t)length;
    memcpy(user->text, json_string_value(member), length);
    return true;
}

void refuse_seats(struct call *call, enum result result, uint32_t count, const uint32_t *seats) {
    metric_refused(result);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = problem_open(body, result, NULL);
    json_key(&writer, "seat_ids");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < count; i++)
        json_put_string(&writer, call->sale->plan->seat_ids[seats[i]]);
    json_close(&writer, ']');
    json_close(&writer, '}');
    call_reply(call, problem_status(result), buffer_bytes(body));
}

/* The seat that a client named is not there: said with the name, if it is one that can be said. */
static void refuse_unknown_seat(struct call *call, struct bytes name) {
    metric_refused(RESULT_UNKNOWN_SEAT);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = problem_open(body, RESULT_UNKNOWN_SEAT, NULL);
    json_key(&writer, "seat_ids");
    json_open(&writer, '[');
    json_put_string(&writer, name);
    json_close(&writer, ']');
    json_close(&writer, '}');
    call_reply(call, problem_status(RESULT_UNKNOWN_SEAT), buffer_bytes(body));
}

static void refuse_element(struct call *call, const char *key, size_t index, const char *detail) {
    char pointer[80];
    snprintf(pointer, sizeof pointer, "/%s/%zu", key, index);
    call_refuse_field(call, pointer, detail);
}

static void refuse_list(struct call *call, const char *key, bool is_missing) {
    char pointer[40], detail[120];
    snprintf(pointer, sizeof pointer, "/%s", key);
    snprintf(detail, sizeof detail, is_missing ? "%s is missing" : "%s has to be a list with at least one seat id",
             key);
    call_refuse_field(call, pointer, detail);
}

#define SEATS_AT_ONCE 16

/* Those of the list from `first` on, `count` of them, into `seats`. */
static bool read_some_seats(struct call *call, const json_t *list, const char *key, size_t first, size_t count,
                            uint32_t *seats) {
    struct bytes names[SEATS_AT_ONCE];
    assert(count <= SEATS_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, first + i);
        if (!json_is_string(item)) {
            refuse_element(call, key, first + i, "a seat id has to be a text");
            return false;
        }
        names[i] = (struct bytes){json_string_value(item), json_string_length(item)};
    }
    plan_find_seats(call->sale->plan, count, names, seats);
    for (size_t i = 0; i < count; i++) {
        if (seats[i] == PLAN_NO_SEAT) {
            refuse_unknown_seat(call, names[i]);
            return false;
        }
    }
    return true;
}

bool read_seats(struct call *call, const json_t *document, const char *key, uint32_t most, uint32_t *seats,
                uint32_t *count) {
    const json_t *list = json_object_get(document, key);
    if (!json_is_array(list) || json_array_size(list) == 0) {
        refuse_list(call, key, !list);
        return false;
    }
    size_t length = json_array_size(list);
    if (length > most) {
        call_refuse(call, RESULT_TOO_MANY_SEATS, NULL);
        return false;
    }
    for (size_t first = 0; first < length; first += SEATS_AT_ONCE) {
        size_t some = length - first < SEATS_AT_ONCE ? length - first : SEATS_AT_ONCE;
        if (!read_some_seats(call, list, key, first, some, seats + first))
            return false;
    }
    *count = (uint32_t)length;
    return true;
}

/* ---- the wish ---- */

struct reserve {
    struct call *call;
    bool is_allocated;
    struct hold_take_call take;
    struct user_id user;
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    uint32_t area_count;
    struct area_wish areas[LIMIT_SEATS_PER_HOLD];
    char currency[4];
};

static bool read_quantity(struct call *call, const json_t *object, const char *pointer, uint32_t *quantity) {
    const json_t *member = json_object_get(object, "quantity");
    if (!json_is_integer(member) || json_integer_value(member) < 1) {
        call_refuse_field(call, pointer, "quantity has to be a whole number from 1");
        return false;
    }
    if (json_integer_value(member) > LIMIT_SEATS_PER_HOLD) {
        call_refuse(call, RESULT_TOO_MANY_SEATS, NULL);
        return false;
    }
    *quantity = (uint32_t)json_integer_value(member);
    return true;
}

static bool read_best(struct call *call, const json_t *best, struct hold_wish *wish) {
    if (!json_is_object(best)) {
        call_refuse_field(call, "/best_available", "best_available has to be an object");
        return false;
    }
    if (!read_quantity(call, best, "/best_available/quantity", &wish->best_quantity))
        return false;
    wish->best_category = PLAN_NO_SEAT;
    const json_t *category = json_object_get(best, "category");
    if (!category || json_is_null(category))
        return true;
    struct bytes name = {json_string_value(category), json_string_length(category)};
    if (json_is_string(category))
        wish->best_category = plan_find_category(call->sale->plan, name);
    if (wish->best_category == PLAN_NO_SEAT) {
        call_refuse_field(call, "/best_available/category", "the show has no such category");
        return false;
    }
    return true;
}

static bool read_areas(struct reserve *reserve, const json_t *list) {
    struct call *call = reserve->call;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        call_refuse_field(call, "/areas", "areas has to be a list with at least one area");
        return false;
    }
    if (json_array_size(list) > LIMIT_SEATS_PER_HOLD) {
        call_refuse(call, RESULT_TOO_MANY_SEATS, NULL);
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *name = json_object_get(item, "name");
        struct area_wish *area = &reserve->areas[i];
        struct bytes text = {json_string_value(name), json_string_length(name)};
        area->section = json_is_string(name) ? plan_find_area(call->sale->plan, text) : PLAN_NO_SEAT;
        if (area->section == PLAN_NO_SEAT) {
            refuse_element(call, "areas", i, "the show has no general-admission area of that name");
            return false;
        }
        char pointer[80];
        snprintf(pointer, sizeof pointer, "/areas/%zu/quantity", i);
        if (!read_quantity(call, item, pointer, &area->quantity))
            return false;
        for (size_t before = 0; before < i; before++) {
            if (reserve->areas[before].section == area->section) {
                refuse_element(call, "areas", i, "the area is named twice");
                return false;
            }
        }
    }
    reserve->area_count = (uint32_t)json_array_size(list);
    return true;
}

static bool read_wish(struct reserve *reserve, const json_t *document) {
    struct call *call = reserve->call;
    struct hold_wish *wish = &reserve->take.wish;
    const json_t *best = json_object_get(document, "best_available");
    const json_t *areas = json_object_get(document, "areas");
    const json_t *seat_ids = json_object_get(document, "seat_ids");
    if (!read_user(call, document, &reserve->user))
        return false;
    wish->user = &reserve->user;
    if (best) {
        if (areas || seat_ids) {
            call_refuse_field(call, "/best_available", "best_available does not go with seat_ids or areas");
            return false;
        }
        return read_best(call, best, wish);
    }
    if (areas && !read_areas(reserve, areas))
        return false;
    wish->areas = reserve->areas;
    wish->area_count = reserve->area_count;
    if (!seat_ids && areas)
        return true;
    wish->seats = reserve->seats;
    return read_seats(call, document, "seat_ids", LIMIT_SEATS_PER_HOLD, reserve->seats, &wish->seat_count);
}

/* ---- the answer ---- */

/* Called by the store when the hold is taken: the answer that it keeps beside the hold. */
static void render(const struct hold_take_call *take, struct buffer *body) {
    const struct reserve *reserve = take->context;
    answer_reserve(&take->hold, take->seats, reserve->call->sale->plan, reserve->currency, &take->warning, body);
}

/* The first seat that was named before. */
static uint32_t duplicate_of(const struct hold_wish *wish) {
    for (uint32_t i = 1; i < wish->seat_count; i++)
        for (uint32_t before = 0; before < i; before++)
            if (wish->seats[i] == wish->seats[before])
                return wish->seats[i];
    impossible("a seat was named twice");
}

static void refuse_take(struct call *call, struct reserve *reserve) {
    const struct hold_refusal *refusal = &reserve->take.refusal;
    uint32_t duplicate;
    switch (reserve->take.result) {
    case RESULT_DUPLICATE_SEAT:
        duplicate = duplicate_of(&reserve->take.wish);
        refuse_seats(call, RESULT_DUPLICATE_SEAT, 1, &duplicate);
        break;
    case RESULT_SEAT_UNAVAILABLE:
    case RESULT_LEAVES_ORPHAN:
        refuse_seats(call, reserve->take.result, refusal->seat_count, refusal->seats);
        break;
    default:
        call_refuse(call, reserve->take.result, NULL);
    }
}

static void taken(struct hold_take_call *take) {
    struct reserve *reserve = take->context;
    struct call *call = reserve->call;
    if (take->result == RESULT_OK) {
        call->answer_kept = true;
        struct buffer *body = call_scratch(call);
        unsigned status =
            answer_reserve(&take->hold, take->seats, call->sale->plan, reserve->currency, &take->warning, body);
        call_reply(call, status, buffer_bytes(body));
    } else {
        refuse_take(call, reserve);
    }
    if (reserve->is_allocated)
        free(reserve);
}

void handle_reserve(struct call *call) {
    call->timing = TIMING_RESERVE_SECONDS;
    enum result open = sale_is_open(call->sale, call->now_ms);
    if (open != RESULT_OK) {
        call_refuse(call, open, NULL);
        return;
    }
    struct pass pass;
    json_t *document;
    if (!gate_check_pass(call, &pass) || !call_read_json(call, &document))
        return;
    if (!call->api->holds->immediate) {
        call = call_park(call);
        if (!call) {
            json_decref(document);
            return;
        }
    }
    /* A store that answers at once is done with it before this function is. */
    struct reserve here;
    struct reserve *reserve = call->api->holds->immediate ? &here : malloc(sizeof *reserve);
    if (!reserve) {
        json_decref(document);
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    reserve->is_allocated = reserve != &here;
    reserve->call = call;
    reserve->area_count = 0;
    reserve->take.wish = (struct hold_wish){0};
    bool understood = read_wish(reserve, document) && gate_check_user(call, &pass, &reserve->user);
    json_decref(document);
    if (!understood) {
        if (reserve->is_allocated)
            free(reserve);
        return;
    }
    struct hold_take_call *take = &reserve->take;
    take->show = call->sale->show;
    take->answer_key = call->answer_key;
    take->now_ms = call->now_ms;
    take->context = reserve;
    take->render = render;
    take->done = taken;
    show_lock(take->show);
    memcpy(reserve->currency, show_settings(take->show)->currency, sizeof reserve->currency);
    show_unlock(take->show);
    call->api->holds->take(call->api->holds->engine, take);
}
