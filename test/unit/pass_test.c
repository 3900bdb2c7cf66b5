/* Passes: what we wrote, word for word, is one; nothing else is, not even under our own signature. */
#include "token_vectors.h"
#include "token_world.h"
#include "base/base64url.h"
#include "base/random.h"
#include "dies.h"

#include <sodium.h>

#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}"
#define CLAIMS_OF(user, jti, iat, exp)                                                                                 \
    "{\"iss\":\"onsale\",\"aud\":\"01020304-0506-0708-090a-0b0c0d0e0f10\",\"sub\":\"" user "\",\"jti\":\"" jti         \
    "\",\"iat\":" iat ",\"exp\":" exp "}"

static void assert_refused(const struct keyring *ring, struct bytes text) {
    struct pass pass, untouched;
    memset(&pass, 0x5a, sizeof pass);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_int_equal(pass_read(ring, text, &pass), RESULT_PASS_INVALID);
    assert_memory_equal(&pass, &untouched, sizeof pass);
}

static void assert_reads(const struct keyring *ring, const struct text *text, const struct pass *wanted) {
    struct pass pass;
    assert_int_equal(pass_read(ring, text_bytes(text), &pass), RESULT_OK);
    assert_true(id_equal(&pass.show_id, &wanted->show_id) && same_user(&pass.user, &wanted->user));
    assert_int_equal(pass.number, wanted->number);
    assert_int_equal(pass.issued_s, wanted->issued_s);
    assert_int_equal(pass.expires_s, wanted->expires_s);
}

static void add_base64url(struct text *text, const void *data, size_t length) {
    assert_in_range(text->length + BASE64URL_TEXT(length), 0, sizeof text->at);
    base64url_encode(data, length, text->at + text->length);
    text->length += BASE64URL_TEXT(length);
}

/* A token of any header and claims, signed by the key as it should be. */
static struct text signed_token(const struct key_generation *key, struct bytes header, struct bytes claims) {
    struct text text = {0};
    uint8_t signature[KEY_SIGNATURE_BYTES];
    add_base64url(&text, header.at, header.length);
    text.at[text.length++] = '.';
    add_base64url(&text, claims.at, claims.length);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text.at, text.length, key->secret_key);
    text.at[text.length++] = '.';
    add_base64url(&text, signature, sizeof signature);
    return text;
}

/* The claims of a genuine pass, as text. */
static struct bytes claims_of(const struct text *text, char room[static 1200]) {
    const char *first = memchr(text->at, '.', text->length);
    const char *last = memrchr(text->at, '.', text->length);
    size_t length;
    struct bytes part = {first + 1, (size_t)(last - first - 1)};
    assert_true(base64url_decode(part, 1200, (uint8_t *)room, &length));
    return (struct bytes){room, length};
}

/* ---- what is a pass ---- */

