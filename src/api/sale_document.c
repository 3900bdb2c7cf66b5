/* A show as a document: what the operator may set, read strictly and written back; and what fans see.
 *
 * The same members are read when a show is made, when it is changed, and from the ledger at start, so what was accepted
 * once is accepted again. Every refusal names the member by its JSON pointer. */
#include "api/sale.h"
#include "base/clock.h"

#include <stdio.h>

static const char *const hand_names[] = {"auto", "opened", "paused", "closed"};
static const char *const orphan_names[] = {"off", "warn", "refuse"};

void sale_default_terms(struct sale_terms *terms) {
    *terms = (struct sale_terms){.seats = {.hold_seconds = 600, .grace_seconds = 60, .payment_attempts = 1}};
    for (int i = 0; i < LIMIT_CATEGORIES_PER_SHOW; i++)
        terms->seats.price[i] = -1;
    room_default_terms(&terms->room);
}

static enum result refuse(struct sale_fault *fault, const char *pointer, const char *detail) {
    snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    snprintf(fault->detail, sizeof fault->detail, "%s", detail);
    return RESULT_INVALID_FIELD;
}

static enum result read_integer(const json_t *document, const char *key, int64_t min, int64_t max, int64_t *value,
                                struct sale_fault *fault) {
    const json_t *member = json_object_get(document, key);
    if (!member)
        return RESULT_OK;
    if (!json_is_integer(member) || json_integer_value(member) < min || json_integer_value(member) > max) {
        snprintf(fault->pointer, sizeof fault->pointer, "/%s", key);
        snprintf(fault->detail, sizeof fault->detail, "%s has to be a whole number from %lld to %lld", key,
                 (long long)min, (long long)max);
        return RESULT_INVALID_FIELD;
    }
    *value = json_integer_value(member);
    return RESULT_OK;
}

static enum result read_choice(const json_t *document, const char *key, const char *const *names, int count,
                               int *choice, struct sale_fault *fault) {
    const json_t *member = json_object_get(document, key);
    if (!member)
        return RESULT_OK;
    for (int i = 0; i < count; i++) {
        if (json_is_string(member) && strcmp(json_string_value(member), names[i]) == 0) {
            *choice = i;
            return RESULT_OK;
        }
    }
    char detail[200];
    int length = snprintf(detail, sizeof detail, "%s has to be one of", key);
    for (int i = 0; i < count && length < (int)sizeof detail; i++)
        length += snprintf(detail + length, sizeof detail - (size_t)length, "%s \"%s\"", i ? "," : "", names[i]);
    snprintf(fault->pointer, sizeof fault->pointer, "/%s", key);
    snprintf(fault->detail, sizeof fault->detail, "%s", detail);
    return RESULT_INVALID_FIELD;
}

/* null takes the time away. */
static enum result read_time(const json_t *document, const char *key, int64_t *ms, struct sale_fault *fault) {
    const json_t *member = json_object_get(document, key);
    if (!member)
        return RESULT_OK;
    if (json_is_null(member)) {
        *ms = 0;
        return RESULT_OK;
    }
    struct bytes text = {json_string_value(member), json_string_length(member)};
    if (json_is_string(member) && clock_parse(text, ms))
        return RESULT_OK;
    snprintf(fault->pointer, sizeof fault->pointer, "/%s", key);
    snprintf(fault->detail, sizeof fault->detail, "%s has to be a time as in RFC 3339, such as 2027-06-01T19:30:00Z",
             key);
    return RESULT_INVALID_FIELD;
}

/* "cancellation": {"allowed": true, "until_seconds": 86400}. What is missing in it stays. */
static enum result read_cancellation(const json_t *document, struct cancel_terms *terms, struct sale_fault *fault) {
    const json_t *member = json_object_get(document, "cancellation");
    if (!member)
        return RESULT_OK;
    if (!json_is_object(member))
        return refuse(fault, "/cancellation", "cancellation has to be an object");
    const json_t *allowed = json_object_get(member, "allowed"), *until = json_object_get(member, "until_seconds");
    if (allowed && !json_is_boolean(allowed))
        return refuse(fault, "/cancellation/allowed", "allowed has to be true or false");
    if (until &&
        (!json_is_integer(until) || json_integer_value(until) < 0 || json_integer_value(until) > LIMIT_CANCEL_SECONDS))
        return refuse(fault, "/cancellation/until_seconds",
                      "until_seconds has to be a whole number of seconds from 0 to 31622400");
    if (allowed)
        terms->allowed = json_is_true(allowed);
    if (until)
        terms->until_seconds = json_integer_value(until);
    return RESULT_OK;
}

