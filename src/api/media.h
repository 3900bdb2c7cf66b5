/* A show's picture, from bytes to what is kept; and what is kept of it in memory. */
#ifndef ONSALE_API_MEDIA_H
#define ONSALE_API_MEDIA_H

#include "api/api.h"

/* Looks at the picture: what the ledger keeps of it, which borrows the bytes, and its name, for sale_terms. What
 * image_read() refuses, and *why. */
MUST_USE enum result media_prepare(struct bytes content, struct show_image *image, char name[static MEDIA_NAME_BYTES],
                                   const char **why);

/* A show has another picture than that, or none any more: it is kept in memory no longer, unless another show has it.
 */
void media_forget(struct api *api, const char *name);

#endif