static void the_text_is_the_same_everywhere(void **state) {
    /* Red when a claim, their order or the jti's MAC changes: passes of another node, or of before, would be void. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct pass pass = pass_of(VECTOR_USER, VECTOR_NUMBER);
    struct text text = pass_text(&ring, &pass), again = pass_text(&ring, &pass);
    assert_true(bytes_equal(text_bytes(&text), BYTES(VECTOR_PASS)));
    assert_true(bytes_equal(text_bytes(&text), text_bytes(&again)));
    assert_reads(&ring, &text, &pass);
}

static void every_user_comes_back(void **state) {
    /* Red when a character that JSON escapes, or one of many bytes, is lost on the way. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    for (unsigned c = 1; c < 128; c++) {
        char name[5] = {'a', (char)c, 'b', (char)c, 0};
        struct pass pass = pass_of(name, c);
        struct text text = pass_text(&ring, &pass);
        assert_reads(&ring, &text, &pass);
    }
    static const char *const pieces[] = {
        "\"", "\\", "\x01", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xab", "u0041", "\\u0041", "}", "a", "\"}"};
    for (unsigned round = 0; round < 300; round++) {
        char name[LIMIT_USER_ID_BYTES + 20] = "x";
        while (strlen(name) < LIMIT_USER_ID_BYTES - 6)
            snprintf(name + strlen(name), 8, "%s", pieces[random_u64() % COUNT(pieces)]);
        struct pass pass = pass_of(name, round);
        struct text text = pass_text(&ring, &pass);
        assert_reads(&ring, &text, &pass);
    }
}

static void the_longest_users_fit(void **state) {
    /* Red when 128 bytes of four-byte characters, or of which each takes six to write, make a pass that is refused. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    char name[LIMIT_USER_ID_BYTES + 1] = "";
    for (unsigned i = 0; i < LIMIT_USER_ID_BYTES; i += 4)
        memcpy(name + i, "\xf0\x9f\x8e\xab", 5);
    struct pass pass = pass_of(name, UINT32_MAX);
    struct text text = pass_text(&ring, &pass);
    assert_reads(&ring, &text, &pass);
    memset(name, 1, LIMIT_USER_ID_BYTES);
    pass = pass_of(name, UINT32_MAX);
    pass.issued_s = pass.expires_s = PASS_LAST_S;
    text = pass_text(&ring, &pass);
    assert_in_range(text.length, 1000, LIMIT_PASS_BYTES);
    assert_reads(&ring, &text, &pass);
}

static void times_are_exact_to_their_bounds(void **state) {
    /* Red when a time goes through fewer bits, or a float, or its own bound is refused. */
    (void)state;
    static const int64_t times[] = {0, 1, INT32_MAX, INT32_MAX + 1LL, UINT32_MAX, UINT32_MAX + 1LL, PASS_LAST_S};
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    for (size_t i = 0; i < COUNT(times); i++)
        for (size_t k = 0; k < COUNT(times); k++) {
            pass.issued_s = times[i];
            pass.expires_s = times[k];
            struct text text = pass_text(&ring, &pass);
            assert_reads(&ring, &text, &pass);
        }
}

static void write_it(void *pass) {
    struct keyring ring = keyring_of(1, 1);
    pass_text(&ring, pass);
}

static void what_could_not_be_read_again_is_not_written(void **state) {
    /* Red when a time that no reader takes, or no user, is signed. */
    (void)state;
    static const int64_t times[] = {-1, PASS_LAST_S + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT(times); i++) {
        struct pass issued = pass_of("alice", 1), expires = issued;
        issued.issued_s = times[i];
        expires.expires_s = times[i];
        assert_dies(write_it, &issued);
        assert_dies(write_it, &expires);
    }
    struct pass nobody = pass_of("alice", 1);
    nobody.user.length = 0;
    assert_dies(write_it, &nobody);
}

static void old_keys_are_read_until_they_are_gone(void **state) {
    /* Red when a rotation voids passes, a retired key's are taken, or a pass is made again with another key than at
     * first while that is still there. */
    (void)state;
    struct keyring old = keyring_of(1, 1), rotated = keyring_of(1, 2), retired = keyring_of(2, 2);
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&old, &pass), fresh = pass_text(&rotated, &pass);
    assert_reads(&rotated, &text, &pass);
    assert_reads(&rotated, &fresh, &pass);
    assert_refused(&retired, text_bytes(&text));
    assert_refused(&old, text_bytes(&fresh));
    struct buffer out;
    buffer_init(&out, LIMIT_PASS_BYTES);
    pass_write(&rotated, old.of[0].id, &pass, &out);
    assert_true(bytes_equal(buffer_bytes(&out), text_bytes(&text)));
    buffer_clear(&out);
    pass_write(&retired, old.of[0].id, &pass, &out);
    assert_true(bytes_equal(buffer_bytes(&out), text_bytes(&fresh)));
    buffer_release(&out);
}

/* ---- what is none ---- */

