/* Bytes of a stranger as a queue ticket, as a pass, as a proof; and, signed with our own key, as the header and the
 * claims of a pass.
 *
 * The oracle: base64url that is read is written the same again. A ticket or a pass that is accepted is, written again
 * from what was read, the same text: there is no second spelling, whoever signed it. What is refused leaves its output
 * alone. What can be read of a pass without a check can be written and read.
 */
#include "token_ring.h"
#include "base/base64url.h"
#include "base/hash.h"
#include "base/panic.h"
#include "waitroom/pass.h"
#include "waitroom/proof.h"
#include "waitroom/queue_ticket.h"

#include <stdlib.h>

#define NOW_MS INT64_C(1796644078120)

static struct id show_id;
static struct pass_cache *cache;

static void set_up(void) {
    hash_set_up();
    ring_set_up();
    for (unsigned i = 0; i < sizeof show_id.at; i++)
        show_id.at[i] = (uint8_t)(1 + i);
    enum result result = pass_cache_new(64, &cache);
    assert(result == RESULT_OK);
}

static void check_base64url(struct bytes text) {
    size_t length, room = BASE64URL_DATA(text.length);
    uint8_t *data = malloc(room + 1);
    char *again = malloc(text.length + 1);
    assert(data && again);
    if (base64url_decode(text, room, data, &length)) {
        assert(length == room && BASE64URL_TEXT(length) == text.length);
        base64url_encode(data, length, again);
        assert(text.length == 0 || memcmp(again, text.at, text.length) == 0);
    }
    free(data);
    free(again);
}

static void check_ticket(struct bytes text) {
    struct queue_ticket ticket, unchecked;
    struct buffer out;
    if (queue_ticket_read_unchecked(text, &unchecked) == RESULT_OK)
        assert(unchecked.user.length >= 1 && unchecked.user.length <= LIMIT_USER_ID_BYTES);
    if (queue_ticket_read(&ring, text, &ticket) != RESULT_OK)
        return;
    buffer_init(&out, LIMIT_QUEUE_TICKET_BYTES);
    queue_ticket_write(&ring, &ticket, &out);
    assert(bytes_equal(buffer_bytes(&out), text));
    buffer_release(&out);
}

static void check_same_pass(struct bytes text, const struct pass *pass) {
    struct buffer out;
    buffer_init(&out, LIMIT_PASS_BYTES);
    pass_write(&ring, 0, pass, &out);
    assert(buffer_ok(&out) && bytes_equal(buffer_bytes(&out), text));
    buffer_release(&out);
}

static void check_pass(struct bytes text) {
    struct pass pass, cached, said, untouched;
    bool checked;
    memset(&pass, 0x5a, sizeof pass);
    memset(&untouched, 0x5a, sizeof untouched);
    enum result result = pass_read(&ring, text, &pass);
    assert(result == RESULT_OK || (result == RESULT_PASS_INVALID && memcmp(&pass, &untouched, sizeof pass) == 0));
    for (unsigned i = 0; i < 2; i++)
        assert(pass_cache_read(cache, &ring, text, &cached, &checked) == result);
    assert(result != RESULT_OK || !checked);
    if (result == RESULT_OK)
        check_same_pass(text, &pass);
    if (pass_read_unchecked(&ring, text, &said) != RESULT_OK)
        return;
    struct buffer out;
    buffer_init(&out, LIMIT_PASS_BYTES);
    pass_write(&ring, 0, &said, &out);
    assert(buffer_ok(&out) && pass_read_unchecked(&ring, buffer_bytes(&out), &pass) == RESULT_OK);
    assert(pass.number == said.number && pass.issued_s == said.issued_s && pass.expires_s == said.expires_s);
    assert(id_equal(&pass.show_id, &said.show_id) && bytes_equal(user_bytes(&pass.user), user_bytes(&said.user)));
    buffer_release(&out);
}

static void check_signed(struct bytes text) {
    char token[TOKEN_TEXT_BYTES];
    struct bytes made;
    if (sign_parts(text, token, &made))
        check_pass(made);
}

/* The first line is the challenge, the second the user, the rest the nonce. */
static void check_proof(struct bytes text) {
    struct bytes part[3] = {text, {text.at, 0}, {text.at, 0}};
    for (unsigned i = 0; i < 2; i++) {
        const char *end = part[i].length ? memchr(part[i].at, '\n', part[i].length) : NULL;
        if (!end)
            break;
        part[i + 1] = (struct bytes){end + 1, part[i].length - (size_t)(end - part[i].at) - 1};
        part[i].length = (size_t)(end - part[i].at);
    }
    char wanted[PROOF_CHALLENGE_TEXT];
    if (proof_check(&ring, &show_id, 1, part[0], part[1], part[2], NOW_MS) != RESULT_OK)
        return;
    bool is_ours = false;
    for (int64_t minute = -1; minute < PROOF_MINUTES; minute++) {
        proof_challenge(&ring, &show_id, NOW_MS - minute * 60000, wanted);
        is_ours |= bytes_equal((struct bytes){wanted, sizeof wanted}, part[0]);
    }
    assert(is_ours && part[2].length >= 1 && part[2].length <= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!cache)
        set_up();
    char *exactly = malloc(size ? size : 1); /* so that a byte too far is seen */
    assert(exactly);
    if (size)
        memcpy(exactly, data, size);
    struct bytes text = {exactly, size};
    check_base64url(text);
    check_ticket(text);
    check_pass(text);
    check_signed(text);
    check_proof(text);
    free(exactly);
    return 0;
}
