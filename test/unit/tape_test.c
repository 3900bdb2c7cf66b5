/* The sandbox's tape: cut and damaged at every byte, failing disks, shared syncs, rewriting; and that the sandbox
 * answers behind it.
 *
 * fdatasync and write go through here (the linker's --wrap), to be counted, held and failed.
 */
#include "gateway_world.h"
#include "base/files.h"
#include "base/log.h"
#include "sandbox/sandbox.h"
#include "sandbox/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint syncs;
static atomic_int sync_to_fail, write_to_fail;           /* count down; fail at 1 */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* a sync passes through it */

int __real_fdatasync(int fd);
ssize_t __real_write(int fd, const void *data, size_t length);
int __wrap_fdatasync(int fd);
ssize_t __wrap_write(int fd, const void *data, size_t length);

int __wrap_fdatasync(int fd) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&syncs, 1);
    if (atomic_load(&sync_to_fail) && atomic_fetch_sub(&sync_to_fail, 1) == 1) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

ssize_t __wrap_write(int fd, const void *data, size_t length) {
    if (fd > STDERR_FILENO && atomic_load(&write_to_fail) && atomic_fetch_sub(&write_to_fail, 1) == 1) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, data, length);
}

static char tape_path[64];
static atomic_uint failures;

static void on_synced(void *context) {
    (void)context;
}

static void on_failed(void *context) {
    (void)context;
    atomic_fetch_add(&failures, 1);
}

struct seen {
    unsigned count;
    uint64_t places[128];
    char texts[128][16];
};

static enum result see(void *context, uint64_t place, struct bytes record) {
    struct seen *seen = context;
    seen->places[seen->count] = place;
    snprintf(seen->texts[seen->count++], sizeof seen->texts[0], "%.*s", (int)record.length, record.at);
    return RESULT_OK;
}

static enum result open_again(struct seen *seen, struct tape **tape) {
    char detail[256];
    *seen = (struct seen){0};
    return tape_open(tape_path, see, seen, tape, detail, sizeof detail);
}

static struct tape *open_started(struct seen *seen) {
    struct tape_listener listener = {.synced = on_synced, .failed = on_failed};
    struct tape *tape;
    assert_int_equal(open_again(seen, &tape), RESULT_OK);
    assert_int_equal(tape_start(tape, &listener), RESULT_OK);
    return tape;
}

static void wait_until_synced(const struct tape *tape) {
    while (tape_synced_to(tape) < tape_end(tape))
        usleep(200);
}

static uint64_t append(struct tape *tape, unsigned number) {
    char text[16];
    int length = snprintf(text, sizeof text, "record %u%s", number, number % 2 ? "!" : "");
    return tape_append(tape, (struct bytes){text, (size_t)length});
}

/* A tape of `count` records, each synced before the next is made. */
static void write_tape(unsigned count) {
    struct seen seen;
    unlink(tape_path);
    struct tape *tape = open_started(&seen);
    for (unsigned i = 0; i < count; i++) {
        append(tape, i);
        wait_until_synced(tape);
    }
    tape_close(tape);
}

static struct buffer read_file(void) {
    struct buffer content;
    buffer_init(&content, 1024 * 1024);
    assert_int_equal(file_read(tape_path, &content), RESULT_OK);
    return content;
}

static void write_file(struct bytes content) {
    FILE *file = fopen(tape_path, "w");
    assert_int_equal(fwrite(content.at, 1, content.length, file), content.length);
    fclose(file);
}

