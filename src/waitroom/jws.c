#include "waitroom/jws.h"
#include "base/panic.h"

#include <sodium.h>

/* ---- making ---- */

/* The header but for its kid, and where that stands in it. */
struct header {
    size_t length, kid_at;
    char text[JWS_HEADER_BYTES(JWS_TYPE_MOST)];
};

static void add(struct header *header, struct bytes part) {
    memcpy(header->text + header->length, part.at, part.length);
    header->length += part.length;
}

static struct header header_of(struct bytes type) {
    struct header header = {.length = 0};
    assert(type.length <= JWS_TYPE_MOST);
    add(&header, BYTES(JWS_HEADER_FRONT));
    add(&header, type);
    add(&header, BYTES(JWS_HEADER_MIDDLE));
    header.kid_at = header.length;
    add(&header, BYTES("00000000"));
    add(&header, BYTES(JWS_HEADER_BACK));
    return header;
}

void jws_write(const struct key_generation *key, struct bytes type, struct bytes claims, struct buffer *out) {
    struct header header = header_of(type);
    key_id_format(key->id, header.text + header.kid_at);
    size_t header_text = BASE64URL_TEXT(header.length);
    size_t signed_length = header_text + 1 + BASE64URL_TEXT(claims.length);
    char *text = buffer_reserve(out, signed_length + 1 + JWS_SIGNATURE_TEXT);
    if (!text)
        return;
    uint8_t signature[KEY_SIGNATURE_BYTES];
    base64url_encode(header.text, header.length, text);
    text[header_text] = '.';
    base64url_encode(claims.at, claims.length, text + header_text + 1);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, signed_length, key->secret_key);
    text[signed_length] = '.';
    base64url_encode(signature, sizeof signature, text + signed_length + 1);
    out->length += signed_length + 1 + JWS_SIGNATURE_TEXT;
}

/* ---- reading ---- */

/* The only header that there is of this type, but for its kid. */
static bool read_header(struct bytes text, struct header *wanted, uint32_t *kid) {
    uint8_t found[sizeof wanted->text];
    size_t length;
    if (!base64url_decode(text, sizeof found, found, &length) || length != wanted->length)
        return false;
    struct bytes kid_text = {(const char *)found + wanted->kid_at, KEY_ID_TEXT};
    memcpy(wanted->text + wanted->kid_at, kid_text.at, KEY_ID_TEXT);
    return memcmp(found, wanted->text, length) == 0 && key_id_parse(kid_text, kid);
}

bool jws_split(struct bytes text, struct bytes type, struct jws *jws) {
    struct header header = header_of(type);
    const size_t header_text = BASE64URL_TEXT(header.length), around = header_text + 1 + 1 + JWS_SIGNATURE_TEXT;
    if (text.length <= around)
        return false;
    size_t second = text.length - JWS_SIGNATURE_TEXT - 1;
    if (text.at[header_text] != '.' || text.at[second] != '.') /* any other dot is no base64url */
        return false;
    struct jws split = {.signed_text = {text.at, second},
                        .claims = {text.at + header_text + 1, text.length - around},
                        .signature = {text.at + second + 1, JWS_SIGNATURE_TEXT}};
    if (!read_header((struct bytes){text.at, header_text}, &header, &split.kid))
        return false;
    *jws = split;
    return true;
}

bool jws_is_signed_by(const struct jws *jws, const struct key_generation *key) {
    uint8_t signature[KEY_SIGNATURE_BYTES];
    size_t length;
    return base64url_decode(jws->signature, sizeof signature, signature, &length) &&
           crypto_sign_verify_detached(signature, (const uint8_t *)jws->signed_text.at, jws->signed_text.length,
                                       key->public_key) == 0;
}

/* ---- claims ---- */

bool claims_take(struct bytes *from, struct bytes literal) {
    if (!bytes_start_with(*from, literal))
        return false;
    from->at += literal.length;
    from->length -= literal.length;
    return true;
}

bool claims_take_many(struct bytes *from, size_t length, struct bytes *taken) {
    if (from->length < length)
        return false;
    *taken = (struct bytes){from->at, length};
    from->at += length;
    from->length -= length;
    return true;
}

bool claims_take_string(struct bytes *from, size_t room, char *text, size_t *length) {
    struct bytes part;
    size_t count = 0;
    while (from->length && from->at[0] != '"') {
        uint8_t c = (uint8_t)from->at[0];
        if (count == room)
            return false;
        if (c == '\\' && claims_take(from, BYTES("\\u00"))) {
            if (!claims_take_many(from, 2, &part) || !hex_decode(part, &c, 1))
                return false;
        } else {
            size_t skip = c == '\\' ? 2 : 1;
            if (!claims_take_many(from, skip, &part))
                return false;
            c = (uint8_t)part.at[skip - 1];
        }
        text[count++] = (char)c;
    }
    *length = count;
    return count > 0 && claims_take(from, BYTES("\""));
}

bool claims_take_time(struct bytes *from, int64_t *time_s) {
    uint64_t value;
    struct bytes digits = {from->at, 0};
    while (digits.length < from->length && from->at[digits.length] >= '0' && from->at[digits.length] <= '9')
        digits.length++;
    if (!bytes_to_u64(digits, JWS_LAST_S, &value))
        return false;
    *time_s = (int64_t)value;
    return claims_take(from, digits);
}
