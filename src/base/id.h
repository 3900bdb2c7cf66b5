/* 128-bit ids.
 *
 * struct id               sixteen bytes; all zero means none
 * id_new_uuid7()          RFC 9562 version 7: 48 bits of time, 74 of chance; the ledger's indexes grow at one end
 * id_new_reservation()    32 bits of seconds, the 16-bit tag of its show, 80 bits of chance: to know one is to own it,
 *                         and it says which show to look in
 *
 * Texts: a UUID with hyphens (ID_UUID_TEXT characters), or 32 hex digits behind a letter ("r…", "b…").
 */
#ifndef ONSALE_BASE_ID_H
#define ONSALE_BASE_ID_H

#include "base/bytes.h"

struct id {
    uint8_t at[16];
};

#define ID_UUID_TEXT 36
#define ID_LETTER_TEXT 33

struct id id_new_uuid7(int64_t now_ms);
struct id id_new_reservation(int64_t now_ms, uint16_t show_tag);
uint16_t id_reservation_tag(const struct id *id);
/* The tag of a show: the last two bytes of its UUID, which are random. */
uint16_t id_show_tag(const struct id *show_id);

static inline bool id_equal(const struct id *a, const struct id *b) {
    return memcmp(a->at, b->at, sizeof a->at) == 0;
}

static inline bool id_is_none(const struct id *id) {
    static const struct id none;
    return id_equal(id, &none);
}

/* Writes exactly ID_UUID_TEXT or ID_LETTER_TEXT characters and no NUL. */
void id_format_uuid(const struct id *id, char text[static ID_UUID_TEXT]);
void id_format_letter(const struct id *id, char letter, char text[static ID_LETTER_TEXT]);

/* False unless the text is canonical (lower case hex; a UUID with its hyphens; the letter in front). */
bool id_parse_uuid(struct bytes text, struct id *id);
bool id_parse_letter(struct bytes text, char letter, struct id *id);

#endif
