/* SHA-1 (FIPS 180-4), for the handshake of WebSocket alone: RFC 6455 proves with it that the server has understood, and
 * nothing rests on its strength, which is broken. Whatever has to be safe takes base/hash.h or libsodium. */
#ifndef ONSALE_BASE_SHA1_H
#define ONSALE_BASE_SHA1_H

#include "base/bytes.h"

#define SHA1_BYTES 20

void sha1(struct bytes text, uint8_t digest[static SHA1_BYTES]);

#endif