static void a_key_of_the_same_id_with_another_secret_refuses_it(void **state) {
    /* Red when the signature, or the jti's MAC, is not looked at. */
    (void)state;
    struct keyring ring = keyring_of(1, 1), other_seed = ring, other_mac = ring;
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&ring, &pass);
    other_seed.of[0].seed[0] ^= 1;
    key_derive(&other_seed.of[0]);
    other_mac.of[0].mac[KEY_MAC_BYTES - 1] ^= 1;
    assert_refused(&other_seed, text_bytes(&text));
    assert_refused(&other_mac, text_bytes(&text));
}

static void no_part_of_it_can_be_cut_off(void **state) {
    /* Red when a length is not checked before what it promises is read. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&ring, &pass);
    for (size_t length = 0; length < text.length; length++) {
        char *exactly = malloc(length + 1);
        assert_non_null(exactly);
        memcpy(exactly, text.at, length);
        assert_refused(&ring, (struct bytes){exactly, length});
        memcpy(exactly, text.at + text.length - length, length);
        assert_refused(&ring, (struct bytes){exactly, length});
        free(exactly);
    }
    assert_refused(&ring, (struct bytes){NULL, 0});
}

static void no_bit_of_its_text_can_be_turned(void **state) {
    /* Red when a character does not count: a spare bit, a dot, a byte that nobody looks at. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&ring, &pass);
    for (size_t bit = 0; bit < 8 * text.length; bit++) {
        text.at[bit / 8] ^= (char)(1 << bit % 8);
        assert_refused(&ring, text_bytes(&text));
        text.at[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void no_bit_of_its_bytes_can_be_turned(void **state) {
    /* Red when a claim, or part of the signature, is not covered. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&ring, &pass);
    for (size_t start = 0; start < text.length;) {
        const char *dot = memchr(text.at + start, '.', text.length - start);
        size_t end = dot ? (size_t)(dot - text.at) : text.length, length;
        uint8_t data[600];
        assert_true(base64url_decode((struct bytes){text.at + start, end - start}, sizeof data, data, &length));
        for (size_t bit = 0; bit < 8 * length; bit++) {
            struct text forged = text;
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            base64url_encode(data, length, forged.at + start);
            assert_refused(&ring, text_bytes(&forged));
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        start = end + 1;
    }
}

static void two_genuine_ones_make_no_third(void **state) {
    /* Red when header, claims and signature need not belong together. */
    (void)state;
    struct keyring rings[2] = {keyring_of(1, 1), keyring_of(1, 2)};
    struct pass passes[2] = {pass_of("alice", 1), pass_of("barry", 2)};
    for (unsigned keys = 0; keys < 2; keys++) {
        struct text texts[2] = {pass_text(&rings[0], &passes[0]), pass_text(&rings[keys], &passes[1])};
        size_t header = strcspn(texts[0].at, ".") + 1, claims = texts[0].length - BASE64URL_TEXT(KEY_SIGNATURE_BYTES);
        assert_int_equal(texts[0].length, texts[1].length);
        for (unsigned choice = 1; choice < 7; choice++) {
            struct text mixed = texts[0];
            memcpy(mixed.at, texts[choice & 1].at, header);
            memcpy(mixed.at + header, texts[choice >> 1 & 1].at + header, claims - header);
            memcpy(mixed.at + claims, texts[choice >> 2].at + claims, mixed.length - claims);
            if (keys == 0 && (choice >> 1 & 1) == choice >> 2) /* of one key: the headers are the same */
                continue;
            assert_refused(&rings[1], text_bytes(&mixed));
        }
    }
}

