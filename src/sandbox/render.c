#include "sandbox/render.h"
#include "base/panic.h"
#include "sandbox/book.h"
#include "sandbox/cards.h"

const char *const cancellation_reasons[4] = {"duplicate", "fraudulent", "requested_by_customer", "abandoned"};
const char *const refund_reasons[3] = {"duplicate", "fraudulent", "requested_by_customer"};

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_REQUIRES_PAYMENT_METHOD] = "requires_payment_method",
    [STATUS_REQUIRES_CONFIRMATION] = "requires_confirmation",
    [STATUS_REQUIRES_ACTION] = "requires_action",
    [STATUS_PROCESSING] = "processing",
    [STATUS_REQUIRES_CAPTURE] = "requires_capture",
    [STATUS_SUCCEEDED] = "succeeded",
    [STATUS_CANCELED] = "canceled",
};

const char *status_name(uint8_t status) {
    assert(status > 0 && status < STATUS_COUNT);
    return status_names[status];
}

static const struct error_kind {
    unsigned status;
    const char *type, *code;
} error_kinds[] = {
#define GATEWAY_ERROR(name, status, type, code) {status, type, code},
#include "sandbox/gateway_errors.def"
#undef GATEWAY_ERROR
};

unsigned gateway_error_status(enum gateway_error error) {
    return error_kinds[error].status;
}

static void member_seconds(struct json_writer *writer, const char *key, int64_t ms) {
    json_key(writer, key);
    if (ms)
        json_put_int(writer, ms / 1000);
    else
        json_put_null(writer);
}

static void member_null(struct json_writer *writer, const char *key) {
    json_key(writer, key);
    json_put_null(writer);
}

static void member_id(struct json_writer *writer, const char *key, const char *prefix, uint32_t number,
                      uint64_t chance) {
    char id[OBJECT_ID_BYTES];
    object_id(prefix, number, chance, id);
    json_member_text(writer, key, id);
}

/* A payment method has no record of its own: it is named after its intent, and which one of its methods it is. */
static void member_method(struct json_writer *writer, const char *key, const struct intent *intent, uint32_t method) {
    member_id(writer, key, "pm", method, intent->chance ^ ((uint64_t)intent->number << 32 | 0x70617965));
}

static void write_method(struct json_writer *writer, const struct intent *intent, uint32_t method) {
    json_open(writer, '{');
    member_method(writer, "id", intent, method);
    json_member_text(writer, "object", "payment_method");
    json_member_text(writer, "type", "card");
    json_close(writer, '}');
}

/* Where the code is explained. */
static void member_doc_url(struct json_writer *writer, const char *code) {
    json_key(writer, "doc_url");
    buffer_add_text(writer->out, "\"https://docs.stripe.com/error-codes#");
    for (const char *c = code; *c; c++)
        buffer_add_char(writer->out, *c == '_' ? '-' : *c);
    buffer_add_char(writer->out, '"');
    writer->comma = true;
}

/* What an error and an intent's last_payment_error say alike of a refused card. */
static void write_decline(struct json_writer *writer, const struct record *record) {
    const struct card_kind *kind = card_kind(record->charge.card);
    member_id(writer, "charge", "ch", record->charge.number, record->charge.chance);
    json_member_text(writer, "code", kind->code);
    json_member_text(writer, "decline_code", kind->decline_code);
    member_doc_url(writer, kind->code);
    json_member_text(writer, "message", kind->message);
    json_key(writer, "payment_method");
    write_method(writer, &record->intent, record->charge.method);
    json_member_text(writer, "type", "card_error");
}

/* The members told by whoever made the object; where they told nothing but metadata, the others are null. */
static void write_details(struct json_writer *writer, struct bytes details) {
    if (bytes_start_with(details, BYTES("\"metadata\"")))
        json_put_raw(writer, BYTES("\"description\":null,\"receipt_email\":null,\"statement_descriptor\":null,"
                                   "\"statement_descriptor_suffix\":null"));
    json_put_raw(writer, details);
}

static bool has_method(const struct intent *intent) {
    return intent->methods > 0 && intent->status != STATUS_REQUIRES_PAYMENT_METHOD;
}