/* null takes the colour away. */
static enum result read_accent_color(const json_t *document, char color[static 8], struct sale_fault *fault) {
    const json_t *member = json_object_get(document, "accent_color");
    if (!member)
        return RESULT_OK;
    if (json_is_null(member)) {
        color[0] = '\0';
        return RESULT_OK;
    }
    const char *text = json_is_string(member) ? json_string_value(member) : "";
    bool is_color = strlen(text) == 7 && text[0] == '#' && strspn(text + 1, "0123456789abcdefABCDEF") == 6;
    if (!is_color)
        return refuse(fault, "/accent_color", "accent_color has to be a colour such as #d6336c, or null");
    color[0] = '#';
    for (int i = 1; i < 8; i++)
        color[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
    return RESULT_OK;
}

void sale_read_image(const json_t *settings, struct sale_terms *terms) {
    const json_t *member = json_object_get(settings, "image");
    if (json_is_string(member) && json_string_length(member) < sizeof terms->image)
        memcpy(terms->image, json_string_value(member), json_string_length(member) + 1);
}

void sale_write_image(const struct sale_terms *terms, struct json_writer *writer) {
    char address[sizeof "/media/" + MEDIA_NAME_BYTES];
    snprintf(address, sizeof address, "/media/%s", terms->image);
    json_member_text(writer, "image", terms->image[0] ? address : NULL);
}

static void write_cancellation(const struct cancel_terms *terms, struct json_writer *writer) {
    json_key(writer, "cancellation");
    json_open(writer, '{');
    json_member_bool(writer, "allowed", terms->allowed);
    json_member_int(writer, "until_seconds", terms->until_seconds);
    json_close(writer, '}');
}

static enum result read_name(const json_t *document, struct sale_terms *terms, struct sale_fault *fault) {
    const json_t *member = json_object_get(document, "event_name");
    if (!member)
        return terms->event_name[0] ? RESULT_OK : refuse(fault, "/event_name", "event_name is missing");
    size_t length = json_string_length(member);
    if (!json_is_string(member) || length < 1 || length > LIMIT_NAME_BYTES)
        return refuse(fault, "/event_name", "event_name has to be a text of 1 to 200 bytes");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)json_string_value(member)[i] < 0x20)
            return refuse(fault, "/event_name", "event_name has a control character");
    memcpy(terms->event_name, json_string_value(member), length + 1);
    return RESULT_OK;
}

enum result sale_read_prices(const json_t *document, const struct plan *plan, struct sale_terms *terms,
                             struct sale_fault *fault) {
    const json_t *member = json_object_get(document, "prices");
    if (!member)
        return RESULT_OK;
    struct plan_prices prices;
    char pointer[sizeof fault->pointer - 8] = "";
    enum result result =
        plan_read_prices(plan, member, &prices, pointer, sizeof pointer, fault->detail, sizeof fault->detail);
    if (result != RESULT_OK) {
        const char *inner = strncmp(pointer, "/prices", 7) == 0 ? pointer + 7 : pointer;
        snprintf(fault->pointer, sizeof fault->pointer, "/prices%s", inner);
        return result;
    }
    if (terms->seats.currency[0] && prices.currency[0] && strcmp(terms->seats.currency, prices.currency) != 0) {
        for (uint32_t i = 0; i < plan->category_count; i++)
            if (terms->seats.price[i] >= 0 && prices.of[i].amount < 0)
                return refuse(fault, "/prices", "a show has one currency: give every category's price to change it");
    }
    if (prices.currency[0])
        memcpy(terms->seats.currency, prices.currency, sizeof terms->seats.currency);
    for (uint32_t i = 0; i < plan->category_count; i++)
        if (prices.of[i].amount >= 0)
            terms->seats.price[i] = prices.of[i].amount;
    return RESULT_OK;
}

static enum result check_prices(const struct plan *plan, const struct sale_terms *terms, struct sale_fault *fault) {
    for (uint32_t i = 0; i < plan->category_count; i++) {
        if (terms->seats.price[i] >= 0 || plan->categories[i].seat_count == 0)
            continue;
        snprintf(fault->pointer, sizeof fault->pointer, "/prices");
        snprintf(fault->detail, sizeof fault->detail, "the category \"%.*s\" has no price (0 is one)",
                 (int)plan->categories[i].name.length, plan->categories[i].name.at);
        return RESULT_INVALID_FIELD;
    }
    return RESULT_OK;
}

