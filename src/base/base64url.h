/* base64url without padding (RFC 4648, section 5), canonical only: each byte string has exactly one text, and every
 * other spelling of it (padding, spaces, the other alphabet, spare bits that are not zero) is refused. */
#ifndef ONSALE_BASE_BASE64URL_H
#define ONSALE_BASE_BASE64URL_H

#include "base/bytes.h"

/* How many characters `n` bytes make, and how many bytes `n` characters make. */
#define BASE64URL_TEXT(n) (((n)*4 + 2) / 3)
#define BASE64URL_DATA(n) ((n)*3 / 4)

/* Writes BASE64URL_TEXT(length) characters and no NUL. */
void base64url_encode(const void *data, size_t length, char *text);
/* False unless `text` is canonical and fits `room`; what `data` holds then is not said. */
bool base64url_decode(struct bytes text, size_t room, uint8_t *data, size_t *length);

#endif
