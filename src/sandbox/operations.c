#include "sandbox/operations.h"
#include "base/json.h"
#include "base/panic.h"
#include "base/random.h"
#include "sandbox/cards.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_AMOUNT 99999999 /* eight digits, as at Stripe */
#define METADATA_PAIRS 50
#define METADATA_KEY_BYTES 40
#define METADATA_VALUE_BYTES 500

static const char currencies[] =
    " usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf "
    "clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl hrk htg huf idr "
    "ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr "
    "mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd "
    "shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw ";

#define SHOWN(range) (int)((range).length < 100 ? (range).length : 100), (range).at

void operation_show_intent(struct book *book, const struct intent_entry *entry, struct record *record) {
    *record = (struct record){.intent = entry->intent, .details = {entry->details, entry->details_length}};
    record->head.parts = PART_INTENT;
    if (entry->busy)
        record->intent.status = STATUS_PROCESSING;
    if (entry->intent.charge) {
        record->charge = book->charges[entry->intent.charge - 1].charge;
        record->head.parts |= PART_CHARGE;
    }
}

void operation_show_charge(struct book *book, const struct charge_entry *entry, struct record *record) {
    operation_show_intent(book, &book->intents[entry->charge.intent], record);
    record->charge = entry->charge;
}

void operation_show_refund(struct book *book, const struct refund_entry *entry, struct record *record) {
    operation_show_charge(book, &book->charges[entry->refund.charge], record);
    record->refund = entry->refund;
    record->refund_details = (struct bytes){entry->details, entry->details_length};
    record->head.parts |= PART_REFUND;
}

/* The object as it is, in the verdict's own memory, to be changed there. */
static void load(struct book *book, const struct intent_entry *entry, int64_t now_ms, struct verdict *verdict) {
    operation_show_intent(book, entry, &verdict->record);
    verdict->record.intent.status = entry->intent.status;
    verdict->record.head.time_ms = now_ms;
    buffer_add_bytes(&verdict->details, verdict->record.details);
    verdict->record.details = buffer_bytes(&verdict->details);
    verdict->kind = VERDICT_RECORD;
}

static void answer(struct verdict *verdict, enum record_kind kind, enum answer_kind answer, unsigned status,
                   uint8_t expansions) {
    struct record_head *head = &verdict->record.head;
    head->kind = (uint8_t)kind;
    head->answer = (uint8_t)answer;
    head->status = (uint16_t)status;
    head->expansions = expansions;
}

/* A refusal for the state that the object is in is an execution's result: it is kept under the key. `parts` of the
 * record are shown, not written. */
static void refuse_and_keep(struct verdict *verdict, bool about_intent) {
    render_error(&verdict->body, verdict->error, verdict->param, bytes_of(verdict->message),
                 about_intent ? &verdict->record : NULL);
    struct record_head head = {.time_ms = verdict->record.head.time_ms};
    verdict->record = (struct record){.head = head, .body = buffer_bytes(&verdict->body)};
    answer(verdict, RECORD_ANSWERED, ANSWER_BODY, gateway_error_status(verdict->error), 0);
    verdict->kind = VERDICT_RECORD;
}

static void refuse_state(struct verdict *verdict, const char *verb, const char *allowed) {
    verdict_refuse(
        verdict, GATEWAY_ERROR_UNEXPECTED_STATE, "",
        "You cannot %s this PaymentIntent because it has a status of %s. Only a PaymentIntent with one of the "
        "following statuses may be %s.",
        verb, status_name(verdict->record.intent.status), allowed);
    refuse_and_keep(verdict, true);
}