static void write_intent_state(struct json_writer *writer, const struct record *record, unsigned expansions) {
    const struct intent *intent = &record->intent;
    json_key(writer, "last_payment_error");
    if (intent->charge && record->charge.failed && intent->status == STATUS_REQUIRES_PAYMENT_METHOD) {
        json_open(writer, '{');
        write_decline(writer, record);
        json_close(writer, '}');
    } else {
        json_put_null(writer);
    }
    json_key(writer, "latest_charge");
    if (!intent->charge) {
        json_put_null(writer);
    } else if (expansions & EXPAND_LATEST_CHARGE) {
        render_charge(writer, record);
    } else {
        char id[OBJECT_ID_BYTES];
        object_id("ch", record->charge.number, record->charge.chance, id);
        json_put_text(writer, id);
    }
    json_key(writer, "next_action");
    if (intent->status == STATUS_REQUIRES_ACTION)
        json_put_raw(writer, BYTES("{\"type\":\"use_stripe_sdk\",\"use_stripe_sdk\":{}}"));
    else
        json_put_null(writer);
    if (has_method(intent))
        member_method(writer, "payment_method", intent, intent->methods);
    else
        member_null(writer, "payment_method");
    json_member_text(writer, "status", status_name(intent->status));
}

void render_intent(struct json_writer *writer, const struct record *record, unsigned expansions) {
    static const char *const methods[] = {"automatic", "automatic_async", "manual"};
    const struct intent *intent = &record->intent;
    char id[OBJECT_ID_BYTES], currency[4] = {0};
    memcpy(currency, intent->currency, 3);
    object_id("pi", intent->number, intent->chance, id);
    json_open(writer, '{');
    json_member_text(writer, "id", id);
    json_member_text(writer, "object", "payment_intent");
    json_member_int(writer, "amount", intent->amount);
    json_member_int(writer, "amount_capturable", intent->status == STATUS_REQUIRES_CAPTURE ? intent->amount : 0);
    json_member_int(writer, "amount_received", intent->amount_received);
    member_null(writer, "application");
    member_seconds(writer, "canceled_at", intent->canceled_ms);
    json_member_text(writer, "cancellation_reason",
                     intent->cancellation ? cancellation_reasons[intent->cancellation - 1] : NULL);
    json_member_text(writer, "capture_method", methods[intent->capture_method]);
    json_key(writer, "client_secret");
    buffer_printf(writer->out, "\"%s_secret_%016llx\"", id,
                  (unsigned long long)(intent->chance * 0x9e3779b97f4a7c15 ^ intent->number));
    writer->comma = true;
    json_member_text(writer, "confirmation_method", "automatic");
    member_seconds(writer, "created", intent->created_ms);
    json_member_text(writer, "currency", currency);
    member_null(writer, "customer");
    write_intent_state(writer, record, expansions);
    json_put_raw(writer, BYTES("\"livemode\":false,\"payment_method_types\":[\"card\"],\"setup_future_usage\":null,"
                               "\"shipping\":null"));
    write_details(writer, record->details);
    json_close(writer, '}');
}

void render_charge(struct json_writer *writer, const struct record *record) {
    const struct charge *charge = &record->charge;
    const struct card_kind *kind = card_kind(charge->card);
    char currency[4] = {0};
    memcpy(currency, record->intent.currency, 3);
    json_open(writer, '{');
    member_id(writer, "id", "ch", charge->number, charge->chance);
    json_member_text(writer, "object", "charge");
    json_member_int(writer, "amount", charge->amount);
    json_member_int(writer, "amount_captured", charge->amount_captured);
    json_member_int(writer, "amount_refunded", charge->amount_refunded);
    member_null(writer, "balance_transaction");
    json_member_bool(writer, "captured", charge->captured);
    member_seconds(writer, "created", charge->created_ms);
    json_member_text(writer, "currency", currency);
    json_member_bool(writer, "disputed", false);
    json_member_text(writer, "failure_code", charge->failed ? kind->code : NULL);
    json_member_text(writer, "failure_message", charge->failed ? kind->message : NULL);
    json_member_bool(writer, "livemode", false);
    json_member_bool(writer, "paid", !charge->failed);
    member_id(writer, "payment_intent", "pi", record->intent.number, record->intent.chance);
    member_method(writer, "payment_method", &record->intent, charge->method);
    json_key(writer, "payment_method_details");
    json_put_raw(writer, BYTES("{\"card\":{\"brand\":\"visa\",\"last4\":\"4242\"},\"type\":\"card\"}"));
    json_member_bool(writer, "refunded", charge->captured && charge->amount_refunded == charge->amount_captured);
    json_member_text(writer, "status", charge->failed ? "failed" : "succeeded");
    write_details(writer, record->details);
    json_close(writer, '}');
}

