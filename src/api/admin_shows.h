/* A change of a show that several handlers make. */
#ifndef ONSALE_API_ADMIN_SHOWS_H
#define ONSALE_API_ADMIN_SHOWS_H

#include "api/call.h"

/* Writes the terms and the picture that they name to the ledger, then they count, and answers with where the picture
 * is. `action` is the audit's word for it. An image without bytes takes the picture away; those of one that is put are
 * the call's body. */
void change_show_image(struct call *call, const struct sale_terms *terms, const char *action,
                       const struct show_image *image);

#endif