void operation_refuse_busy(struct verdict *verdict) {
    verdict_refuse(
        verdict, GATEWAY_ERROR_LOCK_TIMEOUT, "",
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request.");
}

static bool find(struct book *book, struct bytes id, struct verdict *verdict, struct intent_entry **entry) {
    *entry = book_intent(book, id);
    if (!*entry)
        verdict_refuse(verdict, GATEWAY_ERROR_RESOURCE_MISSING, "intent", "No such payment_intent: '%.*s'", SHOWN(id));
    else if ((*entry)->busy)
        operation_refuse_busy(verdict);
    return *entry && !(*entry)->busy;
}

static bool read_amount(struct verdict *verdict, const char *name, struct bytes text, int64_t *amount) {
    uint64_t value;
    if (!bytes_to_u64(text, INT64_MAX, &value)) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INTEGER, name, "Invalid integer: %.*s", SHOWN(text));
    } else if (value == 0) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INTEGER, name,
                       "This value must be greater than or equal to 1.");
    } else if (value > MOST_AMOUNT) {
        verdict_refuse(verdict, GATEWAY_ERROR_AMOUNT_TOO_LARGE, name, "Amount must be no more than %d", MOST_AMOUNT);
    } else {
        *amount = (int64_t)value;
        return true;
    }
    return false;
}

static bool read_bool(struct verdict *verdict, const struct form *form, const char *name, bool *value) {
    struct bytes text = form_value(form, name);
    *value = bytes_equal(text, BYTES("true")) || bytes_equal(text, BYTES("1"));
    if (!text.at || *value || bytes_equal(text, BYTES("false")) || bytes_equal(text, BYTES("0")))
        return true;
    verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, name, "Invalid boolean: %.*s", SHOWN(text));
    return false;
}

/* `*choice` is the index + 1 of the value among `words`, or 0 where it is not given. */
static bool read_choice(struct verdict *verdict, const struct form *form, const char *name, const char *const *words,
                        uint32_t count, uint32_t *choice) {
    struct bytes text = form_value(form, name);
    *choice = 0;
    for (uint32_t i = 0; i < count; i++)
        if (bytes_equal(text, bytes_of(words[i])))
            *choice = i + 1;
    if (!text.at || *choice)
        return true;
    verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, name, "Invalid %s: must be one of %s, …", name, words[0]);
    return false;
}

/* metadata[key]=value, as a JSON member. */
static bool write_metadata(struct verdict *verdict, const struct form *form, struct json_writer *writer) {
    unsigned pairs = 0;
    json_key(writer, "metadata");
    json_open(writer, '{');
    for (unsigned i = 0; i < form->count; i++) {
        struct bytes name = form->pairs[i].name, value = form->pairs[i].value;
        if (!bytes_start_with(name, BYTES("metadata[")))
            continue;
        struct bytes key = {name.at + 9, name.length - 10};
        if (key.length == 0 || key.length > METADATA_KEY_BYTES || memchr(key.at, '[', key.length) ||
            value.length > METADATA_VALUE_BYTES || ++pairs > METADATA_PAIRS) {
            verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "metadata",
                           "Metadata takes up to %d keys of %d characters with values of %d characters", METADATA_PAIRS,
                           METADATA_KEY_BYTES, METADATA_VALUE_BYTES);
            return false;
        }
        if (!value.length)
            continue; /* an empty value unsets, and there is nothing to unset */
        char text[METADATA_KEY_BYTES + 1];
        memcpy(text, key.at, key.length);
        text[key.length] = '\0';
        json_member_string(writer, text, value);
    }
    json_close(writer, '}');
    return true;
}

static bool write_intent_details(struct verdict *verdict, const struct form *form) {
    static const char *const members[] = {"description", "receipt_email", "statement_descriptor",
                                          "statement_descriptor_suffix"};
    struct json_writer writer = json_writer(&verdict->details);
    bool told = false;
    for (int i = 0; i < 4; i++)
        told = told || form_value(form, members[i]).at;
    for (int i = 0; told && i < 4; i++) {
        struct bytes value = form_value(form, members[i]);
        if (value.length > 1000) {
            verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, members[i], "%s is too long", members[i]);
            return false;
        }
        json_key(&writer, members[i]);
        if (value.length)
            json_put_string(&writer, value);
        else
            json_put_null(&writer);
    }
    if (!write_metadata(verdict, form, &writer))
        return false;
    if (!buffer_ok(&verdict->details)) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "metadata", "Metadata is too long");
        return false;
    }
    verdict->record.details = buffer_bytes(&verdict->details);
    return true;
}

