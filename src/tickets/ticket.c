#include "tickets/ticket.h"
#include "base/json.h"
#include "base/panic.h"

#define TYPE "ticket+jwt"
#define TYPE_OF_A_PASS "JWT"

enum {
    CLAIMS_MOST = sizeof "{'iss':'onsale','aud':'entry','show':'','seat':'','jti':'','iat':,'start':}" - 1 +
                  ID_UUID_TEXT + 6 * LIMIT_SEAT_ID_BYTES + TICKET_NUMBER_TEXT + 2 * JWS_TIME_DIGITS
};

static_assert(sizeof TYPE - 1 <= JWS_TYPE_MOST, "the type fits a header");
static_assert(JWS_TEXT(sizeof TYPE - 1, CLAIMS_MOST) <= LIMIT_TICKET_BYTES, "the longest ticket is within its limit");
static_assert(LIMIT_SEAT_ID_BYTES <= UINT8_MAX, "a seat_id's length is one byte");

/* ---- the number ---- */

/* Crockford's: no I, L, O and U, which are read as something else. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static_assert(KEY_TICKET_NUMBER_BYTES * 8 == TICKET_NUMBER_TEXT * 5, "no bit of a number is left over");

void ticket_number_format(const uint8_t number[static KEY_TICKET_NUMBER_BYTES], char text[static TICKET_NUMBER_TEXT]) {
    for (unsigned i = 0; i < TICKET_NUMBER_TEXT; i++) {
        unsigned bit = 5 * i, low = bit % 8;
        unsigned pair = (unsigned)number[bit / 8] << 8 | (low > 3 ? number[bit / 8 + 1] : 0u);
        text[i] = alphabet[pair >> (11 - low) & 31];
    }
}

static bool number_parse(struct bytes text, uint8_t number[static KEY_TICKET_NUMBER_BYTES]) {
    memset(number, 0, KEY_TICKET_NUMBER_BYTES);
    if (text.length != TICKET_NUMBER_TEXT)
        return false;
    for (unsigned i = 0; i < TICKET_NUMBER_TEXT; i++) {
        const char *at = text.at[i] ? strchr(alphabet, text.at[i]) : NULL;
        if (!at)
            return false;
        unsigned bit = 5 * i, low = bit % 8, pair = (unsigned)(at - alphabet) << (11 - low);
        number[bit / 8] |= (uint8_t)(pair >> 8);
        if (low > 3)
            number[bit / 8 + 1] |= (uint8_t)pair;
    }
    return true;
}

/* ---- making ---- */

static int64_t seconds_of(int64_t ms) {
    return ms < 0 ? 0 : ms / 1000 > JWS_LAST_S ? JWS_LAST_S : ms / 1000;
}

struct ticket ticket_for_seat(const struct keyring *ring, const struct id *show_id, const struct id *booking,
                              struct bytes seat_id, int64_t sold_ms, int64_t starts_ms) {
    struct ticket ticket = {.show_id = *show_id,
                            .seat_length = (uint8_t)seat_id.length,
                            .sold_s = seconds_of(sold_ms),
                            .starts_s = seconds_of(starts_ms)};
    assert(seat_id.length >= 1 && seat_id.length <= LIMIT_SEAT_ID_BYTES);
    memcpy(ticket.seat_id, seat_id.at, seat_id.length);
    keyring_ticket_number(ring, booking, seat_id, ticket.number);
    return ticket;
}

static void write_claims(const struct ticket *ticket, struct buffer *out) {
    char number[TICKET_NUMBER_TEXT];
    ticket_number_format(ticket->number, number);
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_member_text(&writer, "iss", "onsale");
    json_member_text(&writer, "aud", "entry");
    json_key(&writer, "show");
    json_put_uuid(&writer, &ticket->show_id);
    json_member_string(&writer, "seat", ticket_seat(ticket));
    json_member_string(&writer, "jti", (struct bytes){number, sizeof number});
    json_member_int(&writer, "iat", ticket->sold_s);
    if (ticket->starts_s)
        json_member_int(&writer, "start", ticket->starts_s);
    json_close(&writer, '}');
}

