/* What the operator sets of a show's waiting room: the member "waiting_room" of a show's document. */
#ifndef ONSALE_API_ROOM_TERMS_H
#define ONSALE_API_ROOM_TERMS_H

#include "base/json.h"
#include "waitroom/queue.h"

enum room_order { ROOM_BY_ARRIVAL, ROOM_SHUFFLED };

struct room_terms {
    bool enabled;
    struct queue_settings queue;
    uint32_t pre_queue_seconds;
    enum room_order order;                     /* of those who came before the opening */
    uint32_t proof_bits;                       /* 0: no proof of work */
    char beacon[LIMIT_BEACON_BYTES + 1];       /* "": none */
    char beacon_value[LIMIT_BEACON_BYTES + 1]; /* "": not known yet */
    bool is_adaptive;
    uint32_t slow_confirm_ms;
    uint32_t most_percent; /* of answers that may be slow or failed */
};

struct sale_fault;

void room_default_terms(struct room_terms *terms);
/* Reads "waiting_room" of a show's document; members that are missing keep what `terms` says. */
MUST_USE enum result room_read_terms(const json_t *document, struct room_terms *terms, struct sale_fault *fault);
/* As the operator sees it and the ledger keeps it. */
void room_write_terms(const struct room_terms *terms, struct json_writer *writer);
/* As fans see it. */
void room_write_public_terms(const struct room_terms *terms, struct json_writer *writer);

#endif