static bool read_currency(struct verdict *verdict, struct bytes text, char currency[static 4]) {
    char padded[6] = {' ', 0, 0, 0, ' ', 0};
    for (size_t i = 0; text.length == 3 && i < 3; i++) {
        char c = text.at[i];
        padded[i + 1] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    if (text.length != 3 || !strstr(currencies, padded)) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "currency", "Invalid currency: %.*s", SHOWN(text));
        return false;
    }
    memcpy(currency, padded + 1, 3);
    return true;
}

static bool require(struct verdict *verdict, const struct form *form, const char *name) {
    if (form_value(form, name).length)
        return true;
    if (form_value(form, name).at)
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_EMPTY, name,
                       "You passed an empty string for '%s'. We assume empty values are an attempt to unset a "
                       "parameter; however '%s' cannot be unset.",
                       name, name);
    else
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_MISSING, name, "Missing required param: %s.", name);
    return false;
}

/* Only cards are taken here. */
static bool check_method_types(struct verdict *verdict, const struct form *form) {
    for (unsigned i = 0; i < form->count; i++) {
        if (!bytes_start_with(form->pairs[i].name, BYTES("payment_method_types[")) ||
            bytes_equal(form->pairs[i].value, BYTES("card")))
            continue;
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "payment_method_types",
                       "The payment method type \"%.*s\" is invalid.", SHOWN(form->pairs[i].value));
        return false;
    }
    return true;
}

static void create(struct book *book, const struct form *form, uint8_t expansions, int64_t now_ms,
                   struct verdict *verdict) {
    static const char *const methods[] = {"automatic", "automatic_async", "manual"};
    struct intent *intent = &verdict->record.intent;
    struct bytes token = form_value(form, "payment_method");
    uint32_t method;
    bool confirm, refuse_action;
    *intent = (struct intent){.chance = random_u64(), .created_ms = now_ms, .number = book->intent_count};
    if (!require(verdict, form, "amount") || !require(verdict, form, "currency") ||
        !read_amount(verdict, "amount", form_value(form, "amount"), &intent->amount) ||
        !read_currency(verdict, form_value(form, "currency"), intent->currency) ||
        !read_choice(verdict, form, "capture_method", methods, 3, &method) ||
        !read_bool(verdict, form, "confirm", &confirm) ||
        !read_bool(verdict, form, "error_on_requires_action", &refuse_action) || !check_method_types(verdict, form) ||
        (token.at && !require(verdict, form, "payment_method")) || !write_intent_details(verdict, form))
        return;
    if (refuse_action && !confirm) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "error_on_requires_action",
                       "error_on_requires_action can only be used together with confirm=true");
        return;
    }
    intent->capture_method = (uint8_t)(method ? method - 1 : CAPTURE_AUTOMATIC_ASYNC);
    intent->status = token.at ? STATUS_REQUIRES_CONFIRMATION : STATUS_REQUIRES_PAYMENT_METHOD;
    if (token.at) {
        intent->card = card_of(token);
        intent->methods = 1;
    }
    verdict->record.head.parts = PART_INTENT;
    verdict->record.head.time_ms = now_ms;
    answer(verdict, RECORD_CREATED, ANSWER_INTENT, 200, expansions);
    verdict->kind = VERDICT_RECORD;
    if (!confirm)
        return;
    if (!token.at) {
        verdict_refuse(verdict, GATEWAY_ERROR_UNEXPECTED_STATE, "payment_method",
                       "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
                       "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
                       "directly with a payment method or ConfirmationToken.");
        return;
    }
    verdict->kind = VERDICT_ATTEMPT;
    verdict->record.head.answer = ANSWER_NONE;
    verdict->attempt = (struct attempt){
        .intent = intent->number, .card = intent->card, .refuse_action = refuse_action, .expansions = expansions};
    verdict->delay_ms = card_kind(intent->card)->behaviour == CARD_SLOW ? intent->card.number : 0;
}

