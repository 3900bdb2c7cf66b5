/* Bytes of a stranger as a ticket; signed with our own key, as the header and the claims of one; and as a JWK set.
 *
 * The oracle: a ticket that is taken is, written again from what was read, the same text: there is no second spelling,
 * whoever signed it. What is refused leaves its output alone. No text is a ticket and a pass. A set that is read holds
 * keys, each once. */
#include "base/base64url.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/panic.h"
#include "tickets/key_set.h"
#include "tickets/ticket.h"
#include "waitroom/pass.h"

#include <sodium.h>
#include <stdlib.h>

/* The second generation of test/unit/token_world.h. */
static struct keyring ring = {.count = 1, .of = {{.id = 0x02020202}}};

static void set_up(void) {
    hash_set_up();
    json_set_up();
    for (unsigned i = 0; i < KEY_MAC_BYTES; i++)
        ring.of[0].mac[i] = (uint8_t)(32 + i);
    for (unsigned i = 0; i < KEY_SEED_BYTES; i++) {
        ring.of[0].seed[i] = (uint8_t)(160 + i);
        ring.blinding[i] = (uint8_t)(200 + i);
    }
    key_derive(&ring.of[0]);
}

static void check_ticket(struct bytes text) {
    struct ticket ticket, untouched;
    struct pass pass;
    memset(&ticket, 0x5a, sizeof ticket);
    memset(&untouched, 0x5a, sizeof untouched);
    if (ticket_read(&ring, text, &ticket) != TICKET_GOOD) {
        assert(memcmp(&ticket, &untouched, sizeof ticket) == 0);
        return;
    }
    assert(pass_read_unchecked(&ring, text, &pass) == RESULT_PASS_INVALID);
    struct buffer out;
    buffer_init(&out, LIMIT_TICKET_BYTES);
    ticket_write(&ring, &ticket, &out);
    assert(buffer_ok(&out) && bytes_equal(buffer_bytes(&out), text));
    buffer_release(&out);
}

/* What stands before the first line's end is the header, what comes after it the claims. */
static void check_signed(struct bytes text) {
    const char *end = text.length ? memchr(text.at, '\n', text.length) : NULL;
    if (!end || text.length > 2000)
        return;
    struct bytes header = {text.at, (size_t)(end - text.at)};
    struct bytes claims = {end + 1, text.length - header.length - 1};
    char token[3000];
    uint8_t signature[KEY_SIGNATURE_BYTES];
    size_t length = BASE64URL_TEXT(header.length);
    base64url_encode(header.at, header.length, token);
    token[length++] = '.';
    base64url_encode(claims.at, claims.length, token + length);
    length += BASE64URL_TEXT(claims.length);
    crypto_sign_detached(signature, NULL, (uint8_t *)token, length, ring.of[0].secret_key);
    token[length++] = '.';
    base64url_encode(signature, sizeof signature, token + length);
    check_ticket((struct bytes){token, length + BASE64URL_TEXT(sizeof signature)});
}

static void check_key_set(struct bytes text) {
    static struct keyring read;
    char fault[200] = "";
    if (key_set_read(text, &read, fault, sizeof fault) != RESULT_OK) {
        assert(fault[0]);
        return;
    }
    assert(read.count >= 1 && read.count <= LIMIT_KEY_GENERATIONS);
    for (uint32_t i = 0; i < read.count; i++)
        assert(keyring_find(&read, read.of[i].id) == &read.of[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!ring.of[0].public_key[0])
        set_up();
    char *exactly = malloc(size ? size : 1); /* so that a byte too far is seen */
    assert(exactly);
    if (size)
        memcpy(exactly, data, size);
    struct bytes text = {exactly, size};
    check_ticket(text);
    check_signed(text);
    check_key_set(text);
    free(exactly);
    return 0;
}
