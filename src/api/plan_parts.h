/* A show's plan in pieces, as the map on a fan's phone wants it: an overview of the sections, then the seats of a
 * section when somebody looks at it. A stadium's whole plan is megabytes; its overview is some kilobytes.
 *
 * Made once with the sale, plain and as gzip, and shared from then on.
 */
#ifndef ONSALE_API_PLAN_PARTS_H
#define ONSALE_API_PLAN_PARTS_H

#include "net/blob.h"
#include "seats/plan.h"

struct plan_part {
    struct blob *plain, *gzip;
};

struct plan_parts {
    struct plan_part overview;
    uint32_t count;
    struct plan_part sections[]; /* by the section's index, areas left out */
};

/* Tens of milliseconds for a stadium: never on a reactor. OVERLOADED when memory ran out. */
MUST_USE enum result plan_parts_new(const struct plan *plan, struct plan_parts **parts);
void plan_parts_free(struct plan_parts *parts); /* NULL is allowed */

/* The part that a query names, "overview" or a section's number in decimal. INVALID_FIELD: it names none; NOT_FOUND:
 * the plan has no such section. The part is borrowed. */
MUST_USE enum result plan_parts_find(const struct plan_parts *parts, struct bytes name, const struct plan_part **part);

#endif
