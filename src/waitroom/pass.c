#include "waitroom/pass.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/panic.h"

#include <sodium.h>

#define HEADER_FRONT "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\""
#define HEADER_BACK "\"}"
#define JTI_BYTES 16
#define TIME_DIGITS 12 /* of PASS_LAST_S */

enum {
    HEADER_BYTES = sizeof HEADER_FRONT - 1 + KEY_ID_TEXT + sizeof HEADER_BACK - 1,
    HEADER_TEXT = BASE64URL_TEXT(HEADER_BYTES),
    SIGNATURE_TEXT = BASE64URL_TEXT(KEY_SIGNATURE_BYTES),
    CLAIMS_MOST = sizeof "{'iss':'onsale','aud':'','sub':'','jti':'','iat':,'exp':}" - 1 + ID_UUID_TEXT +
                  6 * LIMIT_USER_ID_BYTES + 2 * JTI_BYTES + 2 * TIME_DIGITS
};

static_assert(BASE64URL_DATA(HEADER_TEXT) == HEADER_BYTES, "a header's text is always as many bytes");
static_assert(HEADER_TEXT + 1 + BASE64URL_TEXT(CLAIMS_MOST) + 1 + SIGNATURE_TEXT <= LIMIT_PASS_BYTES,
              "the longest pass is within its limit");

/* ---- making ---- */

static void write_jti(const struct key_generation *key, const struct pass *pass, char text[static 2 * JTI_BYTES]) {
    uint8_t jti[JTI_BYTES], issued[8], mac[KEY_MAC_SIZE];
    for (unsigned i = 0; i < 4; i++)
        jti[i] = (uint8_t)(pass->number >> (24 - 8 * i));
    for (unsigned i = 0; i < sizeof issued; i++)
        issued[i] = (uint8_t)(pass->issued_s >> (56 - 8 * i));
    const struct bytes parts[] = {BYTES("onsale pass 1"),
                                  {(const char *)pass->show_id.at, sizeof pass->show_id.at},
                                  {(const char *)jti, 4},
                                  {(const char *)issued, sizeof issued}};
    key_mac(key_mac_key(key), parts, sizeof parts / sizeof parts[0], mac);
    memcpy(jti + 4, mac, JTI_BYTES - 4);
    hex_encode(jti, sizeof jti, text);
}

static void write_claims(const struct key_generation *key, const struct pass *pass, struct buffer *out) {
    char jti[2 * JTI_BYTES];
    write_jti(key, pass, jti);
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_member_text(&writer, "iss", "onsale");
    json_key(&writer, "aud");
    json_put_uuid(&writer, &pass->show_id);
    json_member_string(&writer, "sub", user_bytes(&pass->user));
    json_member_string(&writer, "jti", (struct bytes){jti, sizeof jti});
    json_member_int(&writer, "iat", pass->issued_s);
    json_member_int(&writer, "exp", pass->expires_s);
    json_close(&writer, '}');
}

static void write_header(const struct key_generation *key, char text[static HEADER_TEXT]) {
    char header[HEADER_BYTES];
    memcpy(header, HEADER_FRONT, sizeof HEADER_FRONT - 1);
    key_id_format(key->id, header + sizeof HEADER_FRONT - 1);
    memcpy(header + HEADER_BYTES - (sizeof HEADER_BACK - 1), HEADER_BACK, sizeof HEADER_BACK - 1);
    base64url_encode(header, sizeof header, text);
}

void pass_write(const struct keyring *ring, uint32_t id, const struct pass *pass, struct buffer *out) {
    assert(pass->user.length >= 1 && pass->user.length <= LIMIT_USER_ID_BYTES);
    assert(pass->issued_s >= 0 && pass->issued_s <= PASS_LAST_S);
    assert(pass->expires_s >= 0 && pass->expires_s <= PASS_LAST_S);
    const struct key_generation *key = id ? keyring_find(ring, id) : NULL;
    if (!key)
        key = keyring_newest(ring);
    char room[CLAIMS_MOST];
    struct buffer claims = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    write_claims(key, pass, &claims);
    assert(buffer_ok(&claims));
    size_t signed_length = HEADER_TEXT + 1 + BASE64URL_TEXT(claims.length);
    char *text = buffer_reserve(out, signed_length + 1 + SIGNATURE_TEXT);
    if (!text)
        return;
    uint8_t signature[KEY_SIGNATURE_BYTES];
    write_header(key, text);
    text[HEADER_TEXT] = '.';
    base64url_encode(claims.at, claims.length, text + HEADER_TEXT + 1);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, signed_length, key->secret_key);
    text[signed_length] = '.';
    base64url_encode(signature, sizeof signature, text + signed_length + 1);
    out->length += signed_length + 1 + SIGNATURE_TEXT;
}

/* ---- reading ---- */

struct token {
    const struct key_generation *key;
    struct bytes signed_text; /* header, dot, claims */
    struct bytes signature;   /* as text */
    size_t claims_length;
    uint8_t claims[CLAIMS_MOST];
};

/* The only header that there is, but for its kid. */
static const struct key_generation *read_header(const struct keyring *ring, struct bytes text) {
    uint8_t header[HEADER_BYTES];
    const size_t front = sizeof HEADER_FRONT - 1;
    size_t length;
    uint32_t id;
    if (!base64url_decode(text, sizeof header, header, &length))
        return NULL;
    if (memcmp(header, HEADER_FRONT, front) != 0 ||
        memcmp(header + front + KEY_ID_TEXT, HEADER_BACK, sizeof HEADER_BACK - 1) != 0)
        return NULL;
    if (!key_id_parse((struct bytes){(const char *)header + front, KEY_ID_TEXT}, &id))
        return NULL;
    return keyring_find(ring, id);
}