static void confirm(struct book *book, struct bytes id, const struct form *form, uint8_t expansions, int64_t now_ms,
                    struct verdict *verdict) {
    struct bytes token = form_value(form, "payment_method");
    struct intent_entry *entry;
    bool refuse_action;
    if ((token.at && !require(verdict, form, "payment_method")) ||
        !read_bool(verdict, form, "error_on_requires_action", &refuse_action) || !check_method_types(verdict, form) ||
        !find(book, id, verdict, &entry))
        return;
    uint8_t status = entry->intent.status;
    if (status != STATUS_REQUIRES_PAYMENT_METHOD && status != STATUS_REQUIRES_CONFIRMATION &&
        status != STATUS_REQUIRES_ACTION) {
        load(book, entry, now_ms, verdict);
        refuse_state(verdict, "confirm", "confirmed: requires_payment_method, requires_confirmation, requires_action");
        return;
    }
    if (!token.at && status == STATUS_REQUIRES_PAYMENT_METHOD) {
        load(book, entry, now_ms, verdict);
        verdict_refuse(verdict, GATEWAY_ERROR_UNEXPECTED_STATE, "payment_method",
                       "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
                       "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
                       "directly with a payment method or ConfirmationToken.");
        refuse_and_keep(verdict, true);
        return;
    }
    verdict->attempt = (struct attempt){.intent = entry->intent.number,
                                        .card = token.at ? card_of(token) : entry->intent.card,
                                        .new_method = token.at,
                                        .refuse_action = refuse_action,
                                        .expansions = expansions};
    const struct card_kind *kind = card_kind(verdict->attempt.card);
    verdict->delay_ms = kind->behaviour == CARD_SLOW ? verdict->attempt.card.number : 0;
    verdict->kind = VERDICT_ATTEMPT;
}

static void add_charge(struct book *book, const struct attempt *attempt, int64_t now_ms, bool failed,
                       struct record *record) {
    record->charge = (struct charge){.chance = random_u64(),
                                     .created_ms = now_ms,
                                     .amount = record->intent.amount,
                                     .number = book->charge_count,
                                     .intent = record->intent.number,
                                     .card = attempt->card,
                                     .method = record->intent.methods,
                                     .failed = failed};
    record->intent.charge = record->charge.number + 1;
    record->head.parts |= PART_CHARGE;
}

static void decline(struct book *book, const struct attempt *attempt, int64_t now_ms, struct verdict *verdict) {
    add_charge(book, attempt, now_ms, true, &verdict->record);
    verdict->record.intent.status = STATUS_REQUIRES_PAYMENT_METHOD;
    answer(verdict, RECORD_FAILED, ANSWER_DECLINE, 402, 0);
}

static void approve(struct book *book, const struct attempt *attempt, int64_t now_ms, struct verdict *verdict) {
    struct record *record = &verdict->record;
    add_charge(book, attempt, now_ms, false, record);
    if (record->intent.capture_method == CAPTURE_MANUAL) {
        record->intent.status = STATUS_REQUIRES_CAPTURE;
        answer(verdict, RECORD_AUTHORIZED, ANSWER_INTENT, 200, attempt->expansions);
        return;
    }
    record->charge.captured = true;
    record->charge.amount_captured = record->intent.amount_received = record->intent.amount;
    record->intent.status = STATUS_SUCCEEDED;
    answer(verdict, RECORD_SUCCEEDED, ANSWER_INTENT, 200, attempt->expansions);
}

/* A failure of the sandbox itself, as some tokens ask for: kept, as Stripe keeps its own. */
static void fail(struct verdict *verdict) {
    struct record record = verdict->record;
    verdict_refuse(verdict, GATEWAY_ERROR_SERVER, "", "An unknown error occurred.");
    render_error(&verdict->body, verdict->error, "", bytes_of(verdict->message), NULL);
    verdict->record = record;
    verdict->record.body = buffer_bytes(&verdict->body);
    answer(verdict, RECORD_NOTED, ANSWER_BODY, 500, 0);
    verdict->kind = VERDICT_RECORD;
}

