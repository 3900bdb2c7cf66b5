/* Bytes of a stranger through the parser of heads and the decoder of chunks.
 *
 * The first two bytes say where the rest is cut. The oracle: read in one piece or in two, the outcome is the same, the
 * same request is seen, and the same body; nothing is consumed or pointed to but the input; and a head that is accepted
 * has only lines that end with CRLF, no NUL, one Host, and one framing.
 */
#include "net/http_chunks.h"
#include "base/panic.h"

#include <stdlib.h>

struct outcome {
    enum http_step step;
    struct http_fault fault;
    struct http_parse parse;
    struct http_request request;
    char *input; /* of exactly the length that was parsed, so that a byte too far is seen */
    size_t length;
};

static char *exactly(const char *at, size_t length) {
    char *copy = malloc(length ? length : 1);
    assert(copy);
    memcpy(copy, at, length);
    return copy;
}

static struct outcome *parse_cut(struct bytes input, size_t cut) {
    struct outcome *outcome = calloc(1, sizeof *outcome);
    assert(outcome);
    size_t ends[] = {cut, input.length};
    for (int i = 0; i < 2 && outcome->step == HTTP_STEP_MORE; i++) {
        free(outcome->input);
        outcome->input = exactly(input.at, ends[i]);
        outcome->length = ends[i];
        outcome->step = http_parse_head(&outcome->parse, (struct bytes){outcome->input, ends[i]}, &outcome->request,
                                        &outcome->fault);
    }
    return outcome;
}

static void outcome_free(struct outcome *outcome) {
    free(outcome->input);
    free(outcome);
}

static bool is_inside(const struct outcome *outcome, struct bytes slice) {
    return slice.length == 0 || bytes_equal(slice, BYTES("/")) ||
           (slice.at >= outcome->input && slice.at + slice.length <= outcome->input + outcome->parse.examined);
}

static void check_request(const struct outcome *outcome) {
    const struct http_request *request = &outcome->request;
    assert(outcome->parse.examined <= outcome->length && outcome->parse.examined <= LIMIT_HEAD_BYTES);
    assert(is_inside(outcome, request->target) && is_inside(outcome, request->path));
    assert(is_inside(outcome, request->query) && is_inside(outcome, request->content_type));
    for (unsigned i = 0; i < request->field_count; i++)
        assert(is_inside(outcome, request->fields[i].name) && is_inside(outcome, request->fields[i].value));
    for (uint32_t i = 0; i < outcome->parse.examined; i++) {
        assert(outcome->input[i] != 0);
        if (outcome->input[i] == '\n')
            assert(i > 0 && outcome->input[i - 1] == '\r');
        if (outcome->input[i] == '\r')
            assert(i + 1 < outcome->parse.examined && outcome->input[i + 1] == '\n');
    }
    assert(http_field_count(request, "host") <= 1);
    assert(http_field_count(request, "host") == 1 || outcome->parse.is_http_1_0);
    assert(http_field_count(request, "content-length") + http_field_count(request, "transfer-encoding") <= 1);
    for (size_t i = 0; i < request->path.length; i++)
        assert(request->path.at[i] > ' ' && request->path.at[i] < 0x7f);
}

static struct bytes relative(const struct outcome *outcome, struct bytes slice) {
    bool inside = slice.at >= outcome->input && slice.at <= outcome->input + outcome->length;
    return (struct bytes){inside ? (const char *)(slice.at - outcome->input) : NULL, slice.length};
}

static void check_same_slice(const struct outcome *a, struct bytes in_a, const struct outcome *b, struct bytes in_b) {
    assert(relative(a, in_a).at == relative(b, in_b).at && in_a.length == in_b.length);
}

static void check_same(const struct outcome *a, const struct outcome *b) {
    assert(a->step == b->step);
    if (a->step == HTTP_STEP_FAULT)
        assert(a->fault.result == b->fault.result && a->fault.detail == b->fault.detail);
    if (a->step != HTTP_STEP_DONE)
        return;
    assert(memcmp(&a->parse, &b->parse, sizeof a->parse) == 0);
    assert(a->request.method == b->request.method && a->request.field_count == b->request.field_count);
    assert(strcmp(a->request.request_id, b->request.request_id) == 0);
    check_same_slice(a, a->request.target, b, b->request.target);
    check_same_slice(a, a->request.path, b, b->request.path);
    check_same_slice(a, a->request.query, b, b->request.query);
    for (unsigned i = 0; i < a->request.field_count; i++) {
        check_same_slice(a, a->request.fields[i].name, b, b->request.fields[i].name);
        check_same_slice(a, a->request.fields[i].value, b, b->request.fields[i].value);
    }
}

struct body {
    enum http_step step;
    struct http_fault fault;
    struct buffer content;
    size_t consumed;
};

static struct body decode_cut(struct bytes input, size_t cut) {
    struct body body = {.step = HTTP_STEP_MORE};
    buffer_init(&body.content, SIZE_MAX / 4);
    struct http_chunks chunks;
    http_chunks_init(&chunks, 4096);
    size_t ends[] = {cut, input.length};
    for (int i = 0; i < 2 && body.step == HTTP_STEP_MORE; i++) {
        size_t part = ends[i] - body.consumed;
        char *at = exactly(input.at + body.consumed, part);
        size_t consumed = 0;
        size_t decoded = 0;
        body.step = http_chunks_decode(&chunks, at, part, &consumed, &decoded, &body.fault);
        assert(consumed <= part && decoded <= consumed);
        assert(body.step != HTTP_STEP_MORE || consumed == part);
        buffer_add(&body.content, at, decoded);
        body.consumed += consumed;
        free(at);
    }
    return body;
}

static void check_chunks(struct bytes input, size_t cut) {
    struct body whole = decode_cut(input, input.length);
    struct body pieces = decode_cut(input, cut);
    assert(whole.step == pieces.step && whole.consumed == pieces.consumed);
    assert(bytes_equal(buffer_bytes(&whole.content), buffer_bytes(&pieces.content)));
    assert(whole.content.length <= 4096);
    if (whole.step == HTTP_STEP_FAULT)
        assert(whole.fault.result == pieces.fault.result && whole.fault.detail == pieces.fault.detail);
    buffer_release(&whole.content);
    buffer_release(&pieces.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct bytes input = {(const char *)data + 2, size - 2};
    size_t cut = (size_t)(data[0] << 8 | data[1]) % (input.length + 1);
    struct outcome *whole = parse_cut(input, input.length);
    struct outcome *pieces = parse_cut(input, cut);
    check_same(whole, pieces);
    if (whole->step == HTTP_STEP_DONE) {
        check_request(whole);
        check_request(pieces);
        if (whole->parse.is_chunked) {
            size_t head = whole->parse.examined;
            check_chunks((struct bytes){input.at + head, input.length - head}, cut > head ? cut - head : 0);
        }
    }
    outcome_free(whole);
    outcome_free(pieces);
    return 0;
}
