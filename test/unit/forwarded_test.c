/* Whom a request is from: a table of peers, fields and the address that counts. */
#include "net/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>

#include <cmocka.h>

#define PROXIES "10.0.0.0/8, 192.0.2.7 2001:db8:ffff::/48 ::1 127.0.0.0/8"
#define CLIENT "203.0.113.9"
#define F "Forwarded"
#define X "X-Forwarded-For"

static struct trusted_proxies proxies_of(const char *text) {
    struct trusted_proxies proxies;
    char fault[200] = "";
    if (trusted_proxies_parse(bytes_of(text), &proxies, fault, sizeof fault) != RESULT_OK)
        fail_msg("%s: %s", text, fault);
    return proxies;
}

struct line {
    const char *name, *value;
};

static struct client client_of(const char *proxies_text, const char *peer, const struct line *lines, unsigned count) {
    static struct http_request request;
    struct trusted_proxies proxies = proxies_of(proxies_text);
    request = (struct http_request){.peer = bytes_of(peer), .field_count = count};
    for (unsigned i = 0; i < count; i++)
        request.fields[i] = (struct http_field){bytes_of(lines[i].name), bytes_of(lines[i].value)};
    return forwarded_client(&proxies, &request);
}

/* The key as text: "203.0.113.9", or an IPv6 network as "2001:db8:0:1::". */
static void key_text(const struct client_key *key, char text[static INET6_ADDRSTRLEN]) {
    uint8_t at[16] = {0};
    memcpy(at, key->at + 1, 8);
    snprintf(text, INET6_ADDRSTRLEN, "nobody");
    if (key->at[0])
        assert_non_null(inet_ntop(key->at[0] == 4 ? AF_INET : AF_INET6, at, text, INET6_ADDRSTRLEN));
}

/* One request and whom it is from; "!" before it: exempt. */
static void assert_from(const char *proxies, const char *peer, const struct line *lines, unsigned count,
                        const char *expected) {
    char seen[INET6_ADDRSTRLEN + 1] = "!";
    struct client client = client_of(proxies, peer, lines, count);
    key_text(&client.key, seen + client.is_exempt);
    if (strcmp(seen, expected) != 0)
        fail_msg("peer %s, %s: %s, %s: %s is from %s, not from %s", peer, count > 0 ? lines[0].name : "no field",
                 count > 0 ? lines[0].value : "", count > 1 ? lines[1].name : "", count > 1 ? lines[1].value : "", seen,
                 expected);
}

struct example {
    const char *peer;
    struct line lines[3];
    const char *expected;
};

static void assert_examples(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned lines = 0;
        while (lines < 3 && examples[i].lines[lines].name)
            lines++;
        assert_from(PROXIES, examples[i].peer, examples[i].lines, lines, examples[i].expected);
    }
}
#define ASSERT_EXAMPLES(examples) assert_examples(examples, sizeof(examples) / sizeof(examples)[0])

static void who_comes_straight_is_the_peer(void **state) {
    /* red when: a key has another length than 32 and 64 bits, or a mapped address is another client */
    (void)state;
    static const struct example examples[] = {
        {CLIENT, {{0}}, CLIENT},
        {"203.0.113.10", {{0}}, "203.0.113.10"},
        {"::ffff:203.0.113.9", {{0}}, CLIENT},
        {"2001:db8:0:1::17", {{0}}, "2001:db8:0:1::"},
        {"2001:db8:0:1:ffff::", {{0}}, "2001:db8:0:1::"},
        {"2001:db8:0:2::17", {{0}}, "2001:db8:0:2::"},
        {"", {{0}}, "nobody"},
    };
    ASSERT_EXAMPLES(examples);
}