static void no_other_header_is_taken_even_if_we_signed_it(void **state) {
    /* Red when the token has a say in how it is checked: alg, crit, a key of its own, a kid that is a path, or any
     * other header than the one that we write (RFC 8725). */
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"None\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"NONE\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":null,\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"eddsa\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"Ed448\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":[\"EdDSA\"],\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWS\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"none\",\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"alg\":\"none\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"crit\":[]}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"b64\":false}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"jku\":\"http://127.0.0.1/jwks.json\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"x5u\":\"http://127.0.0.1/x\"}",
        ("{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"0uuZO2MUNSjnDc3H65yiEBDddpvpUlDCxbq_rRXUWOI\"}}"),
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"../../01\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"/dev/nul\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"0' OR 1=\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"1010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"001010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":01010101}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"]",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101,}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"00000000\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"02020202\"}",
        "{\"alg\": \"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        " {\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}\n",
        "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"01010101\"}",
        "{\"alg\":\"Ed\\u0044SA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
        "{}",
        "",
        "null",
    };
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    char room[1200];
    struct text genuine = pass_text(&ring, &pass);
    struct bytes claims = claims_of(&genuine, room);
    struct text control = signed_token(&ring.of[0], BYTES(HEADER), claims);
    assert_reads(&ring, &control, &pass);
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct text text = signed_token(&ring.of[0], bytes_of(headers[i]), claims);
        assert_refused(&ring, text_bytes(&text));
    }
}

static void a_hash_is_no_signature(void **state) {
    /* Red when a token without a signature, or with a MAC under what is public, passes (alg none; HS256 for EdDSA). */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    char room[1200];
    struct text genuine = pass_text(&ring, &pass);
    struct bytes claims = claims_of(&genuine, room);
    static const char *const headers[] = {HEADER, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"01010101\"}",
                                          "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"01010101\"}"};
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct text text = {0};
        uint8_t mac[64] = {0};
        add_base64url(&text, headers[i], strlen(headers[i]));
        text.at[text.length++] = '.';
        add_base64url(&text, claims.at, claims.length);
        size_t unsigned_length = text.length;
        crypto_auth_hmacsha256(mac, (const uint8_t *)text.at, text.length, ring.of[0].public_key);
        assert_refused(&ring, text_bytes(&text));
        text.at[text.length++] = '.';
        assert_refused(&ring, text_bytes(&text));
        add_base64url(&text, mac, 32);
        assert_refused(&ring, text_bytes(&text));
        text.length = unsigned_length + 1;
        add_base64url(&text, mac, sizeof mac);
        assert_refused(&ring, text_bytes(&text));
        text.length = unsigned_length + 1;
        crypto_auth_hmacsha512(mac, (const uint8_t *)text.at, unsigned_length, ring.of[0].public_key);
        add_base64url(&text, mac, sizeof mac);
        assert_refused(&ring, text_bytes(&text));
    }
}

