#include "waitroom/pass.h"
#include "base/json.h"
#include "base/panic.h"
#include "waitroom/jws.h"

#include <sodium.h>

#define TYPE BYTES("JWT")
#define JTI_BYTES 16

enum {
    CLAIMS_MOST = sizeof "{'iss':'onsale','aud':'','sub':'','jti':'','iat':,'exp':}" - 1 + ID_UUID_TEXT +
                  6 * LIMIT_USER_ID_BYTES + 2 * JTI_BYTES + 2 * JWS_TIME_DIGITS
};

static_assert(JWS_TEXT(sizeof "JWT" - 1, CLAIMS_MOST) <= LIMIT_PASS_BYTES, "the longest pass is within its limit");

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
    jws_write(key, TYPE, buffer_bytes(&claims), out);
}

/* ---- reading ---- */

struct token {
    struct jws jws;
    const struct key_generation *key;
    size_t claims_length;
    uint8_t claims[CLAIMS_MOST];
};

static bool read_token(const struct keyring *ring, struct bytes text, struct token *token) {
    if (!jws_split(text, TYPE, &token->jws))
        return false;
    token->key = keyring_find(ring, token->jws.kid);
    return token->key &&
           base64url_decode(token->jws.claims, sizeof token->claims, token->claims, &token->claims_length);
}

static bool take_user(struct bytes *from, struct user_id *user) {
    size_t length;
    if (!claims_take_string(from, LIMIT_USER_ID_BYTES, user->text, &length))
        return false;
    user->length = (uint8_t)length;
    return true;
}

/* Whatever of this is not as we write it does not come out the same when it is written again. */
static bool read_claims(const struct token *token, struct pass *pass) {
    struct bytes rest = {(const char *)token->claims, token->claims_length};
    struct bytes aud, number, mac;
    uint8_t digits[4];
    if (!claims_take(&rest, BYTES("{\"iss\":\"onsale\",\"aud\":\"")) || !claims_take_many(&rest, ID_UUID_TEXT, &aud) ||
        !id_parse_uuid(aud, &pass->show_id))
        return false;
    if (!claims_take(&rest, BYTES("\",\"sub\":\"")) || !take_user(&rest, &pass->user))
        return false;
    if (!claims_take(&rest, BYTES(",\"jti\":\"")) || !claims_take_many(&rest, 8, &number) ||
        !hex_decode(number, digits, 4) || !claims_take_many(&rest, 2 * (JTI_BYTES - 4), &mac))
        return false;
    pass->number = (uint32_t)digits[0] << 24 | (uint32_t)digits[1] << 16 | (uint32_t)digits[2] << 8 | digits[3];
    return claims_take(&rest, BYTES("\",\"iat\":")) && claims_take_time(&rest, &pass->issued_s) &&
           claims_take(&rest, BYTES(",\"exp\":")) && claims_take_time(&rest, &pass->expires_s) &&
           claims_take(&rest, BYTES("}")) && rest.length == 0;
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
    *checked = false;
    if (!read_token(ring, text, &token) || !bytes_are_utf8(user_bytes(&pass->user)))
        return RESULT_PASS_INVALID;
    write_claims(token.key, pass, &claims);
    if (!buffer_ok(&claims) || claims.length != token.claims_length ||
        sodium_memcmp(claims.at, token.claims, claims.length) != 0)
        return RESULT_PASS_INVALID;
    *checked = true;
    return jws_is_signed_by(&token.jws, token.key) ? RESULT_OK : RESULT_PASS_INVALID;
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
