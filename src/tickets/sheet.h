/* ticket.svg: one card a ticket, stacked: event, time, seat, price, its QR code and number. To be shown on a phone, in
 * light and dark, or printed, black on white.
 *
 * An SVG document on its own: no script, no link, nothing fetched. Its one style element is always the same, so that a
 * Content-Security-Policy can name it by hash and forbid all else. Whatever names say stays text.
 *
 * The QR code holds the token as it is, in bytes, at error correction M (15 % may be lost: a crease, a reflection), in
 * the smallest version that takes it: 14 (73 modules a side) for a plain seat_id, 15 up to 45 bytes, 16 for the
 * longest. M costs two versions over L, and Q would cost three more: smaller modules are what a phone's camera misses
 * first.
 */
#ifndef ONSALE_TICKETS_SHEET_H
#define ONSALE_TICKETS_SHEET_H

#include "tickets/ticket.h"
#include "tickets/words.h"

/* Of the style element's text, as a source expression of CSP. */
#define SHEET_STYLE_HASH "sha256-hL465mfz2s9A3PI1cwsgN0pgiJs9XN1IBU+sJm0lXUg="

/* What all cards of a sheet share. */
struct sheet {
    const struct keyring *ring;
    const struct words *words;
    struct bytes event_name;
    int64_t start_ms;   /* 0: not set */
    int offset_minutes; /* how times are shown */
    char accent[8];     /* "#rrggbb", or "" */
};

struct card {
    struct ticket ticket;
    uint32_t ordinal, total; /* "1 of 4", of the booking */
    struct bytes section;    /* "" where the plan gives none */
    struct bytes row;        /* "" in an area */
    struct bytes number;     /* of the seat; "" in an area, where the seat_id is shown */
    struct bytes category;
    int64_t amount;
    char currency[4];
};

/* Appends the document. `out` fails to grow, or it is all there. */
void sheet_write(const struct sheet *sheet, uint32_t count, const struct card *cards, struct buffer *out);

#endif