static void no_other_claims_are_taken_even_if_we_signed_them(void **state) {
    /* Red when claims need not be, to the byte, those that we write: another issuer, two subjects, floats, white
     * space, an escape that we don't use, an order of their own. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    char room[1200];
    struct text genuine = pass_text(&ring, &pass);
    struct bytes claims = claims_of(&genuine, room);
    static const struct {
        const char *part, *instead;
    } changes[] = {
        {"onsale", "Onsale"},
        {"\"iss\":\"onsale\",", ""},
        {"{\"iss\"", "{ \"iss\""},
        {"{\"iss\"", "{\"sub\":\"barry\",\"iss\""},
        {"\"exp\":1796644978}", "\"exp\":1796644978,\"sub\":\"barry\"}"},
        {"\"exp\":1796644978}", "\"exp\":1796644978,\"exp\":9996644978}"},
        {"\"exp\":1796644978}", "\"exp\":1796644978 }"},
        {"\"exp\":1796644978}", "\"exp\":1796644978}}"},
        {"\"exp\":1796644978}", "\"exp\":1796644978"},
        {"\"exp\":1796644978}", "\"exp\":1796644978.0}"},
        {"\"exp\":1796644978}", "\"exp\":1.796644978e9}"},
        {"\"exp\":1796644978}", "\"exp\":01796644978}"},
        {"\"exp\":1796644978}", "\"exp\":+1796644978}"},
        {"\"exp\":1796644978}", "\"exp\":-1796644978}"},
        {"\"exp\":1796644978}", "\"exp\":\"1796644978\"}"},
        {"\"exp\":1796644978}", "\"exp\":}"},
        {"\"exp\":1796644978}", "\"exp\":null}"},
        {"\"exp\":1796644978}", "\"exp\":253402300800}"},
        {"\"exp\":1796644978}", "\"exp\":9223372036854775807}"},
        {"\"exp\":1796644978}", "\"exp\":9223372036854775808}"},
        {"\"exp\":1796644978}", "\"exp\":18446744073709551616}"},
        {"\"exp\":1796644978}", "\"exp\":99999999999999999999999999}"},
        {"\"iat\":1796644078,\"exp\":1796644978", "\"exp\":1796644978,\"iat\":1796644078"},
        {"\"iat\":1796644078", "\"iat\":1796644079"}, /* the jti's MAC is of another time */
        {"\"jti\":\"00000001", "\"jti\":\"00000002"}, /* or of another place */
        {"\"jti\":\"00000001", "\"jti\":\"0000000A"},
        {"\"jti\":\"0", "\"jti\":\""},
        {"-0b0c0d0e0f10", "-0b0c0d0e0f11"}, /* or of another show */
        {"-0b0c0d0e0f10", "-0B0C0D0E0F10"},
        {"-0b0c0d0e0f10", "0b0c0d0e0f10"},
        {"\"aud\":\"01020304-0506-0708-090a-0b0c0d0e0f10\"", "\"aud\":[\"01020304-0506-0708-090a-0b0c0d0e0f10\"]"},
        {"alice", ""},
        {"alice", "al\\u0069ce"},
        {"alice", "al\\/ice"},
        {"alice", "alice\\u00e9"},
        {"alice", "alice\\n"},
        {"alice", "alice\\u000A"},
        {"alice", "alice\\u0000"},
        {"alice", "alice\n"},
        {"alice", "alice\xff"},
        {"alice", "alice\xed\xa0\x80"}, /* a surrogate */
        {"alice", "alice\\"},
        {"alice", "alice\\u00"},
        {"\"alice\"", "alice"},
        {"\"alice\"", "\"alice"}};
    for (size_t i = 0; i < COUNT(changes); i++) {
        const char *at = memmem(claims.at, claims.length, changes[i].part, strlen(changes[i].part));
        assert_non_null(at);
        char forged[1400];
        int length =
            snprintf(forged, sizeof forged, "%.*s%s%.*s", (int)(at - claims.at), claims.at, changes[i].instead,
                     (int)(claims.at + claims.length - at - strlen(changes[i].part)), at + strlen(changes[i].part));
        struct text text = signed_token(&ring.of[0], BYTES(HEADER), (struct bytes){forged, (size_t)length});
        assert_refused(&ring, text_bytes(&text));
    }
}

