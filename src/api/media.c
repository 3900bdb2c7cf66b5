/* A show's picture: the operator puts it or takes it away, fans' browsers get it.
 *
 * Happy path: the bytes say what the picture is (image.h); its name is their hash; the ledger keeps them in one step
 * with the show's settings, which hold the name. A fan's browser asks by that name: out of memory where somebody asked
 * before (media_cache.h), else the clerk reads it. A name that no show has is 404 before anybody reads anything, so
 * that guessing costs the ledger nothing.
 */
#include "api/media.h"
#include "api/admin_shows.h"
#include "api/handlers.h"
#include "api/image.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

#define HASH_DIGITS 32

static_assert(HASH_DIGITS + sizeof ".webp" <= MEDIA_NAME_BYTES, "a name fits");

/* Served from the shop's own site, and nothing but a picture there, whatever a browser makes of it. */
static const char picture_headers[] = "X-Content-Type-Options: nosniff\r\n"
                                      "Content-Security-Policy: default-src 'none'; sandbox\r\n"
                                      "Referrer-Policy: no-referrer\r\n";

enum result media_prepare(struct bytes content, struct show_image *image, char name[static MEDIA_NAME_BYTES],
                          const char **why) {
    struct image read;
    char hash[HASH_DIGITS];
    enum result result = image_read(content, &read, why);
    if (result != RESULT_OK)
        return result;
    *image =
        (struct show_image){.hash = hash_128(&content, 1), .type = bytes_of(image_type(read.kind)), .bytes = content};
    hex_encode(image->hash.at, sizeof image->hash.at, hash);
    snprintf(name, MEDIA_NAME_BYTES, "%.*s.%s", HASH_DIGITS, hash, image_suffix(read.kind));
    return RESULT_OK;
}

/* ---- the operator ---- */

void handle_admin_set_image(struct call *call) {
    struct show_image image;
    struct sale_terms terms;
    const char *why;
    sale_copy_wanted(call->sale, &terms);
    switch (media_prepare(call->body, &image, terms.image, &why)) {
    case RESULT_OK:
        change_show_image(call, &terms, "show.image_set", &image);
        break;
    case RESULT_INVALID_FIELD:
        call_refuse_field(call, "", why);
        break;
    default:
        call_refuse(call, RESULT_UNSUPPORTED_MEDIA_TYPE, "the body has to be a picture: PNG, JPEG or WebP");
    }
}

void handle_admin_remove_image(struct call *call) {
    struct show_image none = {0};
    struct sale_terms terms;
    sale_copy_wanted(call->sale, &terms);
    terms.image[0] = '\0';
    change_show_image(call, &terms, "show.image_removed", &none);
}

/* ---- fans ---- */

/* Whether a show has that picture now. */
static bool is_known(struct sale_list *list, const char *name) {
    unsigned count = atomic_load_explicit(&list->count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (sale_has_image(list->sales[i], name))
            return true;
    return false;
}

void media_forget(struct api *api, const char *name) {
    if (name[0] && !is_known(api->sales, name))
        media_cache_drop(api->media, name);
}

static void reply_picture(struct call *call, const char *name, struct blob *blob) {
    char etag[HASH_DIGITS + 3];
    enum image_kind kind = IMAGE_PNG;
    bool is_kind = image_kind_of_suffix(bytes_of(name + HASH_DIGITS + 1), &kind);
    assert(is_kind);
    snprintf(etag, sizeof etag, "\"%.*s\"", HASH_DIGITS, name);
    struct prepared prepared = {.body = blob,
                                .content_type = image_type(kind),
                                .cache_control = "public, max-age=31536000, immutable",
                                .etag = etag,
                                .more = {picture_headers, sizeof picture_headers - 1}};
    call_reply_prepared(call, &prepared);
}

/* Somebody who waits for the ledger. */
struct asked {
    char name[MEDIA_NAME_BYTES];
    enum result result;
    struct blob *blob;
};

static void show_picture(struct call *call) {
    struct asked asked = *(struct asked *)call->context;
    free(call->context);
    if (asked.result == RESULT_OK)
        reply_picture(call, asked.name, asked.blob);
    else
        call_refuse(call, asked.result, NULL);
}

static enum result read_picture(struct api *api, struct ledger_reader *reader, struct asked *asked) {
    struct id hash;
    struct buffer content;
    bool is_hash = hex_decode((struct bytes){asked->name, HASH_DIGITS}, hash.at, sizeof hash.at);
    assert(is_hash);
    buffer_init(&content, LIMIT_IMAGE_BYTES);
    enum result result = api->ledger->read_image(reader, &hash, &content);
    if (result == RESULT_OK) {
        asked->blob = blob_copy(buffer_bytes(&content));
        result = asked->blob ? RESULT_OK : RESULT_OVERLOADED;
    }
    buffer_release(&content);
    return result;
}

/* On the clerk's thread. Several may have asked at once: the first reads it for all. */
static void look_picture_up(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct asked *asked = call->context;
    asked->blob = media_cache_find(api->media, asked->name);
    if (!asked->blob) {
        asked->result = read_picture(api, reader, asked);
        if (asked->result == RESULT_OK) {
            media_cache_put(api->media, asked->name, asked->blob);
            media_forget(api, asked->name); /* it may have been taken away meanwhile */
        }
    }
    call_on_reactor(call, show_picture);
}

/* "/media/HASH.png" → "HASH.png". */
static bool read_media_name(struct bytes path, char name[static MEDIA_NAME_BYTES]) {
    struct bytes prefix = BYTES("/media/");
    enum image_kind kind;
    struct bytes text = {path.at + prefix.length, path.length - prefix.length};
    if (text.length < HASH_DIGITS + 2 || text.length >= MEDIA_NAME_BYTES || text.at[HASH_DIGITS] != '.')
        return false;
    struct id hash;
    if (!hex_decode((struct bytes){text.at, HASH_DIGITS}, hash.at, sizeof hash.at) ||
        !image_kind_of_suffix((struct bytes){text.at + HASH_DIGITS + 1, text.length - HASH_DIGITS - 1}, &kind))
        return false;
    memcpy(name, text.at, text.length);
    name[text.length] = '\0';
    return true;
}

void handle_read_media(struct call *call) {
    char name[MEDIA_NAME_BYTES];
    if (!read_media_name(call->request->path, name)) {
        call_refuse(call, RESULT_NOT_FOUND, NULL);
        return;
    }
    struct blob *blob = media_cache_find(call->api->media, name);
    if (blob) {
        reply_picture(call, name, blob);
        return;
    }
    if (!is_known(call->api->sales, name)) {
        call_refuse(call, RESULT_NOT_FOUND, NULL);
        return;
    }
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    memcpy(asked->name, name, sizeof name);
    call = call_park(call);
    if (!call) {
        free(asked);
        return;
    }
    call->context = asked;
    if (!call_on_pictures_clerk(call, look_picture_up))
        free(asked);
}
