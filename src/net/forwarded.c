#include "net/forwarded.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V4_PREFIX_BITS 96 /* ::ffff:0:0/96 is where IPv4 addresses are */

/* ---- addresses ---- */

struct address {
    uint8_t at[16];
};

static bool is_v4(const struct address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->at, prefix, sizeof prefix) == 0;
}

static bool read_v4(struct bytes text, struct address *address) {
    char name[INET_ADDRSTRLEN];
    if (text.length >= sizeof name)
        return false;
    memcpy(name, text.at, text.length);
    name[text.length] = '\0';
    struct address read = {.at = {[10] = 0xff, [11] = 0xff}};
    if (strlen(name) != text.length || inet_pton(AF_INET, name, read.at + 12) != 1)
        return false;
    *address = read;
    return true;
}

static bool read_v6(struct bytes text, struct address *address) {
    char name[INET6_ADDRSTRLEN];
    if (text.length >= sizeof name)
        return false;
    memcpy(name, text.at, text.length);
    name[text.length] = '\0';
    struct address read;
    if (strlen(name) != text.length || inet_pton(AF_INET6, name, read.at) != 1)
        return false;
    *address = read;
    return true;
}

static bool read_address(struct bytes text, struct address *address) {
    return text.length > 0 && (read_v4(text, address) || read_v6(text, address));
}

static bool is_loopback(const struct address *address) {
    static const struct address v6 = {.at = {[15] = 1}};
    return is_v4(address) ? address->at[12] == 127 : memcmp(address, &v6, sizeof v6) == 0;
}

static struct client_key key_of(const struct address *address) {
    struct client_key key = {{is_v4(address) ? 4 : 6}};
    if (is_v4(address))
        memcpy(key.at + 1, address->at + 12, 4);
    else
        memcpy(key.at + 1, address->at, 8);
    return key;
}

/* ---- trusted proxies ---- */

/* Bit `i` of an address, from its left. */
static bool bit_of(const uint8_t at[16], unsigned i) {
    return at[i / 8] >> (7 - i % 8) & 1;
}

static bool is_in(const struct proxy_network *network, const struct address *address) {
    if (is_v4(address) && network->bits < V4_PREFIX_BITS)
        return false; /* a wide IPv6 network has no IPv4 address, whatever their place in ours */
    unsigned whole = network->bits / 8;
    if (memcmp(network->at, address->at, whole) != 0)
        return false;
    for (unsigned i = whole * 8; i < network->bits; i++)
        if (bit_of(network->at, i) != bit_of(address->at, i))
            return false;
    return true;
}

static bool is_trusted(const struct trusted_proxies *proxies, const struct address *address) {
    for (uint32_t i = 0; i < proxies->count; i++)
        if (is_in(&proxies->at[i], address))
            return true;
    return false;
}

/* Says what `word`, a network, is wrong with. */
static bool read_network(struct bytes word, struct proxy_network *network, char *fault, size_t fault_size) {
    const char *slash = memchr(word.at, '/', word.length);
    struct bytes name = {word.at, slash ? (size_t)(slash - word.at) : word.length};
    struct address address;
    if (!read_address(name, &address)) {
        (void)snprintf(fault, fault_size,
                       "'%.*s' is neither an address nor a network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
                       (int)word.length, word.at);
        return false;
    }
    /* A network of mapped addresses, ::ffff:10.0.0.0/104, has its bits counted as IPv6 does. */
    bool is_short = is_v4(&address) && !memchr(name.at, ':', name.length);
    uint64_t bits = is_short ? 32 : 128;
    if (slash && !bytes_to_u64((struct bytes){slash + 1, word.length - name.length - 1}, bits, &bits)) {
        (void)snprintf(fault, fault_size, "'%.*s': a number from 1 to %u belongs behind the slash", (int)word.length,
                       word.at, is_short ? 32 : 128);
        return false;
    }
    if (bits == 0 || (is_v4(&address) && !is_short && bits == V4_PREFIX_BITS)) {
        (void)snprintf(fault, fault_size,
                       "'%.*s' would trust everybody, and anybody could say whom to take them for: name the proxies",
                       (int)word.length, word.at);
        return false;
    }
    *network = (struct proxy_network){.bits = (uint8_t)(is_short ? V4_PREFIX_BITS + bits : bits)};
    memcpy(network->at, address.at, sizeof network->at);
    for (unsigned i = network->bits; i < 128; i++) {
        if (bit_of(network->at, i)) {
            (void)snprintf(fault, fault_size, "'%.*s': behind its first %u bits there may be zeros only",
                           (int)word.length, word.at, (unsigned)bits);
            return false;
        }
    }
    return true;
}