static void a_strangers_word_is_not_heard(void **state) {
    /* red when: a field of a peer that is not trusted is read */
    (void)state;
    static const struct example examples[] = {
        {CLIENT, {{X, "198.51.100.1"}}, CLIENT},
        {CLIENT, {{F, "for=198.51.100.1"}}, CLIENT},
        {CLIENT, {{F, "for=10.0.0.1"}, {X, "10.0.0.1"}}, CLIENT},
        {"192.0.2.8", {{X, "198.51.100.1"}}, "192.0.2.8"},
        {"11.0.0.1", {{X, "198.51.100.1"}}, "11.0.0.1"},
        {"2001:db8:fffe::1", {{X, "198.51.100.1"}}, "2001:db8:fffe::"},
    };
    ASSERT_EXAMPLES(examples);
}

static void a_trusted_proxy_says_whom_it_forwards(void **state) {
    /* red when: one of the ways to write an address is not read, or a field's name is compared by case */
    (void)state;
    static const struct example examples[] = {
        {"10.1.2.3", {{X, CLIENT}}, CLIENT},
        {"192.0.2.7", {{"x-forwarded-for", CLIENT}}, CLIENT},
        {"::ffff:10.1.2.3", {{X, CLIENT}}, CLIENT},
        {"2001:db8:ffff:1::1", {{X, CLIENT}}, CLIENT},
        {"10.1.2.3", {{X, "203.0.113.9:47011"}}, CLIENT},
        {"10.1.2.3", {{X, "2001:db8:0:1::17"}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{X, "[2001:db8:0:1::17]"}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{X, "[2001:db8:0:1::17]:47011"}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{X, "::ffff:203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, " \t203.0.113.9 ,, "}}, CLIENT},
        {"10.1.2.3", {{"forwarded", "for=203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{F, "For=\"203.0.113.9\""}}, CLIENT},
        {"10.1.2.3", {{F, "for=\"203.0.113.9:47011\";proto=https"}}, CLIENT},
        {"10.1.2.3", {{F, "for=\"203.0.113.9:_port-1.a\""}}, CLIENT},
        {"10.1.2.3", {{F, "proto=https;by=10.1.2.3 ; FOR=203.0.113.9;host=\"a,;\\\"b\""}}, CLIENT},
        {"10.1.2.3", {{F, "for=\"[2001:db8:0:1::17]\""}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{F, "for=\"[2001:db8:0:1::17]:47011\""}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{F, "for=\"20\\3.0.113.9\""}}, CLIENT},
        {"10.1.2.3", {{F, " ,; , for=203.0.113.9 , "}}, CLIENT},
    };
    ASSERT_EXAMPLES(examples);
}

static void hops_are_walked_from_the_nearest_through_trusted_ones_only(void **state) {
    /* red when: the walk begins at the wrong end, goes past a stranger, or stops at a trusted hop */
    (void)state;
    static const struct example examples[] = {
        {"10.1.2.3", {{X, "203.0.113.9, 10.0.0.9, 192.0.2.7"}}, CLIENT},
        {"10.1.2.3", {{X, "198.51.100.1, 203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, "198.51.100.1, 203.0.113.9, 10.0.0.9"}}, CLIENT},
        {"10.1.2.3", {{X, "198.51.100.1"}, {X, "203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, "203.0.113.9"}, {"Host", "a"}, {X, "10.0.0.9"}}, CLIENT},
        {"10.1.2.3", {{F, "for=203.0.113.9;by=10.0.0.9, for=10.0.0.9"}}, CLIENT},
        {"10.1.2.3", {{F, "for=198.51.100.1, for=203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{F, "for=203.0.113.9"}, {F, "for=\"[2001:db8:ffff::9]\""}}, CLIENT},
        {"10.1.2.3", {{F, "for=198.51.100.1"}, {F, "for=203.0.113.9"}}, CLIENT},
    };
    ASSERT_EXAMPLES(examples);
}

static void a_client_cannot_choose_whom_it_is_taken_for(void **state) {
    /* red when: what the client sent itself, before or beside what its proxy wrote, is believed */
    (void)state;
    static const struct example examples[] = {
        /* a proxy that writes X-Forwarded-For behind what came */
        {"10.1.2.3", {{X, "198.51.100.1, 203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, "10.0.0.1, 203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, "127.0.0.1, 203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, "\"198.51.100.1, 203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{X, ",,;[, 203.0.113.9"}}, CLIENT},
        /* and lets Forwarded through as it is */
        {"10.1.2.3", {{F, "for=198.51.100.1"}, {X, "203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=10.0.0.1"}, {X, "203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "nonsense"}, {X, "203.0.113.9"}}, "10.1.2.3"},
        /* a proxy that writes Forwarded, in the same line or one of its own, and lets X-Forwarded-For through */
        {"10.1.2.3", {{X, "198.51.100.1"}, {F, "for=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=198.51.100.1, for=203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{F, "for=\"198.51.100.1, for=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"198.51.100.1"}, {F, "for=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"198.51.100.1, for=203.0.113.9"}, {X, "198.51.100.1"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9;host=\"a, for=198.51.100.1;b=\""}}, CLIENT},
        /* a proxy that writes both */
        {"10.1.2.3", {{F, "for=198.51.100.1, for=203.0.113.9"}, {X, "198.51.100.2, 203.0.113.9"}}, CLIENT},
    };
    ASSERT_EXAMPLES(examples);
}

static void who_is_hidden_is_taken_for_the_last_trusted_hop(void **state) {
    /* red when: a field that does not name the next hop is guessed at, or hiding makes exempt */
    (void)state;
    static const struct example examples[] = {
        {"10.1.2.3", {{F, "for=unknown"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=_hidden"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"unknown:80\""}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "by=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=198.51.100.1, for=_hidden"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9, for=unknown, for=10.0.0.9"}}, "10.0.0.9"},
        {"10.1.2.3", {{X, "unknown"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.9, unknown, 192.0.2.7"}}, "192.0.2.7"},
        /* no addresses */
        {"10.1.2.3", {{X, "203.0.113"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.256"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.9:"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.9:65536"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.9:000080"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "203.0.113.9 for"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "[203.0.113.9]"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "[2001:db8::17"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "[2001:db8::17]80"}}, "10.1.2.3"},
        {"10.1.2.3", {{X, "2001:db8::17%eth0"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"2001:db8::17\""}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"203.0.113.9:_\""}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"203.0.113.9:_a b\""}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"\""}}, "10.1.2.3"},
        {"10.1.2.3",
         {{F, "for=\"203.0.113.9111111111111111111111111111111111111111111111111111111111111111111111\""}},
         "10.1.2.3"},
        /* no grammar */
        {"10.1.2.3", {{F, "203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for="}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for =203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for= 203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9:80"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=[2001:db8::17]"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"203.0.113.9\\"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=\"203.0.113.9\"x"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9 for=10.0.0.1"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9;for=203.0.113.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9, for=10.0.0.9, {"}}, "10.1.2.3"},
    };
    ASSERT_EXAMPLES(examples);
}

static void both_fields_are_believed_where_they_agree(void **state) {
    /* red when: one of the two is believed against the other, or two that agree are not */
    (void)state;
    static const struct example examples[] = {
        {"10.1.2.3", {{F, "for=203.0.113.9"}, {X, CLIENT}}, CLIENT},
        {"10.1.2.3", {{X, "203.0.113.9, 10.0.0.9"}, {F, "for=203.0.113.9"}}, CLIENT},
        {"10.1.2.3", {{F, "for=\"[2001:db8:0:1::1]\""}, {X, "2001:db8:0:1::2"}}, "2001:db8:0:1::"},
        {"10.1.2.3", {{F, "for=10.0.0.9"}, {X, "10.0.0.9"}}, "!10.0.0.9"},
        {"10.1.2.3", {{F, "for=10.0.0.9"}, {X, "unknown, 10.0.0.9"}}, "10.1.2.3"},
        {"10.1.2.3", {{F, "for=203.0.113.9"}, {X, ""}}, CLIENT},
        {"10.1.2.3", {{F, ""}, {X, CLIENT}}, CLIENT},
    };
    ASSERT_EXAMPLES(examples);
}

static void proxies_themselves_and_this_machine_are_exempt(void **state) {
    /* red when: a health check is limited, or a fan behind a proxy, or behind a local one, is not */
    (void)state;
    static const struct example examples[] = {
        {"10.1.2.3", {{0}}, "!10.1.2.3"},
        {"10.1.2.3", {{X, "10.0.0.9"}}, "!10.0.0.9"},
        {"10.1.2.3", {{F, "for=\"[2001:db8:ffff::1]:80\", for=10.0.0.9"}}, "!2001:db8:ffff::"},
        {"127.0.0.1", {{0}}, "!127.0.0.1"},
        {"::1", {{0}}, "!::"},
        {"127.0.0.1", {{X, CLIENT}}, CLIENT},
        {"::1", {{F, "for=203.0.113.9"}}, CLIENT},
        {"127.0.0.1", {{X, "unknown"}}, "127.0.0.1"},
    };
    ASSERT_EXAMPLES(examples);
    static const struct line field = {X, CLIENT};
    assert_from("", "127.0.0.1", NULL, 0, "!127.0.0.1");
    assert_from("", "127.9.9.9", NULL, 0, "!127.9.9.9");
    assert_from("", "::1", NULL, 0, "!::");
    assert_from("", "::2", NULL, 0, "::");
    assert_from("", "127.0.0.1", &field, 1, "127.0.0.1");
    assert_from("", "10.1.2.3", NULL, 0, "10.1.2.3");
}

static void what_is_too_long_is_not_followed(void **state) {
    /* red when: the walk, or what is read for it, has no bound, or is cut where it is still allowed */
    (void)state;
    char value[LIMIT_FORWARDED_BYTES + 64];
    size_t length = (size_t)snprintf(value, sizeof value, "%s", CLIENT);
    for (unsigned proxies = 1; proxies <= LIMIT_FORWARDED_HOPS + 1; proxies++) {
        struct line line = {X, value};
        length += (size_t)snprintf(value + length, sizeof value - length, ", 10.0.0.%u", proxies);
        assert_from(PROXIES, "10.1.2.3", &line, 1,
                    proxies < LIMIT_FORWARDED_HOPS    ? CLIENT
                    : proxies == LIMIT_FORWARDED_HOPS ? "10.0.0.1"
                                                      : "10.0.0.2");
    }
    for (unsigned over = 0; over < 2; over++) {
        static const char last[] = ", " CLIENT;
        struct line lines[] = {{X, value}, {X, ","}};
        memset(value, ',', sizeof value);
        memcpy(value + LIMIT_FORWARDED_BYTES - (sizeof last - 1), last, sizeof last);
        assert_from(PROXIES, "10.1.2.3", lines, 1 + over, over ? "10.1.2.3" : CLIENT);
        lines[0].name = lines[1].name = F;
        memset(value, ',', sizeof value);
        memcpy(value + LIMIT_FORWARDED_BYTES - 16, ",for=" CLIENT, 17);
        assert_from(PROXIES, "10.1.2.3", lines, 1 + over, over ? "10.1.2.3" : CLIENT);
    }
}

static void networks_are_matched_bit_by_bit(void **state) {
    /* red when: a prefix is compared by whole bytes, or IPv4 and IPv6 are mixed up */
    (void)state;
    static const struct {
        const char *proxies, *peer;
        bool is_trusted;
    } examples[] = {
        {"192.0.2.4/30", "192.0.2.7", true},
        {"192.0.2.4/30", "192.0.2.8", false},
        {"192.0.2.4/30", "192.0.2.3", false},
        {"128.0.0.0/1", "255.1.2.3", true},
        {"128.0.0.0/1", "127.1.2.3", false},
        {"192.0.2.7/32", "192.0.2.6", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"2001:db8::1", "2001:db8::2", false},
        {"2001:db8::1/128", "2001:db8::1", true},
        {"::/1", "192.0.2.7", false},
        {"::/1", "2001:db8::1", true},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "11.0.0.0", false},
        {"::ffff:192.0.2.7", "192.0.2.7", true},
        {" ,, ", "192.0.2.7", false},
        {"", "192.0.2.7", false},
    };
    static const struct line field = {X, "198.51.100.1"};
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct client client = client_of(examples[i].proxies, examples[i].peer, &field, 1);
        char seen[INET6_ADDRSTRLEN];
        key_text(&client.key, seen);
        if ((strcmp(seen, "198.51.100.1") == 0) != examples[i].is_trusted)
            fail_msg("%s is%s in %s", examples[i].peer, examples[i].is_trusted ? " not" : "", examples[i].proxies);
    }
}

static void a_list_of_proxies_that_is_wrong_is_refused_with_words(void **state) {
    /* red when: a typing error trusts others than were meant, or the words do not name it */
    (void)state;
    static const struct line examples[] = {
        {"10.0.0.0/8, proxy.example", "'proxy.example' is neither an address nor a network"},
        {"10.0.0", "'10.0.0' is neither"},
        {"10.0.0.0/8;192.0.2.7", "'10.0.0.0/8;192.0.2.7': a number from 1 to 32"},
        {"10.0.0.0/33", "'10.0.0.0/33': a number from 1 to 32"},
        {"10.0.0.0/", "'10.0.0.0/': a number from 1 to 32"},
        {"/8", "'/8' is neither"},
        {"2001:db8::/129", "'2001:db8::/129': a number from 1 to 128"},
        {"0.0.0.0/0", "'0.0.0.0/0' would trust everybody"},
        {"::/0", "'::/0' would trust everybody"},
        {"::ffff:0.0.0.0/96", "'::ffff:0.0.0.0/96' would trust everybody"},
        {"10.0.0.1/8", "'10.0.0.1/8': behind its first 8 bits there may be zeros only"},
        {"2001:db8::1/64", "'2001:db8::1/64': behind its first 64 bits"},
        {"[2001:db8::1]", "'[2001:db8::1]' is neither"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct trusted_proxies proxies = {.count = 77};
        char fault[300] = "";
        assert_int_equal(trusted_proxies_parse(bytes_of(examples[i].name), &proxies, fault, sizeof fault),
                         RESULT_INVALID_FIELD);
        assert_int_equal(proxies.count, 77);
        if (!strstr(fault, examples[i].value))
            fail_msg("%s: %s", examples[i].name, fault);
    }
    char many[LIMIT_TRUSTED_PROXIES * 10 + 20] = "", fault[300];
    struct trusted_proxies proxies;
    for (int i = 0; i <= LIMIT_TRUSTED_PROXIES; i++) {
        assert_int_equal(trusted_proxies_parse(bytes_of(many), &proxies, fault, sizeof fault), RESULT_OK);
        assert_int_equal(proxies.count, i);
        snprintf(many + strlen(many), sizeof many - strlen(many), "10.0.0.%d ", i);
    }
    assert_int_equal(trusted_proxies_parse(bytes_of(many), &proxies, fault, sizeof fault), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "more than 64"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_straight_is_the_peer),
        cmocka_unit_test(a_strangers_word_is_not_heard),
        cmocka_unit_test(a_trusted_proxy_says_whom_it_forwards),
        cmocka_unit_test(hops_are_walked_from_the_nearest_through_trusted_ones_only),
        cmocka_unit_test(a_client_cannot_choose_whom_it_is_taken_for),
        cmocka_unit_test(who_is_hidden_is_taken_for_the_last_trusted_hop),
        cmocka_unit_test(both_fields_are_believed_where_they_agree),
        cmocka_unit_test(proxies_themselves_and_this_machine_are_exempt),
        cmocka_unit_test(what_is_too_long_is_not_followed),
        cmocka_unit_test(networks_are_matched_bit_by_bit),
        cmocka_unit_test(a_list_of_proxies_that_is_wrong_is_refused_with_words),
    };
    return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
