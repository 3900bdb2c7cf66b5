#include "engines/memory/queue_log_walk.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

#define MARK_MAGIC "onsale queue"
#define MARK_VERSION 1
#define RECORD_PIECE (256 * 1024)
#define SECRETS_PIECE (128 * 1024)
static_assert(RECORD_PIECE >= 2 * RECORD_MOST_BYTES, "a piece has a record in it");

/* ---- the mark, the secrets ---- */

static uint8_t *put_uint(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

static uint64_t get_uint(const uint8_t *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* magic 12 | version 1 | closed 1 | zeros 2 | boot 16 | length 8 | numbers 4 | zeros 16 | CRC-32C of what is before 4
 */
void queue_mark_write(const struct queue_mark *mark, uint8_t to[static QUEUE_MARK_BYTES]) {
    memset(to, 0, QUEUE_MARK_BYTES);
    memcpy(to, MARK_MAGIC, 12);
    to[12] = MARK_VERSION;
    to[13] = mark->is_closed;
    memcpy(to + 16, mark->boot.at, sizeof mark->boot.at);
    put_uint(to + 32, mark->length, 8);
    put_uint(to + 40, mark->numbers, 4);
    put_uint(to + 60, crc32c(0, to, 60), 4);
}

enum result queue_mark_read(struct bytes from, struct queue_mark *mark) {
    const uint8_t *at = (const uint8_t *)from.at;
    if (from.length < QUEUE_MARK_BYTES || memcmp(at, MARK_MAGIC, 12) != 0 || crc32c(0, at, 60) != get_uint(at + 60, 4))
        return RESULT_CORRUPT;
    if (at[12] != MARK_VERSION)
        return at[12] > MARK_VERSION ? RESULT_NEWER_VERSION : RESULT_CORRUPT;
    *mark = (struct queue_mark){
        .is_closed = at[13] == 1, .length = get_uint(at + 32, 8), .numbers = (uint32_t)get_uint(at + 40, 4)};
    memcpy(mark->boot.at, at + 16, sizeof mark->boot.at);
    return RESULT_OK;
}

void queue_secret_write(const struct place_secret *secret, uint8_t to[static QUEUE_SECRET_BYTES]) {
    memcpy(to, secret->salt, sizeof secret->salt);
    put_uint(to + sizeof secret->salt, secret->user, 8);
}

void queue_secret_read(const uint8_t from[static QUEUE_SECRET_BYTES], struct place_secret *secret) {
    memcpy(secret->salt, from, sizeof secret->salt);
    secret->user = get_uint(from + sizeof secret->salt, 8);
}

/* ---- pieces of a file ---- */

ssize_t queue_read_all(const struct queue_disk *disk, int fd, void *data, size_t length, uint64_t from) {
    size_t got = 0;
    while (got < length) {
        ssize_t n = disk->read(disk->context, fd, (char *)data + got, length - got, from + got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* A piece of a file in memory. */
struct piece {
    const struct queue_disk *disk;
    int fd;
    char *at;
    size_t capacity;
    uint64_t from; /* of its first byte */
    size_t length;
    bool is_last; /* the file ends with it */
};

static bool piece_init(struct piece *piece, const struct queue_disk *disk, int fd, size_t capacity) {
    *piece = (struct piece){.disk = disk, .fd = fd, .at = malloc(capacity), .capacity = capacity};
    return piece->at;
}

static bool piece_load(struct piece *piece, uint64_t from) {
    ssize_t got = queue_read_all(piece->disk, piece->fd, piece->at, piece->capacity, from);
    if (got < 0)
        return false;
    piece->from = from;
    piece->length = (size_t)got;
    piece->is_last = piece->length < piece->capacity;
    return true;
}

/* What is there from `from` on: at least `wanted` bytes if the file has them. False: it cannot be read. */
static bool piece_view(struct piece *piece, uint64_t from, size_t wanted, struct bytes *view) {
    bool has_it =
        piece->length && from >= piece->from &&
        (from + wanted <= piece->from + piece->length || (piece->is_last && from <= piece->from + piece->length));
    if (!has_it && !piece_load(piece, from))
        return false;
    size_t skipped = (size_t)(from - piece->from);
    *view = (struct bytes){piece->at + skipped, piece->length - skipped};
    return true;
}

/* ---- the walk ---- */

/* Whether the record makes sense there; counts numbers. */
static bool count(struct queue_walk *walk, struct record_event *event) {
    if ((event->kind == RECORD_START) != (walk->end == 0))
        return false;
    if (event->kind == RECORD_JOIN) {
        if (walk->numbers == LIMIT_PLACES)
            return false;
        event->number = walk->numbers + 1;
    }
    if (event->kind == RECORD_UNKNOWN && (event->number <= walk->numbers || event->number > LIMIT_PLACES))
        return false;
    return true;
}

static bool read_secret(struct piece *secrets, uint32_t number, struct place_secret *secret) {
    struct bytes view;
    *secret = (struct place_secret){0};
    if (!piece_view(secrets, queue_secret_offset(number), QUEUE_SECRET_BYTES, &view))
        return false;
    if (view.length >= QUEUE_SECRET_BYTES)
        queue_secret_read((const uint8_t *)view.at, secret);
    return true;
}

static enum result walk_pieces(struct queue_walk *walk, struct piece *records, struct piece *secrets) {
    for (;;) {
        struct bytes view;
        struct record_event event;
        struct place_secret secret;
        if (walk->end >= walk->limit) {
            walk->why = QUEUE_WALK_AT_END;
            return RESULT_OK;
        }
        if (!piece_view(records, walk->end, RECORD_MOST_BYTES, &view))
            return RESULT_IO_ERROR;
        size_t length = record_read(view, &event);
        if (length == 0) {
            walk->why = QUEUE_WALK_AT_END;
            return RESULT_OK;
        }
        if (length == SIZE_MAX || length > walk->limit - walk->end || !count(walk, &event)) {
            walk->why = QUEUE_WALK_AT_DAMAGE;
            return RESULT_OK;
        }
        bool is_join = event.kind == RECORD_JOIN;
        if (is_join && !read_secret(secrets, event.number, &secret))
            return RESULT_IO_ERROR;
        if (!walk->visit(walk->context, walk->end, (struct bytes){view.at, length}, &event, is_join ? &secret : NULL)) {
            walk->why = QUEUE_WALK_STOPPED;
            return RESULT_OK;
        }
        walk->end += length;
        if (is_join || event.kind == RECORD_UNKNOWN)
            walk->numbers = event.number;
    }
}

enum result queue_walk(struct queue_walk *walk) {
    struct piece records, secrets;
    walk->end = 0;
    walk->numbers = 0;
    enum result result = RESULT_OVERLOADED;
    if (!piece_init(&records, walk->disk, walk->record, RECORD_PIECE))
        return result;
    if (piece_init(&secrets, walk->disk, walk->secrets, SECRETS_PIECE))
        result = walk_pieces(walk, &records, &secrets);
    free(records.at);
    free(secrets.at);
    return result;
}