static void a_user_that_is_too_long_is_none(void **state) {
    /* Red when the 129th byte of a user is written (ASan), or cut off. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    char name[1000], claims[1400];
    for (unsigned length = LIMIT_USER_ID_BYTES; length < 700; length += 7) {
        memset(name, 'a', length);
        int n = snprintf(claims, sizeof claims, CLAIMS_OF("%.*s", "%032d", "1", "2"), (int)length, name, 0);
        struct text text = signed_token(&ring.of[0], BYTES(HEADER), (struct bytes){claims, (size_t)n});
        struct pass pass;
        assert_refused(&ring, text_bytes(&text));
        assert_int_equal(pass_read_unchecked(&ring, text_bytes(&text), &pass),
                         length == LIMIT_USER_ID_BYTES ? RESULT_OK : RESULT_PASS_INVALID);
    }
}

static void nothing_can_be_put_around_it(void **state) {
    /* Red when white space, padding, another dot or a fourth part is let pass, or length costs work. */
    (void)state;
    static const char *const around[][2] = {{"", "="},  {"", "=="},  {"", " "},       {" ", ""},
                                            {"", "\n"}, {"", "."},   {".", ""},       {"", "A"},
                                            {"A", ""},  {"", "..."}, {"Bearer ", ""}, {"\"", "\""}};
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("alice", 1);
    struct text text = pass_text(&ring, &pass), forged = text;
    for (size_t i = 0; i < COUNT(around); i++) {
        int length =
            snprintf(forged.at, sizeof forged.at, "%s%.*s%s", around[i][0], (int)text.length, text.at, around[i][1]);
        assert_refused(&ring, (struct bytes){forged.at, (size_t)length});
    }
    for (size_t at = 0; at <= text.length; at++) { /* a dot or padding anywhere inside */
        static const char inside[] = {'.', '=', ' ', 'A'};
        for (size_t i = 0; i < sizeof inside; i++) {
            memcpy(forged.at, text.at, at);
            forged.at[at] = inside[i];
            memcpy(forged.at + at + 1, text.at + at, text.length - at);
            assert_refused(&ring, (struct bytes){forged.at, text.length + 1});
        }
    }
    static char many[200000];
    memset(many, 'A', sizeof many);
    memcpy(many, text.at, text.length);
    many[sizeof many - 1 - BASE64URL_TEXT(KEY_SIGNATURE_BYTES)] = '.';
    assert_refused(&ring, (struct bytes){many, sizeof many});
}

static void what_is_made_without_one_of_our_passes_costs_no_signature_check(void **state) {
    /* Red when the signature is looked at before the jti's MAC: anybody could make us check eight thousand a second. */
    (void)state;
    struct keyring ring = keyring_of(1, 1), thief = ring;
    thief.of[0].mac[0] ^= 1; /* who has everything but the keys */
    thief.of[0].seed[0] ^= 1;
    key_derive(&thief.of[0]);
    struct pass pass = pass_of("mallory", 1), said;
    struct text text = pass_text(&thief, &pass);
    bool checked = true;
    assert_int_equal(pass_read_unchecked(&ring, text_bytes(&text), &said), RESULT_OK);
    assert_int_equal(pass_verify(&ring, text_bytes(&text), &said, &checked), RESULT_PASS_INVALID);
    assert_false(checked);
    struct text genuine = pass_text(&ring, &pass);
    assert_int_equal(pass_verify(&ring, text_bytes(&genuine), &said, &checked), RESULT_OK);
    assert_true(checked);
    genuine.at[genuine.length - 10] ^= 1;
    assert_int_equal(pass_verify(&ring, text_bytes(&genuine), &said, &checked), RESULT_PASS_INVALID);
    assert_true(checked);
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_the_same_everywhere),
        cmocka_unit_test(every_user_comes_back),
        cmocka_unit_test(the_longest_users_fit),
        cmocka_unit_test(times_are_exact_to_their_bounds),
        cmocka_unit_test(what_could_not_be_read_again_is_not_written),
        cmocka_unit_test(old_keys_are_read_until_they_are_gone),
        cmocka_unit_test(a_key_of_the_same_id_with_another_secret_refuses_it),
        cmocka_unit_test(no_part_of_it_can_be_cut_off),
        cmocka_unit_test(no_bit_of_its_text_can_be_turned),
        cmocka_unit_test(no_bit_of_its_bytes_can_be_turned),
        cmocka_unit_test(two_genuine_ones_make_no_third),
        cmocka_unit_test(no_other_header_is_taken_even_if_we_signed_it),
        cmocka_unit_test(a_hash_is_no_signature),
        cmocka_unit_test(no_other_claims_are_taken_even_if_we_signed_them),
        cmocka_unit_test(a_user_that_is_too_long_is_none),
        cmocka_unit_test(nothing_can_be_put_around_it),
        cmocka_unit_test(what_is_made_without_one_of_our_passes_costs_no_signature_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
