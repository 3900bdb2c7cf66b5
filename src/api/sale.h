/* A show on sale: its seats (seats/show.h), what the operator set, what fans see of it. And the list of all of them.
 *
 * A sale is made once and lives as long as the process; the list only grows, so that a reactor finds a sale without a
 * lock. What an operator may change is under the sale's own lock (sale_lock), taken before the show's where both are.
 */
#ifndef ONSALE_API_SALE_H
#define ONSALE_API_SALE_H

#include "api/etag.h"
#include "api/media_cache.h"
#include "api/room_terms.h"
#include "base/json.h"
#include "bookings/ledger.h"
#include "feed/seat_feed.h"
#include "net/blob.h"
#include "seats/show.h"

/* What the operator said by hand; AUTO follows on_sale_ms. */
enum sale_hand { SALE_AUTO, SALE_OPENED, SALE_PAUSED, SALE_CLOSED };

enum sale_status {
    SALE_STATUS_SCHEDULED,
    SALE_STATUS_PRE_QUEUE, /* fans gather in the waiting room */
    SALE_STATUS_ON_SALE,
    SALE_STATUS_PAUSED,
    SALE_STATUS_SOLD_OUT,
    SALE_STATUS_CLOSED
};

/* Whether a fan may give a booking back. */
struct cancel_terms {
    bool allowed;
    int64_t until_seconds; /* so long before the start at the latest; a show whose start is not set knows no such end */
};

struct sale_terms {
    char event_name[LIMIT_NAME_BYTES + 1];
    int64_t start_ms;   /* 0: not set */
    int64_t on_sale_ms; /* 0: at once */
    enum sale_hand hand;
    enum sale_hand resumes_to; /* while PAUSED: what it was before */
    struct show_settings seats;
    struct room_terms room;
    struct cancel_terms cancellation;
    char accent_color[8];         /* "#rrggbb", or "" */
    char image[MEDIA_NAME_BYTES]; /* "HASH.png", or "" */
};

struct room;
struct sale_fault;
struct plan_parts;
struct sale_mirror;

struct sale {
    /* set once */
    struct id show_id;
    struct show *show;
    struct plan *plan;
    struct blob *plan_json; /* what GET …/plan answers */
    struct blob *plan_json_gzip;
    char plan_etag[ETAG_BYTES];
    struct plan_parts *plan_parts; /* the same in pieces */
    struct seat_feed *feed;
    struct sale_mirror *mirror; /* NULL unless it is another node's, which this one only shows (mirror.h) */
    int64_t created_ms;
    struct sale *next_with_tag; /* another show whose reservations carry the same tag */

    pthread_mutex_t lock;
    /* under lock */
    struct sale_terms terms;
    struct sale_terms wanted; /* what they will be once the ledger has all the changes that it was given */
    int64_t updated_ms;
    bool room_has_begun; /* its record has: the order of its pre-queue cannot be changed any more */

    /* atomic: what every request asks */
    atomic_int hand;
    atomic_llong on_sale_ms;
    atomic_llong pre_queue_ms;   /* when the waiting room begins to take people in */
    atomic_bool has_room;        /* who wants seats needs a pass */
    atomic_bool gathers;         /* its order is to be shuffled, and has not been: it stays a pre-queue till then */
    _Atomic(struct room *) room; /* the waiting room (room.h), once it was needed; for good */
    atomic_bool room_wanted;     /* the clerk was asked to open it */
    atomic_llong room_retry_ms;  /* it could not be opened: not tried again before */
};

struct sale_list {
    struct sale *sales[LIMIT_SHOWS];
    atomic_uint count;
    pthread_mutex_t lock;                          /* held to add */
    _Atomic(struct sale *) by_id[2 * LIMIT_SHOWS]; /* open addressing; entries are never taken out */
};

void sale_list_init(struct sale_list *list);

/* OVERLOADED when the list is full, CONFLICT when the show is in it. */
MUST_USE enum result sale_list_add(struct sale_list *list, struct sale *sale);
struct sale *sale_find(const struct sale_list *list, const struct id *show_id);
/* The sale whose show knows this reservation (it may have ended), or NULL. Takes and leaves the show's lock. */
struct sale *sale_of_reservation(const struct sale_list *list, const struct id *reservation);

