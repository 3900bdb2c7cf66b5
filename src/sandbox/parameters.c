/* Which parameters each call takes, and how a verdict refuses. */
#include "sandbox/operations.h"
#include "base/panic.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    CREATE = 1 << ROUTE_INTENT_CREATE,
    CONFIRM = 1 << ROUTE_INTENT_CONFIRM,
    CAPTURE = 1 << ROUTE_INTENT_CAPTURE,
    CANCEL = 1 << ROUTE_INTENT_CANCEL,
    REFUND = 1 << ROUTE_REFUND_CREATE,
    REFUND_LIST = 1 << ROUTE_REFUND_LIST,
    EVENT_LIST = 1 << ROUTE_EVENT_LIST,
    LISTS = 1 << ROUTE_INTENT_LIST | REFUND_LIST | EVENT_LIST,
    ALL = (1 << ROUTE_COUNT) - 1,
};

static const struct parameter {
    const char *name;
    unsigned routes;
} parameters[] = {
#define PARAMETER(name, routes) {name, routes},
#include "sandbox/parameters.def"
#undef PARAMETER
};

void verdict_init(struct verdict *verdict) {
    *verdict = (struct verdict){0};
    buffer_init(&verdict->details, LIMIT_SANDBOX_DETAILS_BYTES);
    buffer_init(&verdict->refund_details, LIMIT_SANDBOX_DETAILS_BYTES);
    buffer_init(&verdict->body, 2 * LIMIT_SANDBOX_DETAILS_BYTES);
}

void verdict_reset(struct verdict *verdict) {
    struct buffer *buffers[] = {&verdict->details, &verdict->refund_details, &verdict->body};
    for (int i = 0; i < 3; i++) {
        buffers[i]->length = 0;
        buffers[i]->full = false;
    }
    verdict->kind = VERDICT_REFUSED;
    verdict->record = (struct record){0};
    verdict->attempt = (struct attempt){0};
    verdict->delay_ms = 0;
    verdict->message[0] = verdict->param[0] = '\0';
}

void verdict_release(struct verdict *verdict) {
    buffer_release(&verdict->details);
    buffer_release(&verdict->refund_details);
    buffer_release(&verdict->body);
}

void verdict_refuse(struct verdict *verdict, enum gateway_error error, const char *param, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(verdict->message, sizeof verdict->message, format, arguments);
    va_end(arguments);
    /* Cut at a character, not within one. */
    if (length >= (int)sizeof verdict->message)
        for (size_t end = sizeof verdict->message - 1; end && !bytes_are_utf8(bytes_of(verdict->message));)
            verdict->message[--end] = '\0';
    snprintf(verdict->param, sizeof verdict->param, "%s", param);
    if (!bytes_are_utf8(bytes_of(verdict->param)))
        verdict->param[0] = '\0';
    verdict->kind = VERDICT_REFUSED;
    verdict->error = error;
}

static bool matches(struct bytes name, const char *parameter) {
    struct bytes wanted = bytes_of(parameter);
    if (wanted.at[wanted.length - 1] == '[')
        return name.length > wanted.length && bytes_start_with(name, wanted) && name.at[name.length - 1] == ']';
    return bytes_equal(name, wanted);
}

static bool is_taken(enum route route, struct bytes name) {
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (matches(name, parameters[i].name))
            return parameters[i].routes & 1u << route;
    return false;
}

static bool add_expansion(enum route route, struct bytes name, uint8_t *expansions) {
    static const struct {
        unsigned routes;
        const char *name;
        enum expansion expansion;
    } known[] = {
        {CREATE | CONFIRM | CAPTURE | CANCEL | 1 << ROUTE_INTENT_RETRIEVE, "latest_charge", EXPAND_LATEST_CHARGE},
        {1 << ROUTE_INTENT_LIST, "data.latest_charge", EXPAND_LATEST_CHARGE},
        {REFUND | 1 << ROUTE_REFUND_RETRIEVE, "charge", EXPAND_CHARGE},
        {REFUND | 1 << ROUTE_REFUND_RETRIEVE, "payment_intent", EXPAND_PAYMENT_INTENT},
        {REFUND_LIST, "data.charge", EXPAND_CHARGE},
        {REFUND_LIST, "data.payment_intent", EXPAND_PAYMENT_INTENT},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].routes & 1u << route && bytes_equal(name, bytes_of(known[i].name))) {
            *expansions |= (uint8_t)known[i].expansion;
            return true;
        }
    }
    return false;
}

bool operation_check(enum route route, const struct form *form, struct verdict *verdict, uint8_t *expansions) {
    *expansions = 0;
    for (unsigned i = 0; i < form->count; i++) {
        const struct form_pair *pair = &form->pairs[i];
        int shown = (int)(pair->name.length < 60 ? pair->name.length : 60);
        if (!is_taken(route, pair->name)) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", shown, pair->name.at);
            verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_UNKNOWN, name, "Received unknown parameter: %s", name);
            return false;
        }
        if (matches(pair->name, "expand[") && !add_expansion(route, pair->value, expansions)) {
            verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "expand",
                           "This property cannot be expanded (%.*s).",
                           (int)(pair->value.length < 60 ? pair->value.length : 60), pair->value.at);
            return false;
        }
    }
    return true;
}