enum result sale_read_terms(const json_t *document, const struct plan *plan, struct sale_terms *terms,
                            struct sale_fault *fault) {
    if (!json_is_object(document))
        return refuse(fault, "", "the body has to be an object");
    struct sale_terms read = *terms;
    int64_t hold_seconds = read.seats.hold_seconds, grace_seconds = read.seats.grace_seconds;
    int64_t most = read.seats.max_seats_per_user, attempts = read.seats.payment_attempts;
    int hand = (int)read.hand, resumes_to = (int)read.resumes_to, orphan = (int)read.seats.orphan_rule;

    enum result result = read_name(document, &read, fault);
    if (result == RESULT_OK)
        result = read_time(document, "start_time", &read.start_ms, fault);
    if (result == RESULT_OK)
        result = read_time(document, "on_sale_time", &read.on_sale_ms, fault);
    if (result == RESULT_OK)
        result = read_integer(document, "hold_seconds", 1, LIMIT_HOLD_SECONDS, &hold_seconds, fault);
    if (result == RESULT_OK)
        result = read_integer(document, "grace_seconds", 0, LIMIT_GRACE_SECONDS, &grace_seconds, fault);
    if (result == RESULT_OK)
        result = read_integer(document, "max_seats_per_user", 0, LIMIT_SEATS_PER_SHOW, &most, fault);
    if (result == RESULT_OK)
        result = read_integer(document, "payment_attempts", 1, LIMIT_PAYMENT_ATTEMPTS, &attempts, fault);
    if (result == RESULT_OK)
        result = read_choice(document, "orphan_rule", orphan_names, 3, &orphan, fault);
    if (result == RESULT_OK)
        result = read_choice(document, "sale", hand_names, 4, &hand, fault);
    if (result == RESULT_OK)
        result = read_choice(document, "resumes_to", hand_names, 2, &resumes_to, fault);
    if (result == RESULT_OK)
        result = room_read_terms(document, &read.room, fault);
    if (result == RESULT_OK)
        result = read_cancellation(document, &read.cancellation, fault);
    if (result == RESULT_OK)
        result = read_accent_color(document, read.accent_color, fault);
    if (result == RESULT_OK)
        result = sale_read_prices(document, plan, &read, fault);
    if (result == RESULT_OK)
        result = check_prices(plan, &read, fault);
    if (result != RESULT_OK)
        return result;

    read.seats.hold_seconds = (int32_t)hold_seconds;
    read.seats.grace_seconds = (int32_t)grace_seconds;
    read.seats.max_seats_per_user = (uint32_t)most;
    read.seats.payment_attempts = (uint32_t)attempts;
    read.seats.orphan_rule = (enum orphan_rule)orphan;
    read.hand = (enum sale_hand)hand;
    read.resumes_to = (enum sale_hand)resumes_to;
    *terms = read;
    return RESULT_OK;
}

static void write_prices(const struct sale_terms *terms, const struct plan *plan, struct json_writer *writer) {
    json_key(writer, "prices");
    json_open(writer, '{');
    for (uint32_t i = 0; i < plan->category_count; i++) {
        if (terms->seats.price[i] < 0)
            continue;
        json_key_string(writer, plan->categories[i].name);
        json_open(writer, '{');
        json_member_int(writer, "amount", terms->seats.price[i]);
        json_member_text(writer, "currency", terms->seats.currency);
        json_close(writer, '}');
    }
    json_close(writer, '}');
}

static void write_settings(const struct sale_terms *terms, const struct plan *plan, struct json_writer *writer) {
    json_member_time(writer, "on_sale_time", terms->on_sale_ms);
    json_member_int(writer, "hold_seconds", terms->seats.hold_seconds);
    json_member_int(writer, "grace_seconds", terms->seats.grace_seconds);
    json_member_int(writer, "max_seats_per_user", terms->seats.max_seats_per_user);
    json_member_int(writer, "payment_attempts", terms->seats.payment_attempts);
    json_member_text(writer, "orphan_rule", orphan_names[terms->seats.orphan_rule]);
    write_prices(terms, plan, writer);
    write_cancellation(&terms->cancellation, writer);
    json_key(writer, "waiting_room");
    room_write_terms(&terms->room, writer);
}