static int set_up(void **state) {
    (void)state;
    snprintf(tape_path, sizeof tape_path, "/tmp/onsale-tape-%d", (int)getpid());
    unlink(tape_path);
    atomic_store(&failures, 0);
    atomic_store(&syncs, 0);
    atomic_store(&sync_to_fail, 0);
    atomic_store(&write_to_fail, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(tape_path);
    return 0;
}

static void what_was_appended_is_read_again(void **state) {
    /* Red if places shift, a record is lost or changed, or a second start overwrites the first's. */
    (void)state;
    struct seen seen;
    uint64_t places[6];
    struct tape *tape = open_started(&seen);
    for (unsigned i = 0; i < 3; i++)
        places[i] = append(tape, i);
    tape_close(tape);
    tape = open_started(&seen);
    assert_int_equal(seen.count, 3);
    for (unsigned i = 3; i < 6; i++)
        places[i] = append(tape, i);
    wait_until_synced(tape);
    struct buffer record;
    buffer_init(&record, 1024);
    assert_int_equal(tape_read(tape, places[4], &record), RESULT_OK);
    assert_int_equal(record.length, 8);
    assert_memory_equal(record.at, "record 4", 8);
    buffer_release(&record);
    tape_close(tape);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(seen.count, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(seen.places[i], places[i]);
    assert_string_equal(seen.texts[5], "record 5!");
    tape_close(tape);
}

static void a_tape_cut_anywhere_keeps_what_was_whole(void **state) {
    /* Red if a torn record is taken, or one too many is dropped, or what is appended then cannot be read. */
    (void)state;
    struct seen seen;
    write_tape(4);
    struct tape *tape;
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    uint64_t ends[4]; /* without the padding, which is no part of a record */
    for (unsigned i = 0; i < 4; i++)
        ends[i] = seen.places[i] + 16 + strlen(seen.texts[i]);
    tape_close(tape);
    struct buffer whole = read_file();
    for (size_t cut = 0; cut <= whole.length; cut++) {
        write_file((struct bytes){whole.at, cut});
        unsigned kept = 0;
        for (unsigned i = 0; i < 4; i++)
            kept += ends[i] <= cut;
        tape = open_started(&seen);
        assert_int_equal(seen.count, kept);
        unsigned before = seen.count;
        append(tape, 7);
        tape_close(tape);
        assert_int_equal(open_again(&seen, &tape), RESULT_OK);
        assert_int_equal(seen.count, before + 1);
        assert_string_equal(seen.texts[before], "record 7!");
        tape_close(tape);
    }
    buffer_release(&whole);
}

static void a_damaged_byte_is_never_believed(void **state) {
    /* Red if the checksum leaves a byte out, if damage that a later record proves to have been synced is cut off, or if
     * a broken last record is refused. */
    (void)state;
    struct seen seen;
    struct tape *tape;
    write_tape(4);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    uint64_t last = seen.places[3], end_of_last = last + 16 + 9, free_from = seen.places[1] + 16 + 9,
             free_until = seen.places[2];
    tape_close(tape);
    struct buffer whole = read_file();
    for (size_t i = 0; i < end_of_last; i++) {
        whole.at[i] ^= 0x20;
        write_file(buffer_bytes(&whole));
        whole.at[i] ^= 0x20;
        enum result result = open_again(&seen, &tape);
        bool is_padding = i >= free_from && i < free_until;
        if (i == 15)
            assert_int_equal(result, RESULT_NEWER_VERSION);
        else if (i >= last)
            assert_int_equal(result, RESULT_OK);
        else if (!is_padding)
            assert_int_equal(result, RESULT_CORRUPT);
        if (result == RESULT_OK) {
            assert_in_range(seen.count, 3, 4);
            for (unsigned k = 0; k < seen.count && k < 3; k++)
                assert_memory_equal(seen.texts[k], "record ", 7);
            assert_true(i < last || seen.count == 3);
            tape_close(tape);
        }
    }
    buffer_release(&whole);
}

static void a_group_torn_by_a_crash_is_cut_off_whole(void **state) {
    /* Red if a record of the same group counts as proof that the one before it was synced: the start is refused. */
    (void)state;
    struct seen seen;
    struct tape *tape = open_started(&seen);
    append(tape, 0);
    wait_until_synced(tape);
    pthread_mutex_lock(&gate);
    uint64_t torn = append(tape, 1);
    append(tape, 2);
    append(tape, 3);
    pthread_mutex_unlock(&gate);
    tape_close(tape);
    struct buffer whole = read_file();
    whole.at[torn + 17] ^= 1;
    write_file(buffer_bytes(&whole));
    buffer_release(&whole);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(seen.count, 1);
    tape_close(tape);
}

static void what_gathers_shares_a_sync(void **state) {
    /* Red if each record is synced for itself. */
    (void)state;
    struct seen seen;
    struct tape *tape = open_started(&seen);
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < 100; i++)
        append(tape, i);
    assert_int_equal(tape_synced_to(tape), 16);
    pthread_mutex_unlock(&gate);
    wait_until_synced(tape);
    tape_close(tape);
    assert_in_range(atomic_load(&syncs), 1, 2);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(seen.count, 100);
    tape_close(tape);
}

static void a_disk_that_fails_once_is_not_trusted_again(void **state) {
    /* Red if anything is called synced after a write or a sync that failed. */
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct seen seen;
        unlink(tape_path);
        atomic_store(&failures, 0);
        struct tape *tape = open_started(&seen);
        atomic_store(round % 2 ? &sync_to_fail : &write_to_fail, 1 + round / 2);
        uint64_t synced_to = 16;
        for (unsigned i = 0; i < 10 && !atomic_load(&failures); i++) {
            append(tape, i);
            while (tape_synced_to(tape) < tape_end(tape) && !atomic_load(&failures))
                usleep(200);
            if (tape_synced_to(tape) == tape_end(tape))
                synced_to = tape_end(tape);
        }
        append(tape, 99);
        tape_close(tape);
        assert_int_equal(atomic_load(&failures), 1);
        assert_int_equal(open_again(&seen, &tape), RESULT_OK);
        assert_true(tape_end(tape) >= synced_to);
        tape_close(tape);
    }
}

