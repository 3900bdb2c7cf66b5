/* A JWK set (RFC 7517) as a keyring of public halves: what /.well-known/jwks.json answered, kept by a scanner. It
 * checks tickets and can sign none. */
#ifndef ONSALE_TICKETS_KEY_SET_H
#define ONSALE_TICKETS_KEY_SET_H

#include "waitroom/keys.h"

/* Keys of other kinds than ours are left out, as the RFC asks. BAD_JSON or INVALID_FIELD, and `fault` says what is
 * wrong: a key of our kind that is damaged, one twice, too many, or none at all. */
MUST_USE enum result key_set_read(struct bytes text, struct keyring *ring, char *fault, size_t fault_size);

#endif
