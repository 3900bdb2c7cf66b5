#include "api/room_terms.h"
#include "api/sale.h"

#include <stdio.h>

static const char *const order_names[] = {"arrival", "shuffle"};

void room_default_terms(struct room_terms *terms) {
    *terms = (struct room_terms){
        .queue = {.rate_per_minute = 5000, .max_active = 10000, .claim_seconds = 120, .pass_seconds = 900},
        .pre_queue_seconds = 900,
        .is_adaptive = true,
        .slow_confirm_ms = 3000,
        .most_percent = 10,
    };
}

static enum result refuse(struct sale_fault *fault, const char *member, const char *detail) {
    snprintf(fault->pointer, sizeof fault->pointer, "/waiting_room%s%s", member[0] ? "/" : "", member);
    snprintf(fault->detail, sizeof fault->detail, "%s", detail);
    return RESULT_INVALID_FIELD;
}

/* A whole number; `within` is the object's name in front of the member's, with its slash, or "". */
static enum result read_number(const json_t *object, const char *within, const char *key, uint32_t min, uint32_t max,
                               uint32_t *value, struct sale_fault *fault) {
    const json_t *member = json_object_get(object, key);
    if (!member)
        return RESULT_OK;
    if (json_is_integer(member) && json_integer_value(member) >= min && json_integer_value(member) <= max) {
        *value = (uint32_t)json_integer_value(member);
        return RESULT_OK;
    }
    char name[80], detail[160];
    snprintf(name, sizeof name, "%s%s", within, key);
    snprintf(detail, sizeof detail, "%s has to be a whole number from %u to %u", key, min, max);
    return refuse(fault, name, detail);
}

static enum result read_switch(const json_t *object, const char *within, bool *value, struct sale_fault *fault) {
    const json_t *member = json_object_get(object, "enabled");
    char name[80];
    if (!member)
        return RESULT_OK;
    snprintf(name, sizeof name, "%senabled", within);
    if (!json_is_boolean(member))
        return refuse(fault, name, "enabled has to be true or false");
    *value = json_is_true(member);
    return RESULT_OK;
}

/* null takes the text away. */
static enum result read_text(const json_t *object, const char *key, char text[static LIMIT_BEACON_BYTES + 1],
                             struct sale_fault *fault) {
    const json_t *member = json_object_get(object, key);
    if (!member)
        return RESULT_OK;
    size_t length = json_string_length(member);
    if (!json_is_null(member) && (!json_is_string(member) || length < 1 || length > LIMIT_BEACON_BYTES)) {
        char detail[120];
        snprintf(detail, sizeof detail, "%s has to be a text of 1 to %d bytes, or null", key, LIMIT_BEACON_BYTES);
        return refuse(fault, key, detail);
    }
    memset(text, 0, LIMIT_BEACON_BYTES + 1);
    if (json_is_string(member))
        memcpy(text, json_string_value(member), length);
    return RESULT_OK;
}

static enum result read_order(const json_t *room, enum room_order *order, struct sale_fault *fault) {
    const json_t *member = json_object_get(room, "pre_queue_order");
    if (!member)
        return RESULT_OK;
    for (int i = 0; i < 2; i++) {
        if (json_is_string(member) && strcmp(json_string_value(member), order_names[i]) == 0) {
            *order = (enum room_order)i;
            return RESULT_OK;
        }
    }
    return refuse(fault, "pre_queue_order", "pre_queue_order has to be \"arrival\" or \"shuffle\"");
}

static enum result read_adaptive(const json_t *room, struct room_terms *terms, struct sale_fault *fault) {
    const json_t *adaptive = json_object_get(room, "adaptive");
    if (!adaptive)
        return RESULT_OK;
    if (!json_is_object(adaptive))
        return refuse(fault, "adaptive", "adaptive has to be an object");
    enum result result = read_switch(adaptive, "adaptive/", &terms->is_adaptive, fault);
    if (result == RESULT_OK)
        result = read_number(adaptive, "adaptive/", "confirm_ms", 1, 600000, &terms->slow_confirm_ms, fault);
    if (result == RESULT_OK)
        result = read_number(adaptive, "adaptive/", "most_percent", 1, 100, &terms->most_percent, fault);
    return result;
}

