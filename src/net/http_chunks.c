#include "net/http_chunks.h"
#include "base/panic.h"

/*   SIZE ─';'─▶ EXTENSION
 *     └──CR──▶ SIZE_LF ◀─CR─┘
 *                 ├─size > 0─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─▶ SIZE
 *                 └─size = 0─▶ TRAILER ─CR─▶ END_LF ─▶ (done)
 *                                └─▶ TRAILER_NAME ─':'─▶ TRAILER_VALUE ─CR─▶ TRAILER_LF ─▶ TRAILER
 */
enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    COMPLETE,
};

void http_chunks_init(struct http_chunks *chunks, uint64_t max_body) {
    *chunks = (struct http_chunks){.room = max_body};
}

static const char bad_size[] = "the size of a chunk is malformed";
static const char bad_end[] = "a chunk does not end with CRLF";
static const char bad_trailer[] = "a trailer is malformed";

static bool take_digit(struct http_chunks *chunks, char c) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0 || chunks->size_digits == 8)
        return false;
    chunks->chunk_left = chunks->chunk_left << 4 | (uint32_t)digit;
    chunks->size_digits++;
    return true;
}

/* The byte that a state takes, and the state after it; for what lies between the chunks' data. NULL, or the fault. */
static const char *step(struct http_chunks *chunks, char c) {
    switch ((enum state)chunks->state) {
    case SIZE:
        if (take_digit(chunks, c))
            return NULL;
        if (chunks->size_digits == 0 || (c != ';' && c != '\r'))
            return bad_size;
        chunks->state = c == ';' ? EXTENSION : SIZE_LF;
        return NULL;
    case EXTENSION:
        if (c == '\r')
            chunks->state = SIZE_LF;
        else if (!http_is_value_char(c))
            return "a chunk extension has a control character";
        else if (++chunks->extension_bytes > LIMIT_CHUNK_EXTENSION_BYTES)
            return "the chunk extensions are too long";
        return NULL;
    case SIZE_LF:
        if (c != '\n')
            return bad_size;
        chunks->state = chunks->chunk_left ? DATA : TRAILER;
        chunks->size_digits = 0;
        return NULL;
    case DATA_CR:
        chunks->state = DATA_LF;
        return c == '\r' ? NULL : bad_end;
    case DATA_LF:
        chunks->state = SIZE;
        return c == '\n' ? NULL : bad_end;
    case TRAILER:
        if (c != '\r' && !http_is_token_char(c))
            return bad_trailer;
        chunks->state = c == '\r' ? END_LF : TRAILER_NAME;
        break;
    case TRAILER_NAME:
        if (c == ':')
            chunks->state = TRAILER_VALUE;
        else if (!http_is_token_char(c))
            return bad_trailer;
        break;
    case TRAILER_VALUE:
        if (c == '\r')
            chunks->state = TRAILER_LF;
        else if (!http_is_value_char(c))
            return bad_trailer;
        break;
    case TRAILER_LF:
        chunks->state = TRAILER;
        return c == '\n' ? NULL : bad_trailer;
    case END_LF:
        chunks->state = COMPLETE;
        return c == '\n' ? NULL : bad_trailer;
    case DATA:
    case COMPLETE:
        break;
    }
    return ++chunks->trailer_bytes > LIMIT_TRAILER_BYTES ? "the trailers are too long" : NULL;
}

enum http_step http_chunks_decode(struct http_chunks *chunks, char *at, size_t length, size_t *consumed,
                                  size_t *decoded, struct http_fault *fault) {
    size_t in = 0;
    size_t out = 0;
    enum http_step result = HTTP_STEP_MORE;
    while (in < length && result == HTTP_STEP_MORE) {
        if (chunks->state == DATA) {
            size_t part = length - in < chunks->chunk_left ? length - in : chunks->chunk_left;
            if (in != out)
                memmove(at + out, at + in, part);
            in += part;
            out += part;
            chunks->chunk_left -= (uint32_t)part;
            if (chunks->chunk_left == 0)
                chunks->state = DATA_CR;
            continue;
        }
        const char *wrong = step(chunks, at[in++]);
        if (wrong) {
            *fault = (struct http_fault){RESULT_BAD_REQUEST, wrong};
            result = HTTP_STEP_FAULT;
        } else if (chunks->state == COMPLETE) {
            result = HTTP_STEP_DONE;
        } else if (chunks->state == DATA) {
            /* The size line is whole: what it announces has to fit before a byte of it is taken. */
            if (chunks->chunk_left > chunks->room) {
                *fault = (struct http_fault){RESULT_BODY_TOO_LARGE, NULL};
                result = HTTP_STEP_FAULT;
            } else {
                chunks->room -= chunks->chunk_left;
            }
        }
    }
    *consumed += in;
    *decoded += out;
    return result;
}
