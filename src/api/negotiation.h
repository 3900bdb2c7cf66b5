/* What a client takes, by its Accept and Accept-Encoding fields. */
#ifndef ONSALE_API_NEGOTIATION_H
#define ONSALE_API_NEGOTIATION_H

#include "base/bytes.h"

/* True if `item` is named in the list of the field, in any case, and not with a weight of 0. Wildcards name nothing. */
bool negotiation_accepts(struct bytes list, const char *item);

#endif
