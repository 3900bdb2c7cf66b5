/* Forwarding fields that a stranger wrote, behind a trusted proxy and without one.
 *
 * Each line of the input is a field: F… is Forwarded, X… is X-Forwarded-For, anything else is another field. The
 * oracle: a stranger's fields change nothing. A trusted proxy that adds its client to X-Forwarded-For, behind the comma
 * or in a line of its own, is believed whatever the client sent there. One that adds it to Forwarded is believed, or
 * the proxy itself stands for the client: never anybody else. The same where the client sends the field that its proxy
 * does not write. And a request with a stranger behind a proxy is never exempt.
 */
#include "net/forwarded.h"
#include "base/panic.h"

#include <stdlib.h>

#define PROXY "10.1.2.3"
#define CLIENT "203.0.113.9"
#define FIELDS 8

static const struct client_key proxy_key = {{4, 10, 1, 2, 3}}, client_key = {{4, 203, 0, 113, 9}};

static bool is_key(const struct client *client, const struct client_key *key) {
    return memcmp(&client->key, key, sizeof *key) == 0;
}

/* The fields of the input, each value in memory of exactly its length, so that a byte too far is seen. */
static struct http_request *request_of(struct bytes input) {
    struct http_request *request = calloc(1, sizeof *request);
    assert(request);
    while (input.length > 0 && request->field_count < FIELDS) {
        const char *end = memchr(input.at, '\n', input.length);
        size_t length = end ? (size_t)(end - input.at) : input.length;
        struct bytes name = length == 0          ? BYTES("Host")
                            : input.at[0] == 'F' ? BYTES("Forwarded")
                            : input.at[0] == 'X' ? BYTES("X-Forwarded-For")
                                                 : BYTES("Host");
        char *value = malloc(length ? length : 1);
        assert(value);
        if (length)
            memcpy(value, input.at + 1, length - 1);
        request->fields[request->field_count++] = (struct http_field){name, {value, length ? length - 1 : 0}};
        size_t passed = length + (end != NULL);
        input = (struct bytes){input.at + passed, input.length - passed};
    }
    return request;
}

static void request_free(struct http_request *request) {
    for (unsigned i = 0; i < request->field_count; i++)
        free((char *)(uintptr_t)request->fields[i].value.at);
    free(request);
}

static struct client ask(const struct trusted_proxies *proxies, struct http_request *request, const char *peer) {
    request->peer = bytes_of(peer);
    return forwarded_client(proxies, request);
}

/* The request as the proxy sends it on, with its client added to the field in a line of its own, or to the last line
 * that is there. */
static struct client ask_with(const struct trusted_proxies *proxies, struct http_request *request, const char *name,
                              const char *added, bool in_own_line) {
    struct http_field *last = NULL;
    for (unsigned i = 0; i < request->field_count && !in_own_line; i++)
        if (bytes_equal(request->fields[i].name, bytes_of(name)))
            last = &request->fields[i];
    struct http_field *field = last ? last : &request->fields[request->field_count++], before = *field;
    struct bytes start = last ? last->value : (struct bytes){"", 0};
    size_t length = start.length + 2 + strlen(added);
    char *value = malloc(length);
    assert(value);
    memcpy(value, start.at, start.length);
    memcpy(value + start.length, ", ", 2);
    memcpy(value + start.length + 2, added, strlen(added));
    *field = (struct http_field){bytes_of(name), {value, length}};
    struct client client = ask(proxies, request, PROXY);
    *field = before;
    request->field_count -= !last;
    free(value);
    return client;
}

static bool has(const struct http_request *request, const char *name) {
    for (unsigned i = 0; i < request->field_count; i++)
        if (bytes_equal(request->fields[i].name, bytes_of(name)))
            return true;
    return false;
}

static size_t length_of(const struct http_request *request, const char *name) {
    size_t length = 0;
    for (unsigned i = 0; i < request->field_count; i++)
        if (bytes_equal(request->fields[i].name, bytes_of(name)))
            length += request->fields[i].value.length;
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct trusted_proxies proxies;
    char fault[200];
    struct bytes input = {(const char *)data, size};
    enum result result = trusted_proxies_parse(input, &proxies, fault, sizeof fault); /* any text at all */
    assert(result == RESULT_OK || (result == RESULT_INVALID_FIELD && memchr(fault, 0, sizeof fault)));
    result = trusted_proxies_parse(BYTES(PROXY "/8 2001:db8:ffff::/48"), &proxies, fault, sizeof fault);
    assert(result == RESULT_INVALID_FIELD); /* bits behind the prefix */
    result = trusted_proxies_parse(BYTES("10.0.0.0/8 2001:db8:ffff::/48"), &proxies, fault, sizeof fault);
    assert(result == RESULT_OK);

    struct http_request *request = request_of(input);
    struct client stranger = ask(&proxies, request, CLIENT);
    assert(is_key(&stranger, &client_key) && !stranger.is_exempt);
    (void)ask(&proxies, request, PROXY);
    for (int in_own_line = 0; in_own_line < 2; in_own_line++) {
        struct client client = ask_with(&proxies, request, "X-Forwarded-For", CLIENT, in_own_line);
        assert(!client.is_exempt && (is_key(&client, &client_key) || is_key(&client, &proxy_key)));
        if (!has(request, "Forwarded") && length_of(request, "X-Forwarded-For") + 20 < LIMIT_FORWARDED_BYTES)
            assert(is_key(&client, &client_key));
        client = ask_with(&proxies, request, "Forwarded", "for=" CLIENT, in_own_line);
        assert(!client.is_exempt && (is_key(&client, &client_key) || is_key(&client, &proxy_key)));
    }
    request_free(request);
    return 0;
}
