/* What a picture is, told by its own bytes: PNG, JPEG or WebP, how large it is, and that nothing stands behind its end.
 */
#ifndef ONSALE_API_IMAGE_H
#define ONSALE_API_IMAGE_H

#include "base/bytes.h"
#include "base/result.h"

enum image_kind { IMAGE_PNG, IMAGE_JPEG, IMAGE_WEBP, IMAGE_KIND_COUNT };

struct image {
    enum image_kind kind;
    uint32_t width, height;
};

/* UNSUPPORTED_MEDIA_TYPE: none of the three. INVALID_FIELD, and *why: it begins like one, but is broken, has something
 * behind its end, or is larger than LIMIT_IMAGE_SIDE. Only what frames the picture is looked at; the picture itself is
 * the browser's. */
MUST_USE enum result image_read(struct bytes content, struct image *image, const char **why);

/* "png" and "image/png"; the texts are literals. */
const char *image_suffix(enum image_kind kind);
const char *image_type(enum image_kind kind);
/* False: no kind has that suffix. */
bool image_kind_of_suffix(struct bytes suffix, enum image_kind *kind);

#endif
