/* Reads the frames of three formats: PNG (W3C, chunks), JPEG (ITU-T T.81 annex B, markers), WebP (RFC 9649, RIFF).
 *
 * Whoever may put a picture here is the operator; yet the file may come from anybody, and it is served from the shop's
 * own site. So its type is what its bytes say, it is what it says to its last byte (a picture with a page or an archive
 * behind its end is none), and its size is one that a phone can show.
 */
#include "api/image.h"
#include "base/limits.h"

static const char *const suffixes[IMAGE_KIND_COUNT] = {"png", "jpg", "webp"};
static const char *const types[IMAGE_KIND_COUNT] = {"image/png", "image/jpeg", "image/webp"};

const char *image_suffix(enum image_kind kind) {
    return suffixes[kind];
}

const char *image_type(enum image_kind kind) {
    return types[kind];
}

bool image_kind_of_suffix(struct bytes suffix, enum image_kind *kind) {
    for (int i = 0; i < IMAGE_KIND_COUNT; i++) {
        if (bytes_equal(suffix, bytes_of(suffixes[i]))) {
            *kind = (enum image_kind)i;
            return true;
        }
    }
    return false;
}

static uint32_t byte_at(struct bytes content, size_t at) {
    return (uint8_t)content.at[at];
}

static uint32_t big_16(struct bytes content, size_t at) {
    return byte_at(content, at) << 8 | byte_at(content, at + 1);
}

static uint32_t big_32(struct bytes content, size_t at) {
    return big_16(content, at) << 16 | big_16(content, at + 2);
}

static uint32_t little_16(struct bytes content, size_t at) {
    return byte_at(content, at) | byte_at(content, at + 1) << 8;
}

static uint32_t little_32(struct bytes content, size_t at) {
    return little_16(content, at) | little_16(content, at + 2) << 16;
}

static bool has_at(struct bytes content, size_t at, struct bytes text) {
    return at <= content.length && text.length <= content.length - at &&
           memcmp(content.at + at, text.at, text.length) == 0;
}

/* ---- PNG ---- */

#define PNG_SIGNATURE BYTES("\x89PNG\r\n\x1a\n")
#define PNG_CHUNK_EXTRA 12 /* length, type, checksum */

/* Chunk by chunk, from the header to the end, which is the file's. */
static bool read_png(struct bytes content, struct image *image) {
    size_t at = PNG_SIGNATURE.length;
    if (!has_at(content, at + 4, BYTES("IHDR")) || content.length < at + PNG_CHUNK_EXTRA + 13 ||
        big_32(content, at) != 13)
        return false;
    image->width = big_32(content, at + 8);
    image->height = big_32(content, at + 12);
    bool has_data = false;
    while (content.length - at >= PNG_CHUNK_EXTRA) {
        uint32_t length = big_32(content, at);
        if (length > content.length - at - PNG_CHUNK_EXTRA)
            return false;
        has_data |= has_at(content, at + 4, BYTES("IDAT"));
        if (has_at(content, at + 4, BYTES("IEND")))
            return has_data && length == 0 && content.length - at == PNG_CHUNK_EXTRA;
        at += PNG_CHUNK_EXTRA + length;
    }
    return false;
}

/* ---- JPEG ---- */

#define JPEG_SIGNATURE BYTES("\xff\xd8\xff")

static bool begins_frame(uint32_t marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Behind the first scan's head: pixels, between them the heads of more scans and their tables, up to the end's marker,
 * which is the file's end. Among pixels a byte 0xff is followed by 0, or by what marks a place to start again. */
static bool ends_with_its_scans(struct bytes content, size_t at) {
    while (content.length - at >= 2) {
        uint32_t marker = byte_at(content, at + 1);
        if (byte_at(content, at) != 0xff || marker == 0xff)
            at++;
        else if (marker == 0 || (marker >= 0xd0 && marker <= 0xd7))
            at += 2;
        else if (marker == 0xd9)
            return content.length - at == 2;
        else if (marker < 0xc0 || marker == 0xd8 || content.length - at < 4 || big_16(content, at + 2) < 2 ||
                 big_16(content, at + 2) > content.length - at - 2)
            return false;
        else
            at += 2 + big_16(content, at + 2);
    }
    return false;
}

/* The markers up to the first scan's, then the scans. */
static bool read_jpeg(struct bytes content, struct image *image) {
    bool has_frame = false;
    for (size_t at = 2; content.length - at >= 4;) {
        uint32_t marker = byte_at(content, at + 1), length = big_16(content, at + 2);
        if (byte_at(content, at) != 0xff || marker < 0xc0 || marker == 0xd8 || marker == 0xd9 || length < 2 ||
            length > content.length - at - 2)
            return false;
        if (marker == 0xda)
            return has_frame && ends_with_its_scans(content, at + 2 + length);
        if (begins_frame(marker)) {
            if (has_frame || length < 8)
                return false;
            has_frame = true;
            image->height = big_16(content, at + 5);
            image->width = big_16(content, at + 7);
        }
        at += 2 + length;
    }
    return false;
}

/* ---- WebP ---- */

#define WEBP_HEAD_BYTES 30 /* the longest of the three heads that tell the size */

static bool read_webp(struct bytes content, struct image *image) {
    if (content.length < WEBP_HEAD_BYTES || little_32(content, 4) != content.length - 8)
        return false;
    if (has_at(content, 12, BYTES("VP8 "))) {
        image->width = little_16(content, 26) & 0x3fff;
        image->height = little_16(content, 28) & 0x3fff;
        return has_at(content, 23, BYTES("\x9d\x01\x2a"));
    }
    if (has_at(content, 12, BYTES("VP8L"))) {
        uint32_t size = little_32(content, 21);
        image->width = (size & 0x3fff) + 1;
        image->height = (size >> 14 & 0x3fff) + 1;
        return byte_at(content, 20) == 0x2f;
    }
    if (has_at(content, 12, BYTES("VP8X"))) {
        image->width = (little_32(content, 24) & 0xffffff) + 1;
        image->height = (little_16(content, 27) | byte_at(content, 29) << 16) + 1;
        return little_32(content, 16) == 10;
    }
    return false;
}

enum result image_read(struct bytes content, struct image *image, const char **why) {
    struct image read = {0};
    bool is_sound;
    if (has_at(content, 0, PNG_SIGNATURE)) {
        read.kind = IMAGE_PNG;
        is_sound = read_png(content, &read);
    } else if (has_at(content, 0, JPEG_SIGNATURE)) {
        read.kind = IMAGE_JPEG;
        is_sound = read_jpeg(content, &read);
    } else if (has_at(content, 0, BYTES("RIFF")) && has_at(content, 8, BYTES("WEBP"))) {
        read.kind = IMAGE_WEBP;
        is_sound = read_webp(content, &read);
    } else {
        return RESULT_UNSUPPORTED_MEDIA_TYPE;
    }
    if (!is_sound) {
        *why = "the picture is broken, not whole, or has something behind its end";
        return RESULT_INVALID_FIELD;
    }
    if (read.width < 1 || read.height < 1 || read.width > LIMIT_IMAGE_SIDE || read.height > LIMIT_IMAGE_SIDE) {
        *why = "the picture has to be 1 to 8192 pixels wide and high";
        return RESULT_INVALID_FIELD;
    }
    *image = read;
    return RESULT_OK;
}
