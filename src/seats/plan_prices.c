/* Reads what a document says about prices: an object of category names, each with its amount and currency. All amounts
 * of a show are in one currency, for one payment pays for seats of several categories.
 */
#include "seats/plan.h"

#include "seats/plan_reader.h"

/* Three capitals; whether ISO 4217 has it is for the gateway to say. */
static bool is_currency(struct bytes code) {
    if (code.length != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (code.at[i] < 'A' || code.at[i] > 'Z')
            return false;
    return true;
}

static bool read_price(struct plan_reader *reader, const json_t *entry, const struct where *where,
                       struct plan_prices *prices, int64_t *amount) {
    struct bytes currency;
    if (!value_object(reader, entry, where) ||
        !field_integer(reader, entry, where, "amount", 0, LIMIT_PRICE_AMOUNT, amount) ||
        !field_text(reader, entry, where, "currency", 16, &currency))
        return false;
    if (!is_currency(currency))
        return refuse(reader, MEMBER(where, "currency"), "must be an ISO 4217 code like EUR, and is '%.*s'",
                      (int)currency.length, currency.at);
    if (prices->currency[0] && !bytes_equal(bytes_of(prices->currency), currency))
        return refuse(reader, MEMBER(where, "currency"), "all prices must be in one currency; others are in %s",
                      prices->currency);
    memcpy(prices->currency, currency.at, 3);
    return true;
}

static bool read_prices(struct plan_reader *reader, const struct plan *plan, const json_t *document,
                        struct plan_prices *prices) {
    const struct where top = {0};
    if (document && !json_is_null(document) && !value_object(reader, document, &top))
        return false;
    /* jansson's iterators want a document that may be changed; this one is not. */
    json_t *object = (json_t *)(uintptr_t)document;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const struct where *where = MEMBER(&top, name);
        uint32_t category = plan_find_category(plan, bytes_of(name));
        if (category == PLAN_NO_SEAT)
            return refuse(reader, where, "the plan has no category '%s'", name);
        if (!read_price(reader, json_object_iter_value(at), where, prices, &prices->of[category].amount))
            return false;
    }
    return true;
}

enum result plan_read_prices(const struct plan *plan, const json_t *document, struct plan_prices *prices, char *pointer,
                             size_t pointer_size, char *detail, size_t detail_size) {
    struct plan_reader reader = {
        .pointer = pointer, .pointer_size = pointer_size, .detail = detail, .detail_size = detail_size};
    struct plan_prices found = {.count = plan->category_count};
    for (uint32_t i = 0; i < plan->category_count; i++) {
        found.of[i].category = plan->categories[i].name;
        found.of[i].amount = -1;
    }
    if (!read_prices(&reader, plan, document, &found))
        return reader.result;
    *prices = found;
    return RESULT_OK;
}
