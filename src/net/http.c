#include "net/http.h"
#include "base/panic.h"

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE", [HTTP_QUERY] = "QUERY",
};

const char *http_method_name(enum http_method method) {
    assert((unsigned)method < HTTP_METHOD_COUNT);
    return method_names[method];
}

struct bytes http_trim(struct bytes text) {
    while (text.length && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = (struct bytes){text.at + 1, text.length - 1};
    while (text.length && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

bool http_list_has(struct bytes list, struct bytes token) {
    while (list.length) {
        const char *comma = memchr(list.at, ',', list.length);
        struct bytes member = {list.at, comma ? (size_t)(comma - list.at) : list.length};
        size_t used = member.length + (comma ? 1 : 0);
        list = (struct bytes){list.at + used, list.length - used};
        if (bytes_equal_nocase(http_trim(member), token))
            return true;
    }
    return false;
}

struct bytes http_field(const struct http_request *request, const char *name) {
    struct bytes wanted = bytes_of(name);
    for (unsigned i = 0; i < request->field_count; i++)
        if (bytes_equal_nocase(request->fields[i].name, wanted))
            return request->fields[i].value;
    return (struct bytes){NULL, 0};
}

unsigned http_field_count(const struct http_request *request, const char *name) {
    struct bytes wanted = bytes_of(name);
    unsigned count = 0;
    for (unsigned i = 0; i < request->field_count; i++)
        count += bytes_equal_nocase(request->fields[i].name, wanted);
    return count;
}

struct bytes http_query(struct bytes query, const char *name) {
    struct bytes wanted = bytes_of(name);
    while (query.length) {
        const char *end = memchr(query.at, '&', query.length);
        struct bytes pair = {query.at, end ? (size_t)(end - query.at) : query.length};
        if (bytes_start_with(pair, wanted)) {
            if (pair.length == wanted.length)
                return (struct bytes){pair.at + pair.length, 0};
            if (pair.at[wanted.length] == '=')
                return (struct bytes){pair.at + wanted.length + 1, pair.length - wanted.length - 1};
        }
        size_t used = pair.length + (end ? 1 : 0);
        query = (struct bytes){query.at + used, query.length - used};
    }
    return (struct bytes){NULL, 0};
}
