/* The base that every module stands on: bytes, ids, the mailbox, metrics, checksums, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/files.h"
#include "base/id.h"
#include "base/mailbox.h"
#include "base/metrics.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_buffer(const struct buffer *buffer, const char *wanted) {
    if (!bytes_equal(buffer_bytes(buffer), bytes_of(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)buffer->length, buffer->at ? buffer->at : "", wanted);
}

/* ---- bytes ---- */

static void a_number_is_digits_and_nothing_else(void **state) {
    /* Red when bytes_to_u64() lets a sign, a space or 20 digits pass, or compares with `max` by >=. */
    (void)state;
    static const char *const refused[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1.", "a", "10000000000000000000", "101"};
    uint64_t value = 7;
    for (size_t i = 0; i < COUNT(refused); i++)
        if (bytes_to_u64(bytes_of(refused[i]), i < 9 ? UINT64_MAX : 100, &value) || value != 7)
            fail_msg("'%s' was taken for a number", refused[i]);
    assert_true(bytes_to_u64(BYTES("9999999999999999999"), UINT64_MAX, &value) && value == 9999999999999999999U);
    assert_true(bytes_to_u64(BYTES("00100"), 100, &value) && value == 100);
}

static size_t encode_utf8(uint32_t point, char *text) {
    if (point < 0x80)
        return (size_t)(*text = (char)point, 1);
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    text[0] = (char)(lead[more] | point >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        text[i] = (char)(0x80 | (point >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

static void every_code_point_but_nul_and_surrogates_is_utf8(void **state) {
    /* Red when a bound of RFC 3629's table is off by one: surrogates, U+10FFFF, the first of each length. */
    (void)state;
    char text[4];
    for (uint32_t point = 0; point <= 0x10ffff + 100; point++) {
        bool is_good = point > 0 && (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
        struct bytes bytes = {text, encode_utf8(point, text)};
        if (bytes_are_utf8(bytes) != is_good)
            fail_msg("U+%04X", point);
        if (is_good && bytes.length > 1)
            assert_false(bytes_are_utf8((struct bytes){text, bytes.length - 1}));
    }
}

static void overlong_and_stray_bytes_are_not_utf8(void **state) {
    /* Red when the second byte's bound after 0xe0 or 0xf0, or a lone continuation byte, is not looked at. */
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",       "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\xaf",
        "\xe0\x9f\xbf", "\xc3(",      "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80",
        "\xff",         "ok\xe2\x82", "\xe2\x28\xa1"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (bytes_are_utf8(bytes_of(bad[i])))
            fail_msg("number %zu was taken", i);
    assert_true(bytes_are_utf8((struct bytes){NULL, 0}));
    assert_false(bytes_are_utf8((struct bytes){"a\0b", 3}));
}

static void names_compare_without_case_and_with_length(void **state) {
    /* Red when a prefix is taken for the whole, or '[' (0x5b) for '{' (0x7b). */
    (void)state;
    assert_true(bytes_equal_nocase(BYTES("Content-Length"), BYTES("cONTENT-lENGTH")));
    assert_false(bytes_equal_nocase(BYTES("Content"), BYTES("Content-Length")));
    assert_false(bytes_equal_nocase(BYTES("["), BYTES("{")));
    assert_true(bytes_start_with(BYTES("Bearer x"), BYTES("Bearer ")));
    assert_false(bytes_start_with(BYTES("Bear"), BYTES("Bearer ")));
    assert_true(bytes_start_with((struct bytes){0}, (struct bytes){0}));
}

static void a_buffer_takes_what_fits_and_says_what_does_not(void **state) {
    /* Red when a text that fits to the byte is refused, when something follows what was left out, or the limit is
     * passed. */
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_printf(&buffer, "%s", "");
    buffer_printf(&buffer, "%d", -123);
    buffer_add_u64(&buffer, 18446);
    assert_buffer(&buffer, "-12318446");
    buffer_printf(&buffer, "%c", 'x');
    assert_true(buffer_ok(&buffer));
    assert_buffer(&buffer, "-12318446x");
    buffer_add_char(&buffer, 'y');
    assert_false(buffer_ok(&buffer));
    buffer_release(&buffer);

    buffer_init(&buffer, 300);
    for (int i = 0; i < 300; i++)
        buffer_add_char(&buffer, 'a');
    assert_true(buffer_ok(&buffer) && buffer.length == 300 && buffer.capacity <= 300);
    buffer.length = 290;
    buffer_add_text(&buffer, "eleven byte");
    buffer_add_char(&buffer, 'b');
    assert_true(!buffer_ok(&buffer) && buffer.length == 290);
    buffer_release(&buffer);

    buffer_init(&buffer, 64);
    buffer_add_i64(&buffer, INT64_MIN);
    buffer_add_u64(&buffer, UINT64_MAX);
    assert_buffer(&buffer, "-922337203685477580818446744073709551615");
    buffer_release(&buffer);
}

static void hex_is_lower_case_and_exact(void **state) {
    /* Red when upper case, an odd length or half a byte is decoded. */
    (void)state;
    uint8_t data[2] = {1, 2};
    char text[4];
    assert_false(hex_decode(BYTES("0AFF"), data, 2));
    assert_false(hex_decode(BYTES("0aff0"), data, 2));
    assert_false(hex_decode(BYTES("0ag0"), data, 2));
    assert_true(hex_decode(BYTES("0aff"), data, 2) && data[0] == 0x0a && data[1] == 0xff);
    hex_encode(data, 2, text);
    assert_memory_equal(text, "0aff", 4);
}

/* ---- ids ---- */

static void an_id_is_read_back_from_its_canonical_text_only(void **state) {
    /* Red when hyphens stand elsewhere, case is ignored, or the letter is not looked at. */
    (void)state;
    char text[ID_UUID_TEXT], letters[ID_LETTER_TEXT];
    struct id id = id_new_uuid7(1700000000123), read = {{0}};
    id_format_uuid(&id, text);
    assert_true(id_parse_uuid((struct bytes){text, sizeof text}, &read) && id_equal(&id, &read));
    assert_memory_equal(text, "018bcfe5-687b-7", 15);
    assert_true(strchr("89ab", text[19]));
    id_format_letter(&id, 'r', letters);
    assert_true(id_parse_letter((struct bytes){letters, sizeof letters}, 'r', &read) && id_equal(&id, &read));
    assert_false(id_parse_letter((struct bytes){letters, sizeof letters}, 'b', &read));
    assert_false(id_parse_letter((struct bytes){letters, sizeof letters - 1}, 'r', &read));
    static const char *const refused[] = {
        "", "018BCFE5-687b-7000-8000-000000000000", "018bcfe5687b-7000-8000-0000-00000000",
        "{18bcfe5-687b-7000-8000-000000000000", "018bcfe5-687b-7000-8000-00000000000"};
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(id_parse_uuid(bytes_of(refused[i]), &read));
    assert_true(id_equal(&id, &read));
}

static void a_reservation_says_which_show_to_look_in(void **state) {
    /* Red when the tag is written and read in different places, or chance does not differ. */
    (void)state;
    struct id show = {{[14] = 0xab, [15] = 0xcd}};
    struct id one = id_new_reservation(1700000000123, id_show_tag(&show));
    struct id other = id_new_reservation(1700000000123, id_show_tag(&show));
    assert_int_equal(id_reservation_tag(&one), 0xabcd);
    assert_memory_equal(one.at, other.at, 6);
    assert_false(id_equal(&one, &other));
    assert_false(id_is_none(&one));
    assert_true(id_is_none(&(struct id){{0}}));
}

/* ---- the mailbox ---- */

#define SENDERS 3
#define LETTERS 20000

struct letter {
    struct envelope envelope;
    int sender, number;
};

struct post_office {
    struct mailbox mailbox;
    sem_t bell;
    struct letter letters[SENDERS][LETTERS];
    int next[SENDERS];
    int read;
};

static void ring(void *context) {
    struct post_office *office = context;
    sem_post(&office->bell);
}

static void read_letter(struct envelope *envelope, void *receiver) {
    struct letter *letter = (struct letter *)envelope;
    struct post_office *office = receiver;
    assert_int_equal(letter->number, office->next[letter->sender]++);
    office->read++;
}

static void *send_letters(void *argument) {
    struct letter *letters = argument;
    struct post_office *office = (struct post_office *)letters[0].envelope.next;
    for (int i = 0; i < LETTERS; i++)
        mailbox_send(&office->mailbox, &letters[i].envelope);
    return NULL;
}

static void the_first_letter_rings_and_the_next_does_not(void **state) {
    /* Red when the bell is rung for another letter than the first into an empty mailbox. */
    (void)state;
    struct post_office *office = calloc(1, sizeof *office);
    assert_non_null(office);
    sem_init(&office->bell, 0, 0);
    mailbox_init(&office->mailbox, ring, office);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 3; i++) {
            struct letter *letter = &office->letters[0][office->read + i];
            *letter = (struct letter){.envelope.open = read_letter, .number = office->read + i};
            mailbox_send(&office->mailbox, &letter->envelope);
        }
        int rung;
        sem_getvalue(&office->bell, &rung);
        assert_int_equal(rung, round);
        assert_int_equal(mailbox_open_all(&office->mailbox, office), 3);
    }
    sem_destroy(&office->bell);
    free(office);
}

static void letters_arrive_once_in_order_and_the_bell_always_rings(void **state) {
    /* Red when the taken stack is not turned round, or the first letter into an empty mailbox does not ring. */
    (void)state;
    struct post_office *office = calloc(1, sizeof *office);
    assert_non_null(office);
    sem_init(&office->bell, 0, 0);
    mailbox_init(&office->mailbox, ring, office);
    pthread_t threads[SENDERS];
    for (int sender = 0; sender < SENDERS; sender++) {
        for (int i = 0; i < LETTERS; i++)
            office->letters[sender][i] = (struct letter){.envelope.open = read_letter, .sender = sender, .number = i};
        office->letters[sender][0].envelope.next = (struct envelope *)office;
        assert_int_equal(pthread_create(&threads[sender], NULL, send_letters, office->letters[sender]), 0);
    }
    while (office->read < SENDERS * LETTERS) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 20;
        if (sem_timedwait(&office->bell, &until) && errno == ETIMEDOUT)
            fail_msg("the bell did not ring; %d letters are read", office->read);
        mailbox_open_all(&office->mailbox, office);
    }
    for (int sender = 0; sender < SENDERS; sender++)
        pthread_join(threads[sender], NULL);
    assert_int_equal(mailbox_open_all(&office->mailbox, office), 0);
    sem_destroy(&office->bell);
    free(office);
}

/* ---- metrics ---- */

static void a_quantile_is_never_too_small_and_at_most_a_sixteenth_too_large(void **state) {
    /* Red when a bucket's upper end is that of its neighbour, or the rank is off by one. */
    (void)state;
    assert_int_equal(timing_quantile(TIMING_GATEWAY_CALL_SECONDS, 0.5), 0);
    for (int64_t value = 1; value <= 1000; value++)
        timing_observe(TIMING_GATEWAY_CALL_SECONDS, value * value);
    assert_int_equal(timing_count(TIMING_GATEWAY_CALL_SECONDS), 1000);
    for (int percent = 0; percent <= 100; percent++) {
        int64_t rank = (int64_t)(percent / 100.0 * 999) + 1;
        int64_t found = timing_quantile(TIMING_GATEWAY_CALL_SECONDS, percent / 100.0);
        if (found < rank * rank || found > rank * rank + rank * rank / 16)
            fail_msg("%d %%: %lld is not %lld", percent, (long long)found, (long long)(rank * rank));
    }
    timing_observe(TIMING_CONFIRM_SECONDS, INT64_MAX);
    timing_observe(TIMING_CONFIRM_SECONDS, -5);
    assert_int_equal(timing_quantile(TIMING_CONFIRM_SECONDS, 0), 0);
    assert_true(timing_quantile(TIMING_CONFIRM_SECONDS, 1) > (INT64_C(1) << 40));
}

static int64_t exposed(const struct buffer *out, const char *line_start) {
    const char *at = strstr(out->at, line_start);
    if (!at)
        fail_msg("there is no line '%s…'", line_start);
    return strtoll(at + strlen(line_start), NULL, 10);
}

static void what_is_exposed_is_what_was_counted(void **state) {
    /* Red when a bucket does not hold all below it, or +Inf is not the count. */
    (void)state;
    metric_add(METRIC_HTTP_REQUESTS, 41);
    metric_add(METRIC_HTTP_REQUESTS, 1);
    metric_set(METRIC_CONNECTIONS_OPEN, 7);
    metric_refused(RESULT_SEAT_UNAVAILABLE);
    static const int64_t microseconds[] = {50, 60, 1500, 2000000, 60000000};
    for (size_t i = 0; i < COUNT(microseconds); i++)
        timing_observe(TIMING_RESERVE_SECONDS, microseconds[i]);
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    metrics_write(&out);
    buffer_add_char(&out, '\0');
    assert_true(buffer_ok(&out));
    assert_int_equal(exposed(&out, "\nonsale_http_requests_total "), 42);
    assert_int_equal(exposed(&out, "\nonsale_connections_open "), 7);
    assert_int_equal(exposed(&out, "\nonsale_refusals_total{code=\"seat_unavailable\"} "), 1);
    assert_int_equal(exposed(&out, "\nonsale_reserve_seconds_bucket{le=\"0.0001\"} "), 2);
    assert_int_equal(exposed(&out, "\nonsale_reserve_seconds_bucket{le=\"0.0025\"} "), 3);
    assert_int_equal(exposed(&out, "\nonsale_reserve_seconds_bucket{le=\"2.5\"} "), 4);
    assert_int_equal(exposed(&out, "\nonsale_reserve_seconds_bucket{le=\"+Inf\"} "), 5);
    assert_int_equal(exposed(&out, "\nonsale_reserve_seconds_count "), 5);
    assert_non_null(strstr(out.at, "\n# TYPE onsale_reserve_seconds histogram\n"));
    assert_non_null(strstr(out.at, "\nonsale_reserve_seconds_sum 62.001610\n"));
    buffer_release(&out);
}

/* ---- checksums ---- */

static void crc32c_agrees_with_the_rfc(void **state) {
    /* Red when the polynomial, a bit order or the carry between two calls is wrong; both ways to compute it. */
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], rising[32], falling[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
        falling[i] = (uint8_t)(31 - i);
    }
    static const uint8_t scsi_read[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    const struct {
        const void *data;
        size_t length;
        uint32_t crc;
    } known[] = {{zeros, 32, 0x8a9136aa},
                 {ones, 32, 0x62a8ab43},
                 {rising, 32, 0x46dd794e},
                 {falling, 32, 0x113fdb5c},
                 {scsi_read, 48, 0xd9963a56},
                 {"123456789", 9, 0xe3069283},
                 {"", 0, 0}};
    for (size_t i = 0; i < COUNT(known); i++) {
        assert_int_equal(crc32c(0, known[i].data, known[i].length), known[i].crc);
        assert_int_equal(crc32c_portable(0, known[i].data, known[i].length), known[i].crc);
        for (size_t cut = 0; cut <= known[i].length; cut++) {
            uint32_t first = crc32c(0, known[i].data, cut);
            assert_int_equal(crc32c(first, (const uint8_t *)known[i].data + cut, known[i].length - cut), known[i].crc);
        }
    }
}

/* ---- files ---- */

static char folder[64];

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/onsale-base-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    static const char *const names[] = {"file", "lock", "a/b/c", "a/b", "a"};
    for (size_t i = 0; i < COUNT(names); i++)
        remove(in_folder(names[i]));
    return rmdir(folder);
}

static void a_file_is_written_whole_and_read_whole(void **state) {
    /* Red when what a killed process left of a longer one stays behind, the mode is lost, or the limit does not count.
     */
    (void)state;
    struct buffer out;
    struct stat status;
    buffer_init(&out, 40000);
    assert_int_equal(file_read(in_folder("file"), &out), RESULT_NOT_FOUND);
    char content[30000];
    memset(content, 'x', sizeof content);
    assert_int_equal(file_write_atomically(in_folder("file"), (struct bytes){content, sizeof content}, 0600),
                     RESULT_OK);
    assert_int_equal(stat(in_folder("file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(file_read(in_folder("file"), &out), RESULT_OK);
    assert_int_equal(out.length, sizeof content);
    assert_int_equal(file_read(in_folder("file"), &out), RESULT_BODY_TOO_LARGE);
    buffer_release(&out);
    buffer_init(&out, 100);
    FILE *left = fopen(in_folder("file.new"), "w"); /* by a process that was killed */
    assert_non_null(left);
    fputs("longer than short", left);
    fclose(left);
    assert_int_equal(file_write_atomically(in_folder("file"), BYTES("short"), 0600), RESULT_OK);
    assert_int_equal(file_read(in_folder("file"), &out), RESULT_OK);
    assert_buffer(&out, "short");
    buffer_release(&out);
    assert_int_equal(file_write_atomically(in_folder("no/file"), BYTES("x"), 0600), RESULT_IO_ERROR);
    assert_int_equal(access(in_folder("file.new"), F_OK), -1);
}

static void folders_are_made_with_their_parents(void **state) {
    /* Red when a parent is not made, a second time fails, or a file passes for a folder. */
    (void)state;
    assert_int_equal(folder_make(in_folder("a/b/c")), RESULT_OK);
    assert_int_equal(folder_make(in_folder("a/b/c/")), RESULT_OK);
    assert_int_equal(file_write_atomically(in_folder("file"), BYTES("x"), 0600), RESULT_OK);
    assert_int_equal(folder_make(in_folder("file")), RESULT_IO_ERROR);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(folder_make(""), RESULT_IO_ERROR);
}

static void a_folder_has_one_owner(void **state) {
    /* Red when the second lock is granted, or the first outlives its descriptor. */
    (void)state;
    int first = -1, second = -1;
    assert_int_equal(folder_lock(folder, &first), RESULT_OK);
    assert_int_equal(folder_lock(folder, &second), RESULT_IN_USE);
    assert_int_equal(second, -1);
    close(first);
    assert_int_equal(folder_lock(folder, &second), RESULT_OK);
    close(second);
    assert_int_equal(folder_lock(in_folder("nowhere"), &second), RESULT_IO_ERROR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(every_code_point_but_nul_and_surrogates_is_utf8),
        cmocka_unit_test(overlong_and_stray_bytes_are_not_utf8),
        cmocka_unit_test(names_compare_without_case_and_with_length),
        cmocka_unit_test(a_buffer_takes_what_fits_and_says_what_does_not),
        cmocka_unit_test(hex_is_lower_case_and_exact),
        cmocka_unit_test(an_id_is_read_back_from_its_canonical_text_only),
        cmocka_unit_test(a_reservation_says_which_show_to_look_in),
        cmocka_unit_test(the_first_letter_rings_and_the_next_does_not),
        cmocka_unit_test(letters_arrive_once_in_order_and_the_bell_always_rings),
        cmocka_unit_test(a_quantile_is_never_too_small_and_at_most_a_sixteenth_too_large),
        cmocka_unit_test(what_is_exposed_is_what_was_counted),
        cmocka_unit_test(crc32c_agrees_with_the_rfc),
        cmocka_unit_test(a_file_is_written_whole_and_read_whole),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(a_folder_has_one_owner),
    };
    return cmocka_run_group_tests_name("base", tests, make_folder, remove_folder);
}
