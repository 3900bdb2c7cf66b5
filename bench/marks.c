#include "bench/marks.h"
#include "bench/herd.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKS_MOST 1000 /* the seats of a snapshot's first 250 bytes */
#define HEAD_BYTES 32   /* of a frame of the seat map: docs/live-map.md */
#define BOOKED 2

bool marks_read_option(struct marks *marks, const char *value) {
    const char *colon = strchr(value, ':');
    if (!colon)
        return false;
    bool is_seats = strncmp(value, "seats:", 6) == 0, is_issued = strncmp(value, "issued:", 7) == 0;
    marks->kind = is_seats ? MARKS_SEATS : is_issued ? MARKS_ISSUED : MARKS_NONE;
    marks->count = (uint32_t)strtoul(colon + 1, NULL, 10);
    return marks->kind && marks->count >= 1 && marks->count <= MARKS_MOST;
}

void marks_init(struct marks *marks, uint32_t watchers) {
    if (!marks->kind)
        return;
    marks->watchers = watchers;
    marks->of = herd_realloc(NULL, marks->count * sizeof *marks->of);
    for (uint32_t i = 0; i < marks->count; i++)
        marks->of[i] = (struct mark){.at_ns = herd_realloc(NULL, watchers * sizeof *marks->of[i].at_ns)};
}

void marks_release(struct marks *marks) {
    for (uint32_t i = 0; marks->of && i < marks->count; i++)
        free(marks->of[i].at_ns);
    free(marks->of);
}

static uint32_t read_u32(const char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static bool read_seats(const struct marks *marks, const char *frame, size_t bytes, uint32_t *latest) {
    if (bytes < HEAD_BYTES || frame[1] != 1)
        return false;
    const char *body = frame + HEAD_BYTES;
    size_t length = bytes - HEAD_BYTES;
    if (frame[0] == 1) {
        uint32_t shown = 0;
        while (shown < marks->count && shown / 4 < length && (body[shown / 4] >> 2 * (shown % 4) & 3) == BOOKED)
            shown++;
        *latest = shown;
        return true;
    }
    for (size_t at = 0; at + 4 <= length; at += 4) {
        uint32_t change = read_u32(body + at);
        if (change >> 2 >= marks->count)
            return true;
        if ((change & 3) == BOOKED)
            *latest = (change >> 2) + 1;
    }
    return frame[0] == 2;
}

static bool read_issued(const struct marks *marks, const char *frame, size_t bytes, uint32_t *latest) {
    static const char member[] = "\"issued\":";
    const char *at = memmem(frame, bytes, member, sizeof member - 1);
    if (!at)
        return false;
    uint32_t issued = 0;
    for (at += sizeof member - 1; at < frame + bytes && *at >= '0' && *at <= '9'; at++)
        issued = issued * 10 + (uint32_t)(*at - '0');
    *latest = issued < marks->count ? issued : marks->count;
    return true;
}

bool marks_read(const struct marks *marks, const char *frame, size_t bytes, uint32_t *latest) {
    return marks->kind == MARKS_SEATS ? read_seats(marks, frame, bytes, latest)
                                      : read_issued(marks, frame, bytes, latest);
}

void marks_seen(struct marks *marks, uint32_t before, uint32_t latest) {
    if (latest <= before)
        return;
    int64_t now_ns = herd_now_ns();
    for (uint32_t i = before; i < latest; i++)
        if (marks->of[i].seen < marks->watchers)
            marks->of[i].at_ns[marks->of[i].seen++] = now_ns;
}

void marks_print(const struct marks *marks) {
    printf(",\"marks\":[");
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct mark *mark = &marks->of[i];
        uint32_t seen = mark->seen;
        printf("%s{\"seen\":%u,\"half_ms\":%.3f,\"last_ms\":%.3f}", i ? "," : "", seen,
               seen ? (double)mark->at_ns[(seen - 1) / 2] / 1e6 : 0, seen ? (double)mark->at_ns[seen - 1] / 1e6 : 0);
    }
    printf("]");
}
