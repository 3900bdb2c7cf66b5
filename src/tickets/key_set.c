#include "tickets/key_set.h"
#include "base/base64url.h"
#include "base/json.h"

#include <stdio.h>

static struct bytes text_of(const json_t *object, const char *key) {
    const json_t *member = json_object_get(object, key);
    return (struct bytes){json_is_string(member) ? json_string_value(member) : "", json_string_length(member)};
}

/* An Ed25519 key that signs. */
static bool is_of_our_kind(const json_t *key) {
    struct bytes use = text_of(key, "use"), algorithm = text_of(key, "alg");
    return bytes_equal(text_of(key, "kty"), BYTES("OKP")) && bytes_equal(text_of(key, "crv"), BYTES("Ed25519")) &&
           (use.length == 0 || bytes_equal(use, BYTES("sig"))) &&
           (algorithm.length == 0 || bytes_equal(algorithm, BYTES("EdDSA")));
}

static const char *add_key(const json_t *document, struct keyring *ring) {
    struct key_generation key = {.id = 0};
    size_t length;
    if (!key_id_parse(text_of(document, "kid"), &key.id) || key.id == 0)
        return "has no kid of eight hex digits";
    if (!base64url_decode(text_of(document, "x"), sizeof key.public_key, key.public_key, &length) ||
        length != sizeof key.public_key)
        return "has no x of 32 bytes";
    if (keyring_find(ring, key.id))
        return "has a kid that was there before";
    if (ring->count == LIMIT_KEY_GENERATIONS)
        return "is one too many";
    ring->of[ring->count++] = key;
    return NULL;
}

static enum result read_keys(const json_t *keys, struct keyring *ring, char *fault, size_t fault_size) {
    size_t index;
    const json_t *key;
    if (!json_is_array(keys)) {
        snprintf(fault, fault_size, "it has no list 'keys'");
        return RESULT_INVALID_FIELD;
    }
    json_array_foreach(keys, index, key) {
        const char *wrong = is_of_our_kind(key) ? add_key(key, ring) : NULL;
        if (wrong) {
            snprintf(fault, fault_size, "/keys/%zu %s", index, wrong);
            return RESULT_INVALID_FIELD;
        }
    }
    if (ring->count == 0) {
        snprintf(fault, fault_size, "it has no Ed25519 key");
        return RESULT_INVALID_FIELD;
    }
    return RESULT_OK;
}

enum result key_set_read(struct bytes text, struct keyring *ring, char *fault, size_t fault_size) {
    json_t *document;
    enum result result = json_parse(text, &document, fault, fault_size);
    if (result != RESULT_OK)
        return result;
    struct keyring read = {.count = 0};
    result = read_keys(json_object_get(document, "keys"), &read, fault, fault_size);
    json_decref(document);
    if (result == RESULT_OK)
        *ring = read;
    return result;
}