/* Makes a sale from a plan (owned from here) and terms. Takes tens of milliseconds for a stadium: never on a reactor.
 */
MUST_USE enum result sale_new(const struct id *show_id, struct plan *plan, const struct sale_terms *terms,
                              uint32_t epoch, int64_t now_ms, struct sale **sale);
void sale_free(struct sale *sale);

void sale_set_terms(struct sale *sale, const struct sale_terms *terms, int64_t now_ms);
void sale_copy_terms(struct sale *sale, struct sale_terms *terms, int64_t *updated_ms);
/* The same, with the changes that are on their way: what the next change starts from, or the one before it is lost. */
void sale_copy_wanted(struct sale *sale, struct sale_terms *terms);
void sale_set_wanted(struct sale *sale, const struct sale_terms *terms);
/* The same, unless it would break what the waiting room's record says: CONFLICT and why. */
MUST_USE enum result sale_want(struct sale *sale, const struct sale_terms *terms, struct sale_fault *fault);
/* The room's record begins, under these terms, which are handed out. */
void sale_begin_room(struct sale *sale, struct sale_terms *terms);
/* The room is there; its terms are brought up to date. */
void sale_publish_room(struct sale *sale, struct room *room, int64_t now_ms);
/* The room has been opened: whoever gathered has a position. */
void sale_end_gathering(struct sale *sale);

/* Both take the show's lock to see whether it is sold out. */
enum sale_status sale_status_under(struct sale *sale, const struct sale_terms *terms, int64_t now_ms);
enum sale_status sale_status_now(struct sale *sale, int64_t now_ms);
/* The same but for SOLD_OUT, which is told as ON_SALE. No lock. */
enum sale_status sale_phase(const struct sale *sale, int64_t now_ms);
const char *sale_status_name(enum sale_status status);
/* A waiting room in front of it takes people in now. No lock. */
bool sale_takes_joins(const struct sale *sale, int64_t now_ms);
/* Whether a fan may cancel now; *why says why not. Takes the sale's lock. */
MUST_USE bool sale_may_cancel(struct sale *sale, int64_t now_ms, const char **why);
/* Whether its picture is of that name. Takes the sale's lock. */
bool sale_has_image(struct sale *sale, const char *name);
/* OK, or SALE_NOT_OPEN. No lock. */
MUST_USE enum result sale_is_open(const struct sale *sale, int64_t now_ms);

/* ---- the operator's documents ---- */

struct sale_fault {
    char pointer[200]; /* RFC 6901 */
    char detail[300];
};

/* Reads the members of a show's document into `terms`; members that are missing keep what `terms` says. INVALID_FIELD
 * and where. */
MUST_USE enum result sale_read_terms(const json_t *document, const struct plan *plan, struct sale_terms *terms,
                                     struct sale_fault *fault);
/* What the ledger keeps beside: the picture's name, which no operator's document sets. */
void sale_read_image(const json_t *settings, struct sale_terms *terms);
/* Only the member "prices", as it may stand in a plan's document too. */
MUST_USE enum result sale_read_prices(const json_t *document, const struct plan *plan, struct sale_terms *terms,
                                      struct sale_fault *fault);
/* Terms for a show that says nothing: 600 s of hold, 60 s of grace, one payment attempt, no limit a person. */
void sale_default_terms(struct sale_terms *terms);
/* The settings as the ledger keeps them; reads back by sale_read_terms(). */
void sale_write_settings(const struct sale_terms *terms, const struct plan *plan, struct buffer *out);
/* The member "image": where the picture is, or null. */
void sale_write_image(const struct sale_terms *terms, struct json_writer *writer);
/* The show as fans see it, in the list (`brief`) or whole; and as the operator does. */
void sale_write(struct sale *sale, int64_t now_ms, bool brief, struct json_writer *writer);
void sale_write_for_operator(struct sale *sale, int64_t now_ms, struct json_writer *writer);
/* … as it will be under these terms. */
void sale_write_changed(struct sale *sale, const struct sale_terms *terms, int64_t updated_ms, int64_t now_ms,
                        struct json_writer *writer);

#endif
