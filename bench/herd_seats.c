/* Which seats to ask for: the free seats of a show, in the order of its plan, two by two, read from its GET …/seats.
 *
 * What can go wrong: the show is not there, or its list is not the one of the contract; then nothing is added.
 */
#include "bench/herd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct seat_answer {
    unsigned status;
    char *text;
    size_t bytes;
};

static void keep_answer(void *context, const struct answer *answer) {
    struct seat_answer *kept = context;
    kept->status = answer->status;
    kept->text = herd_realloc(NULL, answer->body_bytes + 1);
    memcpy(kept->text, answer->body, answer->body_bytes);
    kept->text[answer->body_bytes] = 0;
    kept->bytes = answer->body_bytes;
}

static enum result get_seats(int descriptor, const char *host, const char *show_id, struct seat_answer *kept) {
    char request[HERD_REQUEST_BYTES];
    int length =
        snprintf(request, sizeof request, "GET /api/v1/shows/%s/seats HTTP/1.1\r\nHost: %s\r\n\r\n", show_id, host);
    if (length < 0 || (size_t)length >= sizeof request)
        return RESULT_BAD_REQUEST;
    if (send(descriptor, request, (size_t)length, MSG_NOSIGNAL) != length)
        return RESULT_IO_ERROR;
    static char bytes[1 << 18];
    struct reader reader = {.wants_bodies = true};
    enum result result = RESULT_OK;
    while (result == RESULT_OK && !kept->text) {
        ssize_t n = recv(descriptor, bytes, sizeof bytes, 0);
        result = n > 0 ? reader_feed(&reader, bytes, (size_t)n, keep_answer, kept) : RESULT_IO_ERROR;
    }
    reader_release(&reader);
    if (result == RESULT_OK && kept->status != 200)
        result = RESULT_SHOW_NOT_FOUND;
    return result;
}

/* The next seat of the list that is free, its name ended by NUL where it lies; NULL at the end. */
static char *next_free_seat(char **at) {
    static const char name[] = "\"seat_id\":\"", state[] = "\"status\":\"";
    for (;;) {
        char *seat = strstr(*at, name);
        if (!seat)
            return NULL;
        seat += sizeof name - 1;
        char *end = seat;
        while (*end && *end != '"')
            end += end[0] == '\\' && end[1] ? 2 : 1;
        char *status = strstr(end, state);
        if (!status)
            return NULL;
        status += sizeof state - 1;
        *end = 0;
        *at = status;
        if (strncmp(status, "AVAILABLE", 9) == 0)
            return seat;
    }
}

static void add_pair(struct pair_list *list, const char *show_id, char *first, char *second) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 32768;
        list->pairs = herd_realloc(list->pairs, list->room * sizeof *list->pairs);
    }
    list->pairs[list->count++] = (struct seat_pair){show_id, {first, second}};
}

enum result pairs_read(struct pair_list *list, const char *host, uint16_t port, const char *show_id) {
    int descriptor = herd_connect(host, port);
    if (descriptor < 0)
        return RESULT_IO_ERROR;
    struct seat_answer kept = {0};
    enum result result = get_seats(descriptor, host, show_id, &kept);
    close(descriptor);
    if (result != RESULT_OK) {
        free(kept.text);
        return result;
    }
    /* The names stay where they are, so the text lives as long as the list. */
    list->texts = herd_realloc(list->texts, (list->text_count + 1) * sizeof *list->texts);
    list->texts[list->text_count++] = kept.text;
    char *at = kept.text, *first, *second;
    while ((first = next_free_seat(&at)) && (second = next_free_seat(&at)))
        add_pair(list, show_id, first, second);
    return RESULT_OK;
}

void pairs_release(struct pair_list *list) {
    for (size_t i = 0; i < list->text_count; i++)
        free(list->texts[i]);
    free(list->texts);
    free(list->pairs);
    *list = (struct pair_list){0};
}
