/* Problem documents (RFC 9457): {"type","title","status","detail","code", …}; the list is problems.def. */
#ifndef ONSALE_API_PROBLEM_H
#define ONSALE_API_PROBLEM_H

#include "base/json.h"
#include "base/result.h"

unsigned problem_status(enum result result);
const char *problem_code(enum result result);

/* Writes the document up to its extra members; the caller adds those and closes the object. `detail` NULL: the result's
 * own words. */
struct json_writer problem_open(struct buffer *out, enum result result, const char *detail);
/* A whole document without extra members. */
void problem_write(struct buffer *out, enum result result, const char *detail);

#endif