enum result trusted_proxies_parse(struct bytes text, struct trusted_proxies *proxies, char *fault, size_t fault_size) {
    struct trusted_proxies read = {0};
    for (size_t at = 0; at < text.length;) {
        size_t end = at;
        while (end < text.length && text.at[end] != ',' && text.at[end] != ' ')
            end++;
        if (end > at && read.count == LIMIT_TRUSTED_PROXIES) {
            (void)snprintf(fault, fault_size, "more than %d proxies and networks: name wider networks",
                           LIMIT_TRUSTED_PROXIES);
            return RESULT_INVALID_FIELD;
        }
        if (end > at &&
            !read_network((struct bytes){text.at + at, end - at}, &read.at[read.count++], fault, fault_size))
            return RESULT_INVALID_FIELD;
        at = end + 1;
    }
    *proxies = read;
    return RESULT_OK;
}

/* ---- hops ---- */

struct hop {
    bool is_known; /* else: hidden, or no address */
    struct address address;
};

/* The hops that a field names, the nearest last. Kept are the last ones. */
struct trail {
    bool is_broken; /* not to be believed */
    uint32_t count;
    struct hop hops[LIMIT_FORWARDED_HOPS];
};

static void trail_add(struct trail *trail, struct hop hop) {
    trail->hops[trail->count++ % LIMIT_FORWARDED_HOPS] = hop;
}

static bool is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind an address: nothing, or a colon and a number or an obfuscated port (RFC 7239, section 6). */
static bool is_port(struct bytes text) {
    uint64_t number;
    if (text.length == 0)
        return true;
    if (text.at[0] != ':' || text.length < 2)
        return false;
    text = (struct bytes){text.at + 1, text.length - 1};
    if (text.at[0] != '_')
        return text.length <= 5 && bytes_to_u64(text, 65535, &number);
    for (size_t i = 1; i < text.length; i++)
        if (!is_letter_or_digit(text.at[i]) && !memchr("._-", text.at[i], 3))
            return false;
    return text.length > 1;
}

/* "192.0.2.43", "192.0.2.43:47011", "[2001:db8::17]", "[2001:db8::17]:47011"; anything else is no known hop. */
static struct hop hop_of(struct bytes text) {
    struct hop hop = {0};
    bool is_bracketed = text.length > 0 && text.at[0] == '[';
    const char *end = text.length ? memchr(text.at, is_bracketed ? ']' : ':', text.length) : NULL;
    if (is_bracketed && !end)
        return hop;
    size_t length = end ? (size_t)(end - text.at) : text.length;
    size_t behind = length + is_bracketed;
    if (is_port((struct bytes){text.at + behind, text.length - behind}))
        hop.is_known = is_bracketed ? read_v6((struct bytes){text.at + 1, length - 1}, &hop.address)
                                    : read_v4((struct bytes){text.at, length}, &hop.address);
    return hop;
}

/* ---- X-Forwarded-For: addresses between commas, by custom; IPv6 with brackets or without ---- */

static void read_x_forwarded_for(struct trail *trail, struct bytes value) {
    for (size_t at = 0; at < value.length;) {
        const char *comma = memchr(value.at + at, ',', value.length - at);
        size_t end = comma ? (size_t)(comma - value.at) : value.length;
        struct bytes name = http_trim((struct bytes){value.at + at, end - at});
        struct hop hop = hop_of(name);
        if (!hop.is_known)
            hop.is_known = read_v6(name, &hop.address);
        if (name.length)
            trail_add(trail, hop);
        at = end + 1;
    }
}

/* ---- Forwarded (RFC 7239, section 4): elements between commas, pairs between semicolons ---- */

struct cursor {
    const char *at, *end;
};

/* Whether the next character is this one; it is passed if so. */
static bool pass(struct cursor *cursor, char c) {
    bool is_there = cursor->at < cursor->end && *cursor->at == c;
    cursor->at += is_there;
    return is_there;
}

static void pass_space(struct cursor *cursor) {
    while (pass(cursor, ' ') || pass(cursor, '\t'))
        ;
}

static struct bytes read_token(struct cursor *cursor) {
    const char *start = cursor->at;
    while (cursor->at < cursor->end && (is_letter_or_digit(*cursor->at) || memchr("!#$%&'*+-.^_`|~", *cursor->at, 15)))
        cursor->at++;
    return (struct bytes){start, (size_t)(cursor->at - start)};
}

/* The longest that a known hop can be, with its port. What is longer is cut, and no address any more. */
#define NODE_BYTES 64

