/* Whom a request is from, for limits by address: the client behind proxies that are trusted.
 *
 * The peer is who the request is from. Only if it is a trusted proxy is it asked whom it forwarded for (Forwarded, RFC
 * 7239, or X-Forwarded-For): the last address named is the one that the proxy saw itself. Is that a trusted proxy too,
 * the one before it counts, and so on outward. The first that is not trusted is the client; what stands before it is
 * what the client said of itself, and is not looked at.
 *
 * What can go wrong: a field that breaks its grammar, is longer than LIMIT_FORWARDED_BYTES, goes through more than
 * LIMIT_FORWARDED_HOPS trusted proxies, or hides the next hop ("unknown", "_hidden"). Then the last trusted proxy that
 * was reached stands for all whom it forwards so. A proxy writes one of the two fields and may let the other through as
 * the client sent it; nobody can tell which. So where both are there they are believed if they agree, else the peer
 * stands for the client.
 *
 * A request is exempt if it is from a trusted proxy itself (all hops are trusted), or straight from this machine. Who
 * only cannot be told apart is not exempt, or hiding would be a way out.
 */
#ifndef ONSALE_NET_FORWARDED_H
#define ONSALE_NET_FORWARDED_H

#include "net/http.h"

/* Addresses whose first `bits` are those of `at`. An IPv4 address is ::ffff:a.b.c.d here. */
struct proxy_network {
    uint8_t at[16];
    uint8_t bits;
};

struct trusted_proxies {
    uint32_t count;
    struct proxy_network at[LIMIT_TRUSTED_PROXIES];
};

/* What is limited together: one IPv4 address, or the 64 bits that an IPv6 customer has at least. A number for the
 * family, then the address; all zero for a peer without an address. */
struct client_key {
    uint8_t at[9];
};

struct client {
    struct client_key key;
    bool is_exempt;
};

/* "10.0.0.0/8, 192.0.2.7 2001:db8::/32": networks and addresses, between commas or spaces; none at all is allowed. OK;
 * INVALID_FIELD with what is wrong and how to say it right in `fault`. */
MUST_USE enum result trusted_proxies_parse(struct bytes text, struct trusted_proxies *proxies, char *fault,
                                           size_t fault_size);

/* O(length of the two fields), without memory. */
struct client forwarded_client(const struct trusted_proxies *proxies, const struct http_request *request);

#endif
