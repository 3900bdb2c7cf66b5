/* GET of a list: newest first, in pages, as Stripe does it (docs.stripe.com/api/pagination). */
#include "sandbox/sandbox_state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"

#define MOST_ON_A_PAGE 100

struct list {
    struct sandbox *sandbox;
    enum route route;
    uint8_t expansions;
    uint32_t count; /* of all there is; an item's index is its age */
    int64_t created_from_s, created_until_s;
    uint32_t intent, charge; /* refunds of these only; UINT32_MAX: all */
    uint32_t kinds;          /* events of these kinds only: bits */
    int delivered;           /* 1: events that the webhook has had only; 0: those it is owed; -1: all */
    uint32_t limit;
    uint32_t below, above; /* indices: of the page's items, all are below the one and above the other − 1 */
    bool upwards;          /* ending_before: the page next to it, not the newest */
};

bool sandbox_read_record(struct sandbox *sandbox, uint64_t place, struct record *record) {
    sandbox->replay.length = 0;
    sandbox->replay.full = false;
    if (tape_read(sandbox->tape, place, &sandbox->replay) == RESULT_OK &&
        object_record_read(buffer_bytes(&sandbox->replay), record))
        return true;
    log_error("a record of the sandbox cannot be read again", LOG_INT("place", place));
    return false;
}

static bool is_wanted(const struct list *list, uint32_t index) {
    const struct book *book = &list->sandbox->book;
    int64_t created_ms;
    switch (list->route) {
    case ROUTE_INTENT_LIST:
        created_ms = book->intents[index].intent.created_ms;
        break;
    case ROUTE_REFUND_LIST:
        if ((list->intent != UINT32_MAX && book->refunds[index].refund.intent != list->intent) ||
            (list->charge != UINT32_MAX && book->refunds[index].refund.charge != list->charge))
            return false;
        created_ms = book->refunds[index].refund.created_ms;
        break;
    default:
        if (!(list->kinds & 1u << book->events[index].kind) ||
            (list->delivered >= 0 && book->events[index].owed == list->delivered))
            return false;
        /* What is not synced has not happened yet. */
        if (book->events[index].place >= tape_synced_to(list->sandbox->tape))
            return false;
        created_ms = book->events[index].time_ms;
        break;
    }
    return created_ms / 1000 >= list->created_from_s && created_ms / 1000 <= list->created_until_s;
}

static void write_item(const struct list *list, uint32_t index, struct json_writer *writer) {
    struct book *book = &list->sandbox->book;
    struct record record;
    switch (list->route) {
    case ROUTE_INTENT_LIST:
        operation_show_intent(book, &book->intents[index], &record);
        render_intent(writer, &record, list->expansions);
        return;
    case ROUTE_REFUND_LIST:
        operation_show_refund(book, &book->refunds[index], &record);
        render_refund(writer, &record, list->expansions);
        return;
    default:
        if (sandbox_read_record(list->sandbox, book->events[index].place, &record))
            render_event(writer, &record);
        return;
    }
}

/* The index of the object that a page starts or ends at. */
static bool find_cursor(struct list *list, const char *name, uint32_t *index) {
    struct sandbox *sandbox = list->sandbox;
    struct bytes id = form_value(&sandbox->form, name);
    uint32_t number;
    uint64_t chance;
    bool found = false;
    if (list->route == ROUTE_INTENT_LIST) {
        const struct intent_entry *entry = book_intent(&sandbox->book, id);
        found = entry;
        number = entry ? entry->intent.number : 0;
    } else if (list->route == ROUTE_REFUND_LIST) {
        const struct refund_entry *entry = book_refund(&sandbox->book, id);
        found = entry;
        number = entry ? entry->refund.number : 0;
    } else {
        found = object_id_parse(id, "evt", &number, &chance);
        number = found ? book_event_index(&sandbox->book, number) : 0;
        found = found && number < sandbox->book.event_count;
    }
    if (found)
        *index = number;
    else
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_RESOURCE_MISSING, name, "No such object: '%.*s'",
                       (int)(id.length < 100 ? id.length : 100), id.at);
    return found;
}

static bool read_seconds(struct sandbox *sandbox, const char *name, int64_t plus, int64_t *seconds) {
    struct bytes text = form_value(&sandbox->form, name);
    uint64_t value;
    if (!text.at)
        return true;
    if (!bytes_to_u64(text, INT64_MAX / 2, &value)) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_PARAMETER_INTEGER, name, "Invalid integer: %.*s",
                       (int)(text.length < 100 ? text.length : 100), text.at);
        return false;
    }
    *seconds = (int64_t)value + plus;
    return true;
}