/* Behind its first quote: the content, unescaped, into `text`. False if it does not end. */
static bool read_quoted(struct cursor *cursor, char text[static NODE_BYTES], struct bytes *content) {
    size_t length = 0;
    while (!pass(cursor, '"')) {
        (void)pass(cursor, '\\');
        if (cursor->at == cursor->end)
            return false;
        if (length < NODE_BYTES)
            text[length++] = *cursor->at;
        cursor->at++;
    }
    *content = (struct bytes){text, length};
    return true;
}

/* name=value. False if it is not well-formed, or says a second time whom the element is for. */
static bool read_pair(struct cursor *cursor, struct hop *hop, bool *has_for) {
    char text[NODE_BYTES];
    struct bytes name = read_token(cursor), value;
    if (name.length == 0 || !pass(cursor, '='))
        return false;
    if (pass(cursor, '"')) {
        if (!read_quoted(cursor, text, &value))
            return false;
    } else {
        value = read_token(cursor);
        if (value.length == 0)
            return false;
    }
    if (!bytes_equal_nocase(name, BYTES("for")))
        return true;
    if (*has_for)
        return false;
    *has_for = true;
    *hop = hop_of(value);
    return true;
}

/* One element, up to its comma or the end. An element without a "for" hides its hop; an empty one is none (RFC 9110,
 * section 5.6.1). */
static bool read_element(struct cursor *cursor, struct trail *trail) {
    struct hop hop = {0};
    bool has_for = false, is_empty = true;
    do {
        pass_space(cursor);
        if (cursor->at == cursor->end || *cursor->at == ',' || *cursor->at == ';')
            continue;
        is_empty = false;
        if (!read_pair(cursor, &hop, &has_for))
            return false;
        pass_space(cursor);
    } while (pass(cursor, ';'));
    if (!is_empty)
        trail_add(trail, hop);
    return cursor->at == cursor->end || pass(cursor, ',');
}

static void read_forwarded(struct trail *trail, struct bytes value) {
    struct cursor cursor = {value.at, value.at + value.length};
    while (cursor.at < cursor.end && !trail->is_broken)
        trail->is_broken = !read_element(&cursor, trail);
}

/* ---- whom it is from ---- */

/* All fields of that name are one list. */
static struct trail trail_of(const struct http_request *request, const char *name,
                             void (*read)(struct trail *trail, struct bytes value)) {
    struct trail trail = {0};
    size_t length = 0;
    for (unsigned i = 0; i < request->field_count && !trail.is_broken; i++) {
        const struct http_field *field = &request->fields[i];
        if (!bytes_equal_nocase(field->name, bytes_of(name)))
            continue;
        length += field->value.length;
        trail.is_broken = length > LIMIT_FORWARDED_BYTES;
        if (!trail.is_broken)
            read(&trail, field->value);
    }
    return trail;
}

static bool is_empty(const struct trail *trail) {
    return !trail->is_broken && trail->count == 0;
}

/* From a trusted peer outward, through trusted proxies only. */
static struct client walk(const struct trusted_proxies *proxies, const struct address *peer,
                          const struct trail *trail) {
    struct client nearest = {.key = key_of(peer)};
    if (trail->is_broken)
        return nearest;
    for (uint32_t i = 0; i < trail->count; i++) {
        if (i == LIMIT_FORWARDED_HOPS)
            return nearest;
        const struct hop *hop = &trail->hops[(trail->count - 1 - i) % LIMIT_FORWARDED_HOPS];
        if (!hop->is_known)
            return nearest;
        nearest.key = key_of(&hop->address);
        if (!is_trusted(proxies, &hop->address))
            return nearest;
    }
    nearest.is_exempt = true; /* the farthest hop is a trusted proxy itself */
    return nearest;
}

struct client forwarded_client(const struct trusted_proxies *proxies, const struct http_request *request) {
    struct address peer;
    if (!read_address(request->peer, &peer))
        return (struct client){0};
    struct trail forwarded = trail_of(request, "forwarded", read_forwarded);
    struct trail x_forwarded_for = trail_of(request, "x-forwarded-for", read_x_forwarded_for);
    if (!is_trusted(proxies, &peer)) {
        bool is_direct = is_empty(&forwarded) && is_empty(&x_forwarded_for);
        return (struct client){key_of(&peer), is_loopback(&peer) && is_direct};
    }
    if (is_empty(&forwarded))
        return walk(proxies, &peer, &x_forwarded_for);
    struct client client = walk(proxies, &peer, &forwarded);
    if (is_empty(&x_forwarded_for))
        return client;
    struct client other = walk(proxies, &peer, &x_forwarded_for);
    bool agree = memcmp(&client.key, &other.key, sizeof client.key) == 0 && client.is_exempt == other.is_exempt;
    return agree ? client : (struct client){.key = key_of(&peer)};
}