/* By what the ticket says of itself: so whoever is asked, and whenever, takes the same. */
static const struct key_generation *key_for(const struct keyring *ring, const struct ticket *ticket) {
    uint32_t at = ring->count - 1;
    while (at > 0 && ring->of[at].created_ms / 1000 + TICKET_KEY_RESTS_S > ticket->sold_s)
        at--;
    return &ring->of[at];
}

void ticket_write(const struct keyring *ring, const struct ticket *ticket, struct buffer *out) {
    char room[CLAIMS_MOST];
    struct buffer claims = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    assert(ticket->seat_length >= 1 && ticket->seat_length <= LIMIT_SEAT_ID_BYTES);
    assert(ticket->sold_s >= 0 && ticket->sold_s <= JWS_LAST_S);
    assert(ticket->starts_s >= 0 && ticket->starts_s <= JWS_LAST_S);
    write_claims(ticket, &claims);
    assert(buffer_ok(&claims));
    jws_write(key_for(ring, ticket), BYTES(TYPE), buffer_bytes(&claims), out);
}

/* ---- reading ---- */

/* Whatever of this is not as we write it does not come out the same when it is written again. */
static bool read_claims(struct bytes rest, struct ticket *ticket) {
    struct bytes show, number;
    size_t length;
    if (!claims_take(&rest, BYTES("{\"iss\":\"onsale\",\"aud\":\"entry\",\"show\":\"")) ||
        !claims_take_many(&rest, ID_UUID_TEXT, &show) || !id_parse_uuid(show, &ticket->show_id))
        return false;
    if (!claims_take(&rest, BYTES("\",\"seat\":\"")) ||
        !claims_take_string(&rest, sizeof ticket->seat_id, ticket->seat_id, &length))
        return false;
    ticket->seat_length = (uint8_t)length;
    if (!claims_take(&rest, BYTES(",\"jti\":\"")) || !claims_take_many(&rest, TICKET_NUMBER_TEXT, &number) ||
        !number_parse(number, ticket->number))
        return false;
    if (!claims_take(&rest, BYTES("\",\"iat\":")) || !claims_take_time(&rest, &ticket->sold_s))
        return false;
    if (claims_take(&rest, BYTES(",\"start\":")) && !claims_take_time(&rest, &ticket->starts_s))
        return false;
    return claims_take(&rest, BYTES("}")) && rest.length == 0 && bytes_are_utf8(ticket_seat(ticket));
}

static bool is_as_written(const struct ticket *ticket, struct bytes claims) {
    char room[CLAIMS_MOST];
    struct buffer again = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    write_claims(ticket, &again);
    return buffer_ok(&again) && bytes_equal(buffer_bytes(&again), claims);
}

enum ticket_verdict ticket_read(const struct keyring *ring, struct bytes text, struct ticket *ticket) {
    struct jws jws;
    struct ticket said = {.seat_length = 0};
    uint8_t claims[CLAIMS_MOST];
    size_t length;
    if (!jws_split(text, BYTES(TYPE), &jws))
        return jws_split(text, BYTES(TYPE_OF_A_PASS), &jws) ? TICKET_IS_A_PASS : TICKET_MALFORMED;
    if (!base64url_decode(jws.claims, sizeof claims, claims, &length))
        return TICKET_MALFORMED;
    const struct key_generation *key = keyring_find(ring, jws.kid);
    if (!key)
        return TICKET_UNKNOWN_KEY;
    if (!jws_is_signed_by(&jws, key))
        return TICKET_FORGED;
    struct bytes body = {(const char *)claims, length};
    if (!read_claims(body, &said) || !is_as_written(&said, body))
        return TICKET_MALFORMED;
    *ticket = said;
    return TICKET_GOOD;
}
