/* Bytes of a stranger as a ticket; signed with our own key, as the header and the claims of one; and as a JWK set.
 *
 * The oracle: a ticket that is taken is, written again from what was read, the same text: there is no second spelling,
 * whoever signed it. What is refused leaves its output alone. No text is a ticket and a pass. A set that is read holds
 * keys, each once. */
#include "token_ring.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/panic.h"
#include "tickets/key_set.h"
#include "tickets/ticket.h"
#include "waitroom/pass.h"

#include <stdlib.h>

static void set_up(void) {
    hash_set_up();
    json_set_up();
    ring_set_up();
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

static void check_signed(struct bytes text) {
    char token[TOKEN_TEXT_BYTES];
    struct bytes made;
    if (sign_parts(text, token, &made))
        check_ticket(made);
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
