#include "api/problem.h"
#include "base/panic.h"

#include <stdio.h>

struct problem {
    const char *code;
    unsigned status;
};

static const struct problem problems[RESULT_COUNT] = {
#define PROBLEM(result, code, status) [RESULT_##result] = {code, status},
#include "api/problems.def"
#undef PROBLEM
};

unsigned problem_status(enum result result) {
    assert((unsigned)result < RESULT_COUNT);
    return problems[result].status ? problems[result].status : 500;
}

const char *problem_code(enum result result) {
    assert((unsigned)result < RESULT_COUNT);
    return problems[result].code ? problems[result].code : "internal_error";
}

/* "seat_unavailable" → "Seat unavailable" */
static void title_of(const char *code, char *title, size_t size) {
    snprintf(title, size, "%s", code);
    for (char *c = title; *c; c++)
        if (*c == '_')
            *c = ' ';
    if (title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
}

struct json_writer problem_open(struct buffer *out, enum result result, const char *detail) {
    const char *code = problem_code(result);
    char type[80], title[64];
    snprintf(type, sizeof type, "urn:onsale:problem:%s", code);
    title_of(code, title, sizeof title);

    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_member_text(&writer, "type", type);
    json_member_text(&writer, "title", title);
    json_member_int(&writer, "status", problem_status(result));
    json_member_text(&writer, "detail", detail ? detail : result_words(result));
    json_member_text(&writer, "code", code);
    return writer;
}

void problem_write(struct buffer *out, enum result result, const char *detail) {
    struct json_writer writer = problem_open(out, result, detail);
    json_close(&writer, '}');
}
