#include "engines/stripe/stripe_wire.h"
#include "base/json.h"
#include "base/panic.h"

#include <stdio.h>

static bool is_id(const char *id) {
    size_t length = strnlen(id, PAYMENT_ID_BYTES);
    return length > 0 && length < PAYMENT_ID_BYTES &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* application/x-www-form-urlencoded: all but RFC 3986's unreserved characters as %XX. */
static void add_encoded(struct buffer *form, struct bytes text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
            c == '.' || c == '~')
            buffer_add_char(form, (char)c);
        else
            buffer_add(form, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

static void write_create(const struct payment_call *call, struct buffer *form) {
    buffer_add_text(form, "amount=");
    buffer_add_i64(form, call->amount);
    buffer_add_text(form, "&currency=");
    for (size_t i = 0; i < sizeof call->currency && call->currency[i]; i++) {
        char c = call->currency[i];
        buffer_add_char(form, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    }
    char booking[ID_LETTER_TEXT];
    id_format_letter(&call->booking, 'b', booking);
    buffer_add_text(form, "&capture_method=manual&payment_method_types[]=card&metadata[booking_id]=");
    buffer_add(form, booking, sizeof booking);
}

bool stripe_write_request(const struct payment_call *call, struct buffer *target, struct buffer *form) {
    static const char *const actions[] = {
        [PAYMENT_CONFIRM] = "/confirm",
        [PAYMENT_CAPTURE] = "/capture",
        [PAYMENT_CANCEL] = "/cancel",
        [PAYMENT_RETRIEVE] = "?expand%5B%5D=latest_charge",
    };
    bool from_newest = call->operation == PAYMENT_LIST && !call->intent_id[0];
    if (call->operation != PAYMENT_CREATE && !from_newest && !is_id(call->intent_id))
        return false;
    if (call->operation == PAYMENT_REFUND) {
        buffer_add_text(target, "/v1/refunds");
    } else if (call->operation == PAYMENT_LIST) {
        buffer_printf(target, "/v1/payment_intents?limit=%d&expand%%5B%%5D=data.latest_charge", PAYMENT_PAGE_INTENTS);
        if (!from_newest) {
            buffer_add_text(target, "&starting_after=");
            buffer_add_text(target, call->intent_id);
        }
    } else {
        buffer_add_text(target, "/v1/payment_intents");
        if (call->operation != PAYMENT_CREATE) {
            buffer_add_char(target, '/');
            buffer_add_text(target, call->intent_id);
            buffer_add_text(target, actions[call->operation]);
        }
    }
    switch (call->operation) {
    case PAYMENT_CREATE:
        write_create(call, form);
        break;
    case PAYMENT_CONFIRM:
        buffer_add_text(form, "error_on_requires_action=true&payment_method=");
        add_encoded(form, (struct bytes){call->token, strnlen(call->token, sizeof call->token)});
        break;
    case PAYMENT_CAPTURE:
        buffer_add_text(form, "amount_to_capture=");
        buffer_add_i64(form, call->amount);
        break;
    case PAYMENT_REFUND:
        buffer_add_text(form, "payment_intent=");
        buffer_add_text(form, call->intent_id);
        buffer_add_text(form, "&amount=");
        buffer_add_i64(form, call->amount);
        break;
    case PAYMENT_CANCEL:
    case PAYMENT_RETRIEVE:
    case PAYMENT_LIST:
        break;
    case PAYMENT_OPERATION_COUNT:
        impossible("an operation that is none");
    }
    return true;
}

/* The member's text, or "" where it is missing, null or no string. */
static struct bytes text_of(const json_t *object, const char *member) {
    const json_t *value = json_object_get(object, member);
    return json_is_string(value) ? (struct bytes){json_string_value(value), json_string_length(value)} : BYTES("");
}

static void set_code(struct payment_call *call, struct bytes code) {
    size_t length = code.length < sizeof call->code ? code.length : sizeof call->code - 1;
    memcpy(call->code, code.at, length);
    call->code[length] = '\0';
}

static void read_error(struct payment_call *call, const json_t *reply) {
    const json_t *error = json_object_get(reply, "error");
    static const char *const members[] = {"decline_code", "code", "type"};
    for (size_t i = 0; i < sizeof members / sizeof *members && !call->code[0]; i++)
        set_code(call, text_of(error, members[i]));
}

/* A refund speaks of its own status; what counts is whether the money is on its way. */
static bool read_refund(struct payment_call *call, const json_t *reply) {
    struct bytes status = text_of(reply, "status");
    if (bytes_equal(status, BYTES("succeeded"))) {
        call->status = INTENT_SUCCEEDED;
    } else if (bytes_equal(status, BYTES("pending")) || bytes_equal(status, BYTES("requires_action"))) {
        call->status = INTENT_PROCESSING;
    } else if (bytes_equal(status, BYTES("failed")) || bytes_equal(status, BYTES("canceled"))) {
        struct bytes reason = text_of(reply, "failure_reason");
        set_code(call, reason.length ? reason : status);
        call->outcome = PAYMENT_REFUSED;
        return true;
    } else {
        return false;
    }
    call->outcome = PAYMENT_DONE;
    return true;
}

static bool read_intent(struct payment_call *call, const json_t *reply) {
    enum intent_status status;
    const json_t *received = json_object_get(reply, "amount_received");
    if (!intent_status_parse(text_of(reply, "status"), &status) || !json_is_integer(received))
        return false;
    call->status = status;
    call->amount_received = json_integer_value(received);
    const json_t *refunded = json_object_get(json_object_get(reply, "latest_charge"), "amount_refunded");
    call->amount_refunded = json_is_integer(refunded) ? json_integer_value(refunded) : 0;
    call->outcome = PAYMENT_DONE;
    return true;
}

/* The whole intent. False where a figure is missing, the charge among them that tells what was given back. */
static bool read_whole_intent(struct payment_intent *intent, const json_t *object) {
    struct bytes id = text_of(object, "id"), currency = text_of(object, "currency");
    const json_t *amount = json_object_get(object, "amount"), *received = json_object_get(object, "amount_received");
    const json_t *charge = json_object_get(object, "latest_charge");
    const json_t *refunded = json_object_get(charge, "amount_refunded");
    *intent = (struct payment_intent){0};
    if (!bytes_equal(text_of(object, "object"), BYTES("payment_intent")) || id.length >= sizeof intent->id ||
        !is_id(id.at) || currency.length != 3 || !json_is_integer(amount) || !json_is_integer(received) ||
        (charge && !json_is_null(charge) && !json_is_integer(refunded)) ||
        !intent_status_parse(text_of(object, "status"), &intent->status))
        return false;
    memcpy(intent->id, id.at, id.length + 1);
    for (size_t i = 0; i < currency.length; i++)
        intent->currency[i] =
            currency.at[i] >= 'a' && currency.at[i] <= 'z' ? (char)(currency.at[i] - ('a' - 'A')) : currency.at[i];
    intent->amount = json_integer_value(amount);
    intent->amount_received = json_integer_value(received);
    intent->amount_refunded = json_integer_value(refunded);
    if (!id_parse_letter(text_of(json_object_get(object, "metadata"), "booking_id"), 'b', &intent->booking))
        intent->booking = (struct id){0};
    return true;
}

static bool read_list(struct payment_call *call, const json_t *reply) {
    const json_t *data = json_object_get(reply, "data"), *has_more = json_object_get(reply, "has_more");
    struct payment_page *page = call->page;
    size_t count = json_array_size(data);
    if (!bytes_equal(text_of(reply, "object"), BYTES("list")) || !json_is_array(data) || !json_is_boolean(has_more) ||
        count > PAYMENT_PAGE_INTENTS || (count == 0 && json_is_true(has_more)))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_whole_intent(&page->intents[i], json_array_get(data, i)))
            return false;
    page->count = (uint32_t)count;
    page->has_more = json_is_true(has_more);
    call->outcome = PAYMENT_DONE;
    return true;
}

static bool read_success(struct payment_call *call, const json_t *reply) {
    if (call->operation == PAYMENT_LIST)
        return read_list(call, reply);
    bool refund = call->operation == PAYMENT_REFUND;
    struct bytes id = text_of(reply, "id");
    if (!bytes_equal(text_of(reply, "object"), refund ? BYTES("refund") : BYTES("payment_intent")) ||
        id.length >= sizeof call->result_id || !is_id(id.at))
        return false;
    /* An answer about another intent is no answer. */
    if (!refund && call->operation != PAYMENT_CREATE && !bytes_equal(id, bytes_of(call->intent_id)))
        return false;
    if (call->operation == PAYMENT_RETRIEVE && call->page) {
        if (!read_whole_intent(&call->page->intents[0], reply))
            return false;
        call->page->count = 1;
        call->page->has_more = false;
    }
    if (!(refund ? read_refund(call, reply) : read_intent(call, reply)))
        return false;
    memcpy(call->result_id, id.at, id.length + 1);
    return true;
}

void stripe_read_reply(struct payment_call *call, long http_status, struct bytes body) {
    char detail[128];
    json_t *reply = NULL;
    if (json_parse(body, &reply, detail, sizeof detail) != RESULT_OK)
        reply = NULL;
    call->outcome = PAYMENT_UNKNOWN;
    /* What is not the gateway's JSON may be a proxy's: then the call may still be under way behind it. */
    call->http_status = json_is_object(reply) ? (uint32_t)http_status : 0;
    call->code[0] = '\0';
    if (http_status >= 200 && http_status < 300) {
        if (!reply || !read_success(call, reply))
            set_code(call, BYTES("unintelligible_reply"));
    } else {
        if (http_status == 402 && json_is_object(json_object_get(reply, "error")))
            call->outcome = PAYMENT_DECLINED;
        else if (http_status == 402)
            call->outcome = PAYMENT_UNKNOWN; /* not the gateway's own word */
        else if (http_status == 401 || http_status == 403 || http_status == 409 || http_status == 429)
            /* Our key is refused, or it is too much at once: no fan's fault, and nothing happened. */
            call->outcome = PAYMENT_BUSY;
        else if (http_status >= 400 && http_status < 500)
            call->outcome = PAYMENT_REFUSED;
        read_error(call, reply);
    }
    json_decref(reply);
}
