/* Proof of work: as many zeros as asked for, on our challenge, of the last minutes, by this user. */
#include "token_vectors.h"
#include "token_world.h"
#include "waitroom/proof.h"

#define MINUTE_MS INT64_C(60000)

struct world {
    struct keyring ring;
    struct id show;
    char challenge[PROOF_CHALLENGE_TEXT];
};

static struct world world_now(void) {
    struct world world = {.ring = keyring_of(1, 2), .show = show_number(1)};
    proof_challenge(&world.ring, &world.show, NOW_MS, world.challenge);
    return world;
}

static bool proves(const struct world *world, uint32_t bits, const char *user, const char *nonce, int64_t now_ms) {
    return proof_check(&world->ring, &world->show, bits, (struct bytes){world->challenge, sizeof world->challenge},
                       bytes_of(user), bytes_of(nonce), now_ms) == RESULT_OK;
}

/* The first nonce, counted up from 0, that proves so many bits. */
static void work(const struct world *world, uint32_t bits, const char *user, char nonce[static 16]) {
    for (unsigned i = 0;; i++) {
        snprintf(nonce, 16, "%u", i);
        if (proves(world, bits, user, nonce, NOW_MS))
            return;
    }
}

static void the_challenge_is_the_same_on_every_node(void **state) {
    /* Red when its text, its MAC or its minute changes. */
    (void)state;
    struct world world = world_now();
    assert_memory_equal(world.challenge, VECTOR_CHALLENGE, PROOF_CHALLENGE_TEXT);
}

static void exactly_the_zeros_count(void **state) {
    /* Red when a bit too few is enough, or the hash is not SHA-256(challenge "." user "." nonce). */
    (void)state;
    struct world world = world_now();
    for (uint32_t bits = 0; bits <= LIMIT_PROOF_BITS; bits++)
        assert_int_equal(proves(&world, bits, VECTOR_USER, VECTOR_NONCE, NOW_MS), bits <= VECTOR_PROOF_BITS);
}

static void half_of_all_nonces_prove_one_bit(void **state) {
    /* Red when zeros are counted from the wrong end of a byte, or no work is asked for where one bit is. */
    (void)state;
    struct world world = world_now();
    unsigned proofs[3] = {0};
    for (unsigned i = 0; i < 2000; i++) {
        char nonce[16];
        snprintf(nonce, sizeof nonce, "%u", i);
        for (uint32_t bits = 0; bits < COUNT(proofs); bits++)
            proofs[bits] += proves(&world, bits, "alice", nonce, NOW_MS);
    }
    assert_int_equal(proofs[0], 2000);
    assert_in_range(proofs[1], 900, 1100);
    assert_in_range(proofs[2], 420, 580);
}

static void a_proof_is_worth_nothing_to_another_user_or_show(void **state) {
    /* Red when user or show are not in what is hashed, or the end of the user is not. */
    (void)state;
    struct world world = world_now(), other;
    char nonce[16], shifted[20];
    work(&world, 12, "alice", nonce);
    assert_true(proves(&world, 12, "alice", nonce, NOW_MS));
    assert_false(proves(&world, 12, "barry", nonce, NOW_MS));
    assert_false(proves(&world, 12, "alicf", nonce, NOW_MS));
    assert_false(proves(&world, 12, "", nonce, NOW_MS));
    other = world;
    other.show = show_number(2);
    assert_false(proves(&other, 12, "alice", nonce, NOW_MS));
    other = world;
    other.ring = keyring_of(3, 4);
    assert_false(proves(&other, 0, "alice", nonce, NOW_MS));
    /* "alice.1" "23" is what "alice" "1.23" would be: no nonce has a dot. */
    work(&world, 12, "alice.1", nonce);
    snprintf(shifted, sizeof shifted, "1.%s", nonce);
    assert_false(proves(&world, 12, "alice", shifted, NOW_MS));
}

static void a_challenge_is_taken_for_its_minutes(void **state) {
    /* Red when an old proof can be used for ever, one of just now cannot, or a node whose clock is a little behind
     * refuses what its neighbour asked for. */
    (void)state;
    struct world world = world_now();
    int64_t minute = NOW_MS / MINUTE_MS * MINUTE_MS;
    char nonce[16];
    work(&world, 8, "alice", nonce);
    assert_true(proves(&world, 8, "alice", nonce, minute));
    assert_true(proves(&world, 8, "alice", nonce, minute + PROOF_MINUTES * MINUTE_MS - 1));
    assert_false(proves(&world, 8, "alice", nonce, minute + PROOF_MINUTES * MINUTE_MS));
    assert_false(proves(&world, 8, "alice", nonce, minute + (5 + (INT64_C(1) << 32)) * MINUTE_MS));
    assert_true(proves(&world, 8, "alice", nonce, minute - 1));
    assert_true(proves(&world, 8, "alice", nonce, minute - MINUTE_MS));
    assert_false(proves(&world, 8, "alice", nonce, minute - MINUTE_MS - 1));
    assert_false(proves(&world, 8, "alice", nonce, 0));
}

