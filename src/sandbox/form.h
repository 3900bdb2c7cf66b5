/* A form as Stripe takes it (application/x-www-form-urlencoded): name=value pairs, percent-decoded, in the order they
 * came. What is ambiguous is refused: a name twice (but for lists, "name[]"), broken percent signs, bytes that are not
 * UTF-8. */
#ifndef ONSALE_SANDBOX_FORM_H
#define ONSALE_SANDBOX_FORM_H

#include "base/bytes.h"
#include "base/id.h"

#define FORM_PAIRS 120 /* fifty of metadata, and all else there is */

struct form_pair {
    struct bytes name, value;
};

struct form {
    struct form_pair pairs[FORM_PAIRS];
    unsigned count;
};

/* The pairs point into `storage`, which takes no more than text.length bytes. False with the reason, quoting, in
 * `detail`. */
bool form_read(struct bytes text, struct buffer *storage, struct form *form, char *detail, size_t detail_size);

/* The value, or a range with at == NULL. */
struct bytes form_value(const struct form *form, const char *name);

/* Hash of route and pairs, whatever their order. */
struct id form_hash(const struct form *form, struct bytes route);

#endif
