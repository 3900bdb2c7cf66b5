/* The fan's pages, which are part of the program: three documents (the shop, the waiting room, the queue's record) and
 * what they load, named by hash.
 *
 * web/embed.mjs lays them out as blobs with one reference that is never dropped, each form made when the program is
 * built; they are sent from where the program lies in memory, and nothing is copied. A program may be built without
 * them (no_pages.S): then there is one small page that says so.
 */
#ifndef ONSALE_API_PAGES_H
#define ONSALE_API_PAGES_H

#include "net/blob.h"
#include "net/http.h"

enum page_coding { PAGE_PLAIN, PAGE_GZIP, PAGE_BROTLI, PAGE_CODING_COUNT };

/* As web/embed.mjs writes it. */
struct embedded_page {
    const char *path;
    const char *content_type;
    const char *etags[PAGE_CODING_COUNT];   /* quotes included */
    struct blob *bodies[PAGE_CODING_COUNT]; /* NULL: this coding does not make it shorter */
};

/* Sorted by path. */
extern const struct embedded_page embedded_pages[], embedded_pages_end[];

/* The picture that the demo's show is given; none in a program without its pages. */
struct bytes pages_demo_picture(void);

/* A browser asks for a page that is not there: the shop's document, which can say so nicely, with 404. False: it is
 * no browser's question, or there are no pages; not answered. */
bool pages_answer_not_found(struct exchange *exchange, const struct http_request *request);

#endif