void render_refund(struct json_writer *writer, const struct record *record, unsigned expansions) {
    const struct refund *refund = &record->refund;
    char currency[4] = {0};
    memcpy(currency, record->intent.currency, 3);
    json_open(writer, '{');
    member_id(writer, "id", "re", refund->number, refund->chance);
    json_member_text(writer, "object", "refund");
    json_member_int(writer, "amount", refund->amount);
    member_null(writer, "balance_transaction");
    if (expansions & EXPAND_CHARGE) {
        json_key(writer, "charge");
        render_charge(writer, record);
    } else {
        member_id(writer, "charge", "ch", record->charge.number, record->charge.chance);
    }
    member_seconds(writer, "created", refund->created_ms);
    json_member_text(writer, "currency", currency);
    if (expansions & EXPAND_PAYMENT_INTENT) {
        json_key(writer, "payment_intent");
        render_intent(writer, record, 0);
    } else {
        member_id(writer, "payment_intent", "pi", record->intent.number, record->intent.chance);
    }
    json_member_text(writer, "reason", refund->reason ? refund_reasons[refund->reason - 1] : NULL);
    member_null(writer, "receipt_number");
    json_member_text(writer, "status", "succeeded");
    json_put_raw(writer, record->refund_details);
    json_close(writer, '}');
}

static const char *const event_types[RECORD_KIND_COUNT] = {
    [RECORD_CREATED] = "payment_intent.created",
    [RECORD_ACTION_REQUIRED] = "payment_intent.requires_action",
    [RECORD_AUTHORIZED] = "payment_intent.amount_capturable_updated",
    [RECORD_FAILED] = "payment_intent.payment_failed",
    [RECORD_SUCCEEDED] = "payment_intent.succeeded",
    [RECORD_CANCELED] = "payment_intent.canceled",
    [RECORD_REFUNDED] = "charge.refunded",
};

uint32_t event_kinds(struct bytes type) {
    bool open = type.length && type.at[type.length - 1] == '*';
    struct bytes start = {type.at, type.length - open};
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < RECORD_KIND_COUNT; i++) {
        struct bytes name = bytes_of(event_types[i]);
        if (name.at && (open ? bytes_start_with(name, start) : bytes_equal(name, type)))
            kinds |= 1u << i;
    }
    return kinds;
}

void render_event(struct json_writer *writer, const struct record *record) {
    assert(record->head.event && event_types[record->head.kind]);
    json_open(writer, '{');
    member_id(writer, "id", "evt", record->head.event - 1, event_chance(record));
    json_member_text(writer, "object", "event");
    json_member_text(writer, "api_version", STRIPE_API_VERSION);
    member_seconds(writer, "created", record->head.time_ms);
    json_key(writer, "data");
    json_open(writer, '{');
    json_key(writer, "object");
    if (record->head.kind == RECORD_REFUNDED)
        render_charge(writer, record);
    else
        render_intent(writer, record, 0);
    json_close(writer, '}');
    json_member_bool(writer, "livemode", false);
    json_member_int(writer, "pending_webhooks", 0);
    json_put_raw(writer, BYTES("\"request\":{\"id\":null,\"idempotency_key\":null}"));
    json_member_text(writer, "type", event_types[record->head.kind]);
    json_close(writer, '}');
}

void render_error(struct buffer *out, enum gateway_error error, const char *param, struct bytes message,
                  const struct record *about) {
    const struct error_kind *kind = &error_kinds[error];
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_key(&writer, "error");
    json_open(&writer, '{');
    if (kind->code)
        json_member_text(&writer, "code", kind->code);
    if (error == GATEWAY_ERROR_CAPTURE_REFUSED)
        json_member_text(&writer, "decline_code", "generic_decline");
    if (kind->code)
        member_doc_url(&writer, kind->code);
    json_member_string(&writer, "message", message);
    if (param[0])
        json_member_text(&writer, "param", param);
    if (about) {
        json_key(&writer, "payment_intent");
        render_intent(&writer, about, 0);
    }
    json_member_text(&writer, "type", kind->type);
    json_close(&writer, '}');
    json_close(&writer, '}');
}

void render_answer(struct buffer *out, const struct record *record) {
    struct json_writer writer = json_writer(out);
    switch ((enum answer_kind)record->head.answer) {
    case ANSWER_INTENT:
        render_intent(&writer, record, record->head.expansions);
        return;
    case ANSWER_REFUND:
        render_refund(&writer, record, record->head.expansions);
        return;
    case ANSWER_BODY:
        buffer_add_bytes(out, record->body);
        return;
    case ANSWER_DECLINE:
        json_open(&writer, '{');
        json_key(&writer, "error");
        json_open(&writer, '{');
        write_decline(&writer, record);
        json_key(&writer, "payment_intent");
        render_intent(&writer, record, 0);
        json_close(&writer, '}');
        json_close(&writer, '}');
        return;
    case ANSWER_NONE:
    case ANSWER_KIND_COUNT:
        break;
    }
    impossible("an answer that was not kept");
}