void operation_charge(struct book *book, const struct attempt *attempt, int64_t now_ms, struct verdict *verdict) {
    const struct card_kind *kind = card_kind(attempt->card);
    load(book, &book->intents[attempt->intent], now_ms, verdict);
    struct record *record = &verdict->record;
    if (kind->behaviour == CARD_ERROR_ONCE && !record->intent.erred) {
        record->intent.erred = true;
        fail(verdict);
        return;
    }
    record->intent.card = attempt->card;
    record->intent.methods += attempt->new_method;
    switch (kind->behaviour) {
    case CARD_DECLINED:
        decline(book, attempt, now_ms, verdict);
        return;
    case CARD_ACTION:
        if (attempt->refuse_action) {
            decline(book, attempt, now_ms, verdict);
            return;
        }
        record->intent.status = STATUS_REQUIRES_ACTION;
        answer(verdict, RECORD_ACTION_REQUIRED, ANSWER_INTENT, 200, attempt->expansions);
        return;
    case CARD_HANGING:
        if (record->intent.chance & 1)
            decline(book, attempt, now_ms, verdict);
        else
            approve(book, attempt, now_ms, verdict);
        record->head.ending = ENDING_HANG;
        return;
    case CARD_REPLY_LOST:
        approve(book, attempt, now_ms, verdict);
        record->head.ending = ENDING_CUT;
        return;
    case CARD_CAPTURE_FAILS:
        record->intent.capture_failures_left = attempt->card.number;
        approve(book, attempt, now_ms, verdict);
        return;
    case CARD_APPROVED:
    case CARD_SLOW:
    case CARD_ERROR_ONCE:
        approve(book, attempt, now_ms, verdict);
        return;
    }
    impossible("a card without behaviour");
}

static void capture(struct book *book, struct bytes id, const struct form *form, uint8_t expansions, int64_t now_ms,
                    struct verdict *verdict) {
    struct bytes given = form_value(form, "amount_to_capture");
    struct intent_entry *entry;
    int64_t amount = 0;
    if ((given.at && !read_amount(verdict, "amount_to_capture", given, &amount)) || !find(book, id, verdict, &entry))
        return;
    load(book, entry, now_ms, verdict);
    struct record *record = &verdict->record;
    if (record->intent.status != STATUS_REQUIRES_CAPTURE) {
        refuse_state(verdict, "capture", "captured: requires_capture");
        return;
    }
    if (amount > record->intent.amount) {
        verdict_refuse(verdict, GATEWAY_ERROR_AMOUNT_TOO_LARGE, "amount_to_capture",
                       "The provided capture amount (%lld) is greater than the amount that can be captured (%lld).",
                       (long long)amount, (long long)record->intent.amount);
        refuse_and_keep(verdict, false);
        return;
    }
    if (record->intent.capture_failures_left) {
        record->intent.capture_failures_left--;
        fail(verdict);
        return;
    }
    record->charge.captured = true;
    record->charge.amount_captured = record->intent.amount_received = amount ? amount : record->intent.amount;
    record->intent.status = STATUS_SUCCEEDED;
    answer(verdict, RECORD_SUCCEEDED, ANSWER_INTENT, 200, expansions);
}

static void cancel(struct book *book, struct bytes id, const struct form *form, uint8_t expansions, int64_t now_ms,
                   struct verdict *verdict) {
    struct intent_entry *entry;
    uint32_t reason;
    if (!read_choice(verdict, form, "cancellation_reason", cancellation_reasons, 4, &reason) ||
        !find(book, id, verdict, &entry))
        return;
    load(book, entry, now_ms, verdict);
    struct record *record = &verdict->record;
    if (record->intent.status == STATUS_SUCCEEDED || record->intent.status == STATUS_CANCELED) {
        refuse_state(verdict, "cancel",
                     "canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, "
                     "processing");
        return;
    }
    record->intent.status = STATUS_CANCELED;
    record->intent.canceled_ms = now_ms;
    record->intent.cancellation = (uint8_t)reason;
    answer(verdict, RECORD_CANCELED, ANSWER_INTENT, 200, expansions);
}