static void another_file_is_left_alone(void **state) {
    /* Red if a file that is no tape is taken over, and so lost. */
    (void)state;
    struct seen seen;
    struct tape *tape;
    write_file(BYTES("Dear diary, today I sold a seat."));
    assert_int_equal(open_again(&seen, &tape), RESULT_CORRUPT);
    struct buffer content = read_file();
    assert_int_equal(content.length, 32);
    buffer_release(&content);
}

static bool is_even(void *context, uint64_t place, struct bytes record) {
    (void)context, (void)place;
    return (record.at[7] - '0') % 2 == 0;
}

static void a_rewritten_tape_holds_what_was_wanted(void **state) {
    /* Red if a rewrite loses or reorders, or its records are taken for a torn end when one is damaged. */
    (void)state;
    struct seen seen;
    struct tape *tape;
    write_tape(8);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(tape_rewrite(tape, is_even, NULL), RESULT_OK);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    tape_close(tape);
    struct buffer whole = read_file();
    uint64_t damaged = seen.places[1] + 17;
    whole.at[damaged] ^= 1;
    write_file(buffer_bytes(&whole));
    assert_int_equal(open_again(&seen, &tape), RESULT_CORRUPT);
    whole.at[damaged] ^= 1;
    write_file(buffer_bytes(&whole));
    buffer_release(&whole);
    tape = open_started(&seen);
    assert_int_equal(seen.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(seen.texts[i][7], '0' + 2 * i);
    append(tape, 9);
    tape_close(tape);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(seen.count, 5);
    tape_close(tape);
}

static void a_rewrite_that_fails_changes_nothing(void **state) {
    /* Red if the old tape is touched before the new one is whole. */
    (void)state;
    struct seen seen;
    struct tape *tape;
    write_tape(8);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    atomic_store(&write_to_fail, 1);
    assert_int_equal(tape_rewrite(tape, is_even, NULL), RESULT_IO_ERROR);
    assert_int_equal(open_again(&seen, &tape), RESULT_OK);
    assert_int_equal(seen.count, 8);
    tape_close(tape);
}

static void *serve(void *context) {
    return (void *)(intptr_t)sandbox_serve(context);
}

/* A sandbox in this process, so that its syncs pass the gate. */
static pthread_t serve_here(struct gateway *gateway, struct sandbox **sandbox) {
    char detail[256];
    pthread_t thread;
    struct sandbox_settings settings = {.listen = "127.0.0.1:0", .folder = gateway->folder};
    assert_int_equal(sandbox_open(&settings, sandbox, detail, sizeof detail), RESULT_OK);
    gateway->port = (uint16_t)atoi(strchr(sandbox_address(*sandbox), ':') + 1);
    assert_int_equal(pthread_create(&thread, NULL, serve, *sandbox), 0);
    return thread;
}

static enum result stop_here(struct sandbox *sandbox, pthread_t thread) {
    void *result;
    sandbox_stop(sandbox);
    pthread_join(thread, &result);
    sandbox_close(sandbox);
    return (enum result)(intptr_t)result;
}

static void an_answer_waits_for_its_sync(void **state) {
    /* Red if anything is told, to whoever asks, before it is on disk; or the connection of a lost reply is cut before.
     */
    struct gateway *gateway = *state;
    struct sandbox *sandbox;
    gateway_stop(gateway);
    pthread_t thread = serve_here(gateway, &sandbox);
    char intent[40], path[64];
    snprintf(intent, sizeof intent, "%s", fresh_intent(gateway));
    pthread_mutex_lock(&gate);
    snprintf(path, sizeof path, "%s", on(intent, "confirm"));
    int confirm = ask_begin(gateway, path, "k", "payment_method=tok_lost_reply");
    assert_true(is_silent(confirm, 50));
    int retrieve = ask_begin(gateway, on(intent, ""), NULL, NULL);
    int capture = ask_begin(gateway, on(intent, "capture"), NULL, "");
    int list = ask_begin(gateway, "GET /v1/payment_intents", NULL, NULL);
    assert_true(is_silent(retrieve, 50) && is_silent(capture, 10) && is_silent(list, 10) && is_silent(confirm, 0));
    struct reply reply = ask(gateway, path, "k", "payment_method=tok_lost_reply");
    assert_int_equal(reply.status, 409);
    reply_free(&reply);
    pthread_mutex_unlock(&gate);
    assert_int_equal(ask_end(confirm).status, 0);
    int fds[3] = {retrieve, capture, list};
    for (int i = 0; i < 3; i++) {
        reply = ask_end(fds[i]);
        assert_int_equal(reply.status, 200);
        reply_free(&reply);
    }
    assert_int_equal(stop_here(sandbox, thread), RESULT_OK);
}

static void a_failed_sync_answers_nobody(void **state) {
    /* Red if an answer leaves whose record may not be on disk, or the sandbox goes on. */
    struct gateway *gateway = *state;
    struct sandbox *sandbox;
    gateway_stop(gateway);
    pthread_t thread = serve_here(gateway, &sandbox);
    fresh_intent(gateway);
    atomic_store(&sync_to_fail, 1);
    struct reply reply = ask(gateway, "POST /v1/payment_intents", NULL, "amount=1&currency=eur");
    assert_int_equal(reply.status, 0);
    assert_int_equal(stop_here(sandbox, thread), RESULT_IO_ERROR);
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
    log_set_level(LOG_LEVEL_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_appended_is_read_again),
        TEST(a_tape_cut_anywhere_keeps_what_was_whole),
        TEST(a_damaged_byte_is_never_believed),
        TEST(a_group_torn_by_a_crash_is_cut_off_whole),
        TEST(what_gathers_shares_a_sync),
        TEST(a_disk_that_fails_once_is_not_trusted_again),
        TEST(another_file_is_left_alone),
        TEST(a_rewritten_tape_holds_what_was_wanted),
        TEST(a_rewrite_that_fails_changes_nothing),
        cmocka_unit_test_setup_teardown(an_answer_waits_for_its_sync, gateway_set_up, gateway_tear_down),
        cmocka_unit_test_setup_teardown(a_failed_sync_answers_nobody, gateway_set_up, gateway_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