static enum result read_queue_settings(const json_t *room, struct queue_settings *queue, struct sale_fault *fault) {
    enum result result =
        read_number(room, "", "rate_per_minute", 1, LIMIT_RATE_PER_MINUTE, &queue->rate_per_minute, fault);
    if (result == RESULT_OK)
        result = read_number(room, "", "max_active", 1, LIMIT_ACTIVE, &queue->max_active, fault);
    if (result == RESULT_OK)
        result = read_number(room, "", "claim_seconds", 1, LIMIT_CLAIM_SECONDS, &queue->claim_seconds, fault);
    if (result == RESULT_OK)
        result = read_number(room, "", "pass_seconds", 1, LIMIT_PASS_SECONDS, &queue->pass_seconds, fault);
    return result;
}

enum result room_read_terms(const json_t *document, struct room_terms *terms, struct sale_fault *fault) {
    const json_t *room = json_object_get(document, "waiting_room");
    if (!room || json_is_null(room))
        return RESULT_OK;
    if (!json_is_object(room))
        return refuse(fault, "", "waiting_room has to be an object");
    struct room_terms read = *terms;
    enum result result = read_switch(room, "", &read.enabled, fault);
    if (result == RESULT_OK)
        result = read_queue_settings(room, &read.queue, fault);
    if (result == RESULT_OK)
        result = read_number(room, "", "pre_queue_seconds", 0, LIMIT_PRE_QUEUE_SECONDS, &read.pre_queue_seconds, fault);
    if (result == RESULT_OK)
        result = read_order(room, &read.order, fault);
    if (result == RESULT_OK)
        result = read_number(room, "", "proof_of_work_bits", 0, LIMIT_PROOF_BITS, &read.proof_bits, fault);
    if (result == RESULT_OK)
        result = read_text(room, "beacon", read.beacon, fault);
    if (result == RESULT_OK)
        result = read_text(room, "beacon_value", read.beacon_value, fault);
    if (result == RESULT_OK)
        result = read_adaptive(room, &read, fault);
    if (result == RESULT_OK && read.beacon_value[0] && !read.beacon[0])
        result = refuse(fault, "beacon_value", "beacon_value is the value of a beacon: name it in beacon first");
    if (result == RESULT_OK)
        *terms = read;
    return result;
}

/* The members that everybody may see. */
static void write_public(const struct room_terms *terms, struct json_writer *writer) {
    json_member_bool(writer, "enabled", terms->enabled);
    json_member_int(writer, "rate_per_minute", terms->queue.rate_per_minute);
    json_member_int(writer, "max_active", terms->queue.max_active);
    json_member_int(writer, "claim_seconds", terms->queue.claim_seconds);
    json_member_int(writer, "pass_seconds", terms->queue.pass_seconds);
    json_member_int(writer, "pre_queue_seconds", terms->pre_queue_seconds);
    json_member_text(writer, "pre_queue_order", order_names[terms->order]);
    json_member_int(writer, "proof_of_work_bits", terms->proof_bits);
    json_member_text(writer, "beacon", terms->beacon[0] ? terms->beacon : NULL);
    json_member_text(writer, "beacon_value", terms->beacon_value[0] ? terms->beacon_value : NULL);
}

void room_write_public_terms(const struct room_terms *terms, struct json_writer *writer) {
    json_open(writer, '{');
    if (terms->enabled)
        write_public(terms, writer);
    else
        json_member_bool(writer, "enabled", false);
    json_close(writer, '}');
}

void room_write_terms(const struct room_terms *terms, struct json_writer *writer) {
    json_open(writer, '{');
    write_public(terms, writer);
    json_key(writer, "adaptive");
    json_open(writer, '{');
    json_member_bool(writer, "enabled", terms->is_adaptive);
    json_member_int(writer, "confirm_ms", terms->slow_confirm_ms);
    json_member_int(writer, "most_percent", terms->most_percent);
    json_close(writer, '}');
    json_close(writer, '}');
}