static bool read_token(const struct keyring *ring, struct bytes text, struct token *token) {
    const size_t around = HEADER_TEXT + 1 + 1 + SIGNATURE_TEXT;
    if (text.length <= around) /* one that is too long does not fit `claims` */
        return false;
    size_t second = text.length - SIGNATURE_TEXT - 1;
    if (text.at[HEADER_TEXT] != '.' || text.at[second] != '.') /* any other dot is no base64url */
        return false;
    token->signed_text = (struct bytes){text.at, second};
    token->signature = (struct bytes){text.at + second + 1, SIGNATURE_TEXT};
    token->key = read_header(ring, (struct bytes){text.at, HEADER_TEXT});
    return token->key && base64url_decode((struct bytes){text.at + HEADER_TEXT + 1, text.length - around},
                                          sizeof token->claims, token->claims, &token->claims_length);
}

static bool take(struct bytes *from, struct bytes literal) {
    if (!bytes_start_with(*from, literal))
        return false;
    from->at += literal.length;
    from->length -= literal.length;
    return true;
}

static bool take_many(struct bytes *from, size_t length, struct bytes *taken) {
    if (from->length < length)
        return false;
    *taken = (struct bytes){from->at, length};
    from->at += length;
    from->length -= length;
    return true;
}

/* A string as base/json writes it, up to its closing quote. */
static bool take_user(struct bytes *from, struct user_id *user) {
    struct bytes part;
    size_t length = 0;
    while (from->length && from->at[0] != '"') {
        uint8_t c = (uint8_t)from->at[0];
        if (length == LIMIT_USER_ID_BYTES)
            return false;
        if (c == '\\' && take(from, BYTES("\\u00"))) {
            if (!take_many(from, 2, &part) || !hex_decode(part, &c, 1))
                return false;
        } else {
            size_t skip = c == '\\' ? 2 : 1;
            if (!take_many(from, skip, &part))
                return false;
            c = (uint8_t)part.at[skip - 1];
        }
        user->text[length++] = (char)c;
    }
    user->length = (uint8_t)length;
    return length > 0 && take(from, BYTES("\""));
}

static bool take_time(struct bytes *from, int64_t *time_s) {
    uint64_t value;
    struct bytes digits = {from->at, 0};
    while (digits.length < from->length && from->at[digits.length] >= '0' && from->at[digits.length] <= '9')
        digits.length++;
    if (!bytes_to_u64(digits, PASS_LAST_S, &value))
        return false;
    *time_s = (int64_t)value;
    return take(from, digits);
}

/* Whatever of this is not as we write it does not come out the same when it is written again. */
static bool read_claims(const struct token *token, struct pass *pass) {
    struct bytes rest = {(const char *)token->claims, token->claims_length};
    struct bytes aud, number, mac;
    uint8_t digits[4];
    if (!take(&rest, BYTES("{\"iss\":\"onsale\",\"aud\":\"")) || !take_many(&rest, ID_UUID_TEXT, &aud) ||
        !id_parse_uuid(aud, &pass->show_id))
        return false;
    if (!take(&rest, BYTES("\",\"sub\":\"")) || !take_user(&rest, &pass->user))
        return false;
    if (!take(&rest, BYTES(",\"jti\":\"")) || !take_many(&rest, 8, &number) || !hex_decode(number, digits, 4) ||
        !take_many(&rest, 2 * (JTI_BYTES - 4), &mac))
        return false;
    pass->number = (uint32_t)digits[0] << 24 | (uint32_t)digits[1] << 16 | (uint32_t)digits[2] << 8 | digits[3];
    return take(&rest, BYTES("\",\"iat\":")) && take_time(&rest, &pass->issued_s) && take(&rest, BYTES(",\"exp\":")) &&
           take_time(&rest, &pass->expires_s) && take(&rest, BYTES("}")) && rest.length == 0;
}

enum result pass_read_unchecked(const struct keyring *ring, struct bytes text, struct pass *pass) {
    struct token token;
    struct pass said;
    if (!read_token(ring, text, &token) || !read_claims(&token, &said))
        return RESULT_PASS_INVALID;
    *pass = said;
    return RESULT_OK;
}

enum result pass_verify(const struct keyring *ring, struct bytes text, const struct pass *pass, bool *checked) {
    struct token token;
    char room[CLAIMS_MOST];
    struct buffer claims = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    uint8_t signature[KEY_SIGNATURE_BYTES];
    size_t length;
    *checked = false;
    if (!read_token(ring, text, &token) || !bytes_are_utf8(user_bytes(&pass->user)))
        return RESULT_PASS_INVALID;
    write_claims(token.key, pass, &claims);
    if (!buffer_ok(&claims) || claims.length != token.claims_length ||
        sodium_memcmp(claims.at, token.claims, claims.length) != 0)
        return RESULT_PASS_INVALID;
    if (!base64url_decode(token.signature, sizeof signature, signature, &length))
        return RESULT_PASS_INVALID;
    *checked = true;
    return crypto_sign_verify_detached(signature, (const uint8_t *)token.signed_text.at, token.signed_text.length,
                                       token.key->public_key) == 0
               ? RESULT_OK
               : RESULT_PASS_INVALID;
}

enum result pass_read(const struct keyring *ring, struct bytes text, struct pass *pass) {
    struct pass said;
    bool checked;
    enum result result = pass_read_unchecked(ring, text, &said);
    if (result == RESULT_OK)
        result = pass_verify(ring, text, &said, &checked);
    if (result == RESULT_OK)
        *pass = said;
    return result;
}