void sale_write_settings(const struct sale_terms *terms, const struct plan *plan, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    write_settings(terms, plan, &writer);
    if (terms->accent_color[0])
        json_member_text(&writer, "accent_color", terms->accent_color);
    if (terms->image[0])
        json_member_text(&writer, "image", terms->image);
    json_member_text(&writer, "sale", hand_names[terms->hand]);
    json_member_text(&writer, "resumes_to", hand_names[terms->resumes_to]);
    json_close(&writer, '}');
}

static void write_head(struct sale *sale, const struct sale_terms *terms, int64_t now_ms, struct json_writer *writer) {
    json_key(writer, "show_id");
    json_put_uuid(writer, &sale->show_id);
    json_member_text(writer, "event_name", terms->event_name);
    json_member_time(writer, "start_time", terms->start_ms);
    json_member_text(writer, "status", sale_status_name(sale_status_under(sale, terms, now_ms)));
    json_member_text(writer, "accent_color", terms->accent_color[0] ? terms->accent_color : NULL);
    sale_write_image(terms, writer);
}

static void write_categories(struct sale *sale, const struct sale_terms *terms, struct json_writer *writer) {
    json_key(writer, "categories");
    json_open(writer, '[');
    for (uint32_t i = 0; i < sale->plan->category_count; i++) {
        const struct plan_category *category = &sale->plan->categories[i];
        json_open(writer, '{');
        json_member_string(writer, "name", category->name);
        json_member_text(writer, "color", category->color);
        json_member_int(writer, "seats", category->seat_count);
        show_lock(sale->show);
        uint32_t available = show_available_in(sale->show, i);
        show_unlock(sale->show);
        json_member_int(writer, "available", available);
        json_member_int(writer, "amount", terms->seats.price[i] < 0 ? 0 : terms->seats.price[i]);
        json_member_text(writer, "currency", terms->seats.currency);
        json_close(writer, '}');
    }
    json_close(writer, ']');
}

static void write_plan(const struct sale *sale, struct json_writer *writer) {
    char href[120], id[ID_UUID_TEXT];
    id_format_uuid(&sale->show_id, id);
    snprintf(href, sizeof href, "/api/v1/shows/%.*s/plan?hash=%.32s", ID_UUID_TEXT, id, sale->plan_etag + 1);
    json_key(writer, "plan");
    json_open(writer, '{');
    json_member_string(writer, "name", sale->plan->name);
    json_member_string(writer, "hash", (struct bytes){sale->plan_etag + 1, 32});
    json_member_int(writer, "seats", sale->plan->seat_count);
    json_member_text(writer, "href", href);
    json_close(writer, '}');
}

void sale_write(struct sale *sale, int64_t now_ms, bool brief, struct json_writer *writer) {
    struct sale_terms terms;
    sale_copy_terms(sale, &terms, NULL);
    json_open(writer, '{');
    write_head(sale, &terms, now_ms, writer);
    json_member_time(writer, "on_sale_time", terms.on_sale_ms);
    if (!brief) {
        json_member_int(writer, "hold_seconds", terms.seats.hold_seconds);
        json_member_int(writer, "max_seats_per_user", terms.seats.max_seats_per_user);
        json_member_int(writer, "max_seats_per_reservation", LIMIT_SEATS_PER_HOLD);
        json_member_int(writer, "payment_attempts", terms.seats.payment_attempts);
        json_member_text(writer, "orphan_rule", orphan_names[terms.seats.orphan_rule]);
        write_cancellation(&terms.cancellation, writer);
        write_categories(sale, &terms, writer);
        write_plan(sale, writer);
        json_key(writer, "waiting_room");
        room_write_public_terms(&terms.room, writer);
    }
    json_close(writer, '}');
}

void sale_write_for_operator(struct sale *sale, int64_t now_ms, struct json_writer *writer) {
    struct sale_terms terms;
    int64_t updated_ms;
    sale_copy_terms(sale, &terms, &updated_ms);
    sale_write_changed(sale, &terms, updated_ms, now_ms, writer);
}

void sale_write_changed(struct sale *sale, const struct sale_terms *terms, int64_t updated_ms, int64_t now_ms,
                        struct json_writer *writer) {
    json_open(writer, '{');
    write_head(sale, terms, now_ms, writer);
    write_settings(terms, sale->plan, writer);
    json_member_text(writer, "sale", hand_names[terms->hand]);
    write_plan(sale, writer);
    json_member_time(writer, "created_at", sale->created_ms);
    json_member_time(writer, "updated_at", updated_ms);
    json_close(writer, '}');
}