/* Which charge a refund is of: named itself, or by its intent. */
static bool find_refunded(struct book *book, const struct form *form, struct verdict *verdict,
                          struct intent_entry **entry) {
    struct bytes intent = form_value(form, "payment_intent"), charge = form_value(form, "charge");
    if (intent.at && charge.at) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETERS_EXCLUSIVE, "charge",
                       "You may only specify one of these parameters: charge, payment_intent.");
        return false;
    }
    if (!intent.at && !charge.at) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_MISSING, "payment_intent",
                       "One of the following params should be provided for this request: payment_intent or charge.");
        return false;
    }
    if (intent.at) {
        if (find(book, intent, verdict, entry))
            return true;
        if (verdict->error == GATEWAY_ERROR_RESOURCE_MISSING)
            snprintf(verdict->param, sizeof verdict->param, "payment_intent");
        return false;
    }
    struct charge_entry *found = book_charge(book, charge);
    if (!found) {
        verdict_refuse(verdict, GATEWAY_ERROR_RESOURCE_MISSING, "charge", "No such charge: '%.*s'", SHOWN(charge));
        return false;
    }
    *entry = &book->intents[found->charge.intent];
    if ((*entry)->intent.charge != found->charge.number + 1) {
        verdict_refuse(verdict, GATEWAY_ERROR_PARAMETER_INVALID, "charge",
                       "This charge has failed: nothing to refund.");
        return false;
    }
    return true;
}

static void refund(struct book *book, const struct form *form, uint8_t expansions, int64_t now_ms,
                   struct verdict *verdict) {
    struct bytes given = form_value(form, "amount");
    struct intent_entry *entry;
    struct json_writer writer = json_writer(&verdict->refund_details);
    uint32_t reason;
    int64_t amount = 0;
    if ((given.at && !read_amount(verdict, "amount", given, &amount)) ||
        !read_choice(verdict, form, "reason", refund_reasons, 3, &reason) || !write_metadata(verdict, form, &writer) ||
        !find_refunded(book, form, verdict, &entry))
        return;
    load(book, entry, now_ms, verdict);
    struct record *record = &verdict->record;
    struct charge *charge = &record->charge;
    int64_t left = charge->amount_captured - charge->amount_refunded;
    char charge_id[OBJECT_ID_BYTES], intent_id[OBJECT_ID_BYTES];
    object_id("ch", charge->number, charge->chance, charge_id);
    object_id("pi", record->intent.number, record->intent.chance, intent_id);
    if (record->intent.status != STATUS_SUCCEEDED) {
        verdict_refuse(verdict, GATEWAY_ERROR_UNEXPECTED_STATE, "",
                       "This PaymentIntent (%s) does not have a successful charge to refund.", intent_id);
        refuse_and_keep(verdict, true);
    } else if (left == 0) {
        verdict_refuse(verdict, GATEWAY_ERROR_CHARGE_ALREADY_REFUNDED, "", "Charge %s has already been refunded.",
                       charge_id);
        refuse_and_keep(verdict, false);
    } else if (amount > left) {
        verdict_refuse(verdict, GATEWAY_ERROR_AMOUNT_TOO_LARGE, "amount",
                       "Refund amount (%lld) is greater than unrefunded amount on charge (%lld)", (long long)amount,
                       (long long)left);
        refuse_and_keep(verdict, false);
    } else {
        charge->amount_refunded += amount ? amount : left;
        record->refund = (struct refund){.chance = random_u64(),
                                         .created_ms = now_ms,
                                         .amount = amount ? amount : left,
                                         .number = book->refund_count,
                                         .charge = charge->number,
                                         .intent = record->intent.number,
                                         .reason = reason};
        record->refund_details = buffer_bytes(&verdict->refund_details);
        record->head.parts |= PART_REFUND;
        answer(verdict, RECORD_REFUNDED, ANSWER_REFUND, 200, expansions);
    }
}

void operation_run(struct book *book, enum route route, struct bytes id, const struct form *form, uint8_t expansions,
                   int64_t now_ms, struct verdict *verdict) {
    switch (route) {
    case ROUTE_INTENT_CREATE:
        create(book, form, expansions, now_ms, verdict);
        return;
    case ROUTE_INTENT_CONFIRM:
        confirm(book, id, form, expansions, now_ms, verdict);
        return;
    case ROUTE_INTENT_CAPTURE:
        capture(book, id, form, expansions, now_ms, verdict);
        return;
    case ROUTE_INTENT_CANCEL:
        cancel(book, id, form, expansions, now_ms, verdict);
        return;
    case ROUTE_REFUND_CREATE:
        refund(book, form, expansions, now_ms, verdict);
        return;
    default:
        impossible("a call that changes nothing");
    }
}