static bool read_page(struct list *list) {
    struct sandbox *sandbox = list->sandbox;
    int64_t limit = 10, exactly = -1;
    if (!read_seconds(sandbox, "limit", 0, &limit) || !read_seconds(sandbox, "created[gt]", 1, &list->created_from_s) ||
        !read_seconds(sandbox, "created[gte]", 0, &list->created_from_s) ||
        !read_seconds(sandbox, "created[lt]", -1, &list->created_until_s) ||
        !read_seconds(sandbox, "created[lte]", 0, &list->created_until_s) ||
        !read_seconds(sandbox, "created", 0, &exactly))
        return false;
    if (exactly >= 0)
        list->created_from_s = list->created_until_s = exactly;
    if (limit < 1 || limit > MOST_ON_A_PAGE) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_PARAMETER_INTEGER, "limit",
                       "This value must be between 1 and %d.", MOST_ON_A_PAGE);
        return false;
    }
    list->limit = (uint32_t)limit;
    list->below = list->count;
    if (form_value(&sandbox->form, "starting_after").at)
        return find_cursor(list, "starting_after", &list->below);
    uint32_t before;
    if (form_value(&sandbox->form, "ending_before").at) {
        if (!find_cursor(list, "ending_before", &before))
            return false;
        list->above = before + 1;
        list->upwards = true;
    }
    return true;
}

/* type=payment_intent.* or types[]=…: all that one of them names. */
static bool read_event_filters(struct list *list) {
    struct sandbox *sandbox = list->sandbox;
    const struct form *form = &sandbox->form;
    struct bytes type = form_value(form, "type"), delivered = form_value(form, "delivery_success");
    bool some = false;
    list->kinds = type.at ? event_kinds(type) : 0;
    for (unsigned i = 0; i < form->count; i++) {
        if (!bytes_start_with(form->pairs[i].name, BYTES("types[")))
            continue;
        list->kinds |= event_kinds(form->pairs[i].value);
        some = true;
    }
    if (type.at && some) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_PARAMETERS_EXCLUSIVE, "types",
                       "You may only specify one of these parameters: type, types.");
        return false;
    }
    if (!type.at && !some)
        list->kinds = UINT32_MAX;
    list->delivered = bytes_equal(delivered, BYTES("true")) ? 1 : bytes_equal(delivered, BYTES("false")) ? 0 : -1;
    if (delivered.at && list->delivered < 0) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_PARAMETER_INVALID, "delivery_success", "Invalid boolean: %.*s",
                       (int)(delivered.length < 100 ? delivered.length : 100), delivered.at);
        return false;
    }
    return true;
}

static bool read_filters(struct list *list) {
    struct sandbox *sandbox = list->sandbox;
    struct bytes intent = form_value(&sandbox->form, "payment_intent");
    struct bytes charge = form_value(&sandbox->form, "charge");
    list->intent = list->charge = UINT32_MAX;
    if (intent.at || charge.at) {
        const struct intent_entry *entry = intent.at ? book_intent(&sandbox->book, intent) : NULL;
        const struct charge_entry *of = charge.at ? book_charge(&sandbox->book, charge) : NULL;
        if ((intent.at && !entry) || (charge.at && !of)) {
            struct bytes missing = intent.at && !entry ? intent : charge;
            const char *name = intent.at && !entry ? "payment_intent" : "charge";
            verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_RESOURCE_MISSING, name, "No such %s: '%.*s'", name,
                           (int)(missing.length < 100 ? missing.length : 100), missing.at);
            return false;
        }
        list->intent = entry ? entry->intent.number : UINT32_MAX;
        list->charge = of ? of->charge.number : UINT32_MAX;
    }
    return read_event_filters(list);
}

bool sandbox_list(struct sandbox *sandbox, enum route route, uint8_t expansions, struct buffer *body) {
    static const char *const urls[] = {[ROUTE_INTENT_LIST] = "/v1/payment_intents",
                                       [ROUTE_REFUND_LIST] = "/v1/refunds",
                                       [ROUTE_EVENT_LIST] = "/v1/events"};
    struct book *book = &sandbox->book;
    struct list list = {.sandbox = sandbox, .route = route, .expansions = expansions, .created_until_s = INT64_MAX};
    list.count = route == ROUTE_INTENT_LIST   ? book->intent_count
                 : route == ROUTE_REFUND_LIST ? book->refund_count
                                              : book->event_count;
    if (!read_page(&list) || !read_filters(&list))
        return false;
    uint32_t found[MOST_ON_A_PAGE], count = 0;
    bool more = false;
    for (uint32_t i = list.above; i < list.below && !more; i++) {
        uint32_t index = list.upwards ? i : list.below - 1 - (i - list.above);
        if (!is_wanted(&list, index))
            continue;
        if (count == list.limit)
            more = true;
        else
            found[count++] = index;
    }
    struct json_writer writer = json_writer(body);
    json_open(&writer, '{');
    json_member_text(&writer, "object", "list");
    json_key(&writer, "data");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < count; i++)
        write_item(&list, found[list.upwards ? count - 1 - i : i], &writer);
    json_close(&writer, ']');
    json_member_bool(&writer, "has_more", more);
    json_member_text(&writer, "url", urls[route]);
    json_close(&writer, '}');
    return true;
}