static void a_rotation_wastes_nobodys_work(void **state) {
    /* Red when only the newest key's challenges are taken, or a retired one's are. */
    (void)state;
    struct world world = world_now();
    char nonce[16];
    work(&world, 8, "alice", nonce);
    world.ring = keyring_of(2, 5);
    assert_true(proves(&world, 8, "alice", nonce, NOW_MS));
    world.ring = keyring_of(3, 5);
    assert_false(proves(&world, 8, "alice", nonce, NOW_MS));
}

static void nobody_else_makes_a_challenge(void **state) {
    /* Red when a character of the challenge does not count, or one of another length is read. */
    (void)state;
    struct world world = world_now();
    struct bytes user = BYTES("alice"), nonce = BYTES("0");
    for (size_t i = 0; i < PROOF_CHALLENGE_TEXT; i++)
        for (unsigned c = 0; c < 256; c++) {
            struct world forged = world;
            forged.challenge[i] = (char)c;
            if (forged.challenge[i] != world.challenge[i])
                assert_false(proves(&forged, 0, "alice", "0", NOW_MS));
        }
    for (size_t length = 0; length < PROOF_CHALLENGE_TEXT; length++) {
        char *exactly = malloc(length + 1);
        assert_non_null(exactly);
        memcpy(exactly, world.challenge, length);
        assert_int_equal(proof_check(&world.ring, &world.show, 0, (struct bytes){exactly, length}, user, nonce, NOW_MS),
                         RESULT_PROOF_REQUIRED);
        free(exactly);
    }
    char longer[PROOF_CHALLENGE_TEXT + 1];
    memcpy(longer, world.challenge, PROOF_CHALLENGE_TEXT);
    longer[PROOF_CHALLENGE_TEXT] = '0';
    assert_int_equal(
        proof_check(&world.ring, &world.show, 0, (struct bytes){longer, sizeof longer}, user, nonce, NOW_MS),
        RESULT_PROOF_REQUIRED);
}

static void a_nonce_is_a_few_visible_characters(void **state) {
    /* Red when a dot, a space, a control character, a byte beyond ASCII, none or too many are taken. */
    (void)state;
    struct world world = world_now();
    char nonce[40];
    for (unsigned c = 1; c < 256; c++) {
        snprintf(nonce, sizeof nonce, "1%c2", (char)c);
        assert_int_equal(proves(&world, 0, "alice", nonce, NOW_MS), c > ' ' && c < 127 && c != '.');
    }
    for (unsigned length = 0; length < sizeof nonce; length++) {
        memset(nonce, '7', length);
        nonce[length] = '\0';
        assert_int_equal(proves(&world, 0, "alice", nonce, NOW_MS), length >= 1 && length <= 32);
    }
    assert_int_equal(proof_check(&world.ring, &world.show, 0, (struct bytes){world.challenge, sizeof world.challenge},
                                 BYTES("alice"), BYTES("1\0002"), NOW_MS),
                     RESULT_PROOF_REQUIRED);
}

static void a_user_that_is_too_long_proves_nothing(void **state) {
    /* Red when a user of 129 bytes runs over the end of what is hashed (a panic). */
    (void)state;
    struct world world = world_now();
    char user[LIMIT_USER_ID_BYTES + 2];
    memset(user, 'u', sizeof user);
    user[LIMIT_USER_ID_BYTES] = '\0';
    assert_true(proves(&world, 0, user, "77777777777777777777777777777777", NOW_MS));
    user[LIMIT_USER_ID_BYTES] = 'u';
    user[LIMIT_USER_ID_BYTES + 1] = '\0';
    assert_false(proves(&world, 0, user, "7", NOW_MS));
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_challenge_is_the_same_on_every_node),
                                       cmocka_unit_test(exactly_the_zeros_count),
                                       cmocka_unit_test(half_of_all_nonces_prove_one_bit),
                                       cmocka_unit_test(a_proof_is_worth_nothing_to_another_user_or_show),
                                       cmocka_unit_test(a_challenge_is_taken_for_its_minutes),
                                       cmocka_unit_test(a_rotation_wastes_nobodys_work),
                                       cmocka_unit_test(nobody_else_makes_a_challenge),
                                       cmocka_unit_test(a_nonce_is_a_few_visible_characters),
                                       cmocka_unit_test(a_user_that_is_too_long_proves_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
