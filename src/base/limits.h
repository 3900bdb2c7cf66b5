/* Every bound of the program, and how they relate. What a setting may change has its maximum here. */
#ifndef ONSALE_BASE_LIMITS_H
#define ONSALE_BASE_LIMITS_H

#include <stdint.h>

#define static_assert _Static_assert

/* HTTP */
#define LIMIT_HEAD_BYTES (16 * 1024)           /* request line and fields; over it: 431 */
#define LIMIT_TARGET_BYTES (4 * 1024)          /* request target; over it: 414 */
#define LIMIT_HEADER_FIELDS 100                /* over it: 431 */
#define LIMIT_FAN_BODY_BYTES (16 * 1024)       /* body of a fan's call */
#define LIMIT_ADMIN_BODY_BYTES (64 * 1024)     /* body of an operator's call, but for the two below */
#define LIMIT_GATEWAY_EVENT_BYTES (256 * 1024) /* a webhook of the payment gateway */
#define LIMIT_PLAN_BYTES (48 * 1024 * 1024)    /* a seating plan */
#define LIMIT_REACTORS 64
#define LIMIT_LISTENERS 4                      /* of one reactor */
#define LIMIT_EMPTY_LINES 4                    /* before a request */
#define LIMIT_CHUNK_EXTENSION_BYTES (4 * 1024) /* of a whole body; read and dropped */
#define LIMIT_TRAILER_BYTES (4 * 1024)         /* of a whole body; read and dropped */
#define LIMIT_INPUT_BYTES (64 * 1024)          /* one read */
#define LIMIT_OUTPUT_BYTES (128 * 1024)        /* unsent answers of a connection; over it no request is handled */
#define LIMIT_SCRATCH_BYTES (4 * 1024 * 1024)  /* a body under construction */
#define LIMIT_KEPT_IDLE_MS 5000                /* so long an idle connection is kept even where all places are taken */
#define LIMIT_LINGER_MS 2000                   /* after the last answer, for the client to read it */
#define LIMIT_LINGER_BYTES (8 * 1024 * 1024)   /* read and dropped meanwhile */

/* whom a request is from */
#define LIMIT_TRUSTED_PROXIES 64   /* proxies and networks of them */
#define LIMIT_FORWARDED_HOPS 16    /* trusted proxies that one request came through */
#define LIMIT_FORWARDED_BYTES 2048 /* of Forwarded, and of X-Forwarded-For */

/* limits by address */
#define LIMIT_ADDRESS_BUCKETS 65536 /* 16 bytes each; who called the least is forgotten first */

#define LIMIT_CHANNELS 4096                /* that WebSockets are subscribed to */
#define LIMIT_WEBSOCKET_MESSAGE_BYTES 4096 /* from a client */

/* JSON */
#define LIMIT_JSON_DEPTH 32
#define LIMIT_JSON_VALUES 4000000 /* a plan of LIMIT_SEATS_PER_SHOW seats has about 2.5 million */

/* Prepared answers */
#define LIMIT_BLOB_BYTES                                                                                               \
    (128 * 1024 * 1024)     /* alive at once; over it slow readers are cut off; twice: none is made                    \
                             */
#define LIMIT_STALL_MS 1000 /* who has not taken all that was sent in so long is a slow reader then */

/* shows' pictures */
#define LIMIT_IMAGE_BYTES (2 * 1024 * 1024)
#define LIMIT_IMAGE_SIDE 8192 /* pixels */
#define LIMIT_MEDIA_CACHED 16 /* kept in memory */

/* ids and names */
#define LIMIT_USER_ID_BYTES 128
#define LIMIT_SEAT_ID_BYTES 64
#define LIMIT_NAME_BYTES 200 /* an event's, section's or category's name */
#define LIMIT_PAYMENT_TOKEN_BYTES 255
#define LIMIT_IDEMPOTENCY_KEY_BYTES 255

/* shows and seats */
#define LIMIT_SHOWS 1024 /* live in one process */
#define LIMIT_SEATS_PER_SHOW 250000
#define LIMIT_SECTIONS_PER_SHOW 4096
#define LIMIT_ROWS_PER_SHOW 32768
#define LIMIT_CATEGORIES_PER_SHOW 64
#define LIMIT_LABEL_BYTES 64           /* a row's label, a seat's number */
#define LIMIT_PLAN_COORDINATE 100000   /* either way; a float has room for two decimals there */
#define LIMIT_OUTLINE_POINTS 256       /* of a section on the map */
#define LIMIT_PRICE_AMOUNT 10000000000 /* minor units, a seat */
#define LIMIT_SEATS_PER_HOLD 100
#define LIMIT_HOLD_SECONDS 86400
#define LIMIT_GRACE_SECONDS 3600
#define LIMIT_ANSWER_BODY_BYTES (64 * 1024)           /* of an answer kept with a hold */
#define LIMIT_WAITING_ANSWERS 65536                   /* kept with holds, not in the ledger yet; over it 503 */
#define LIMIT_WAITING_ANSWER_BYTES (32 * 1024 * 1024) /* the same, all their bodies */

/* the waiting room */
#define LIMIT_PLACES (1u << 24)         /* numbers that one show's queue gives out; over it joining is 503 */
#define LIMIT_PLACES_UNKNOWN (1u << 16) /* numbers drawn from the ledger at once: so many a power loss may skip */
#define LIMIT_RATE_PER_MINUTE 6000000
#define LIMIT_ACTIVE 131072 /* passes of one show at once */
#define LIMIT_DOOR 16384    /* fans of one show at its door */
#define LIMIT_CLAIM_SECONDS 86400
#define LIMIT_PASS_SECONDS 86400
#define LIMIT_PRE_QUEUE_SECONDS (7 * 86400)
#define LIMIT_PROOF_BITS 30
#define LIMIT_BEACON_BYTES 200                /* of a public beacon's name, or its value */
#define LIMIT_RECORD_BYTES (1u << 30)         /* a queue's record; over it joining is 503 */
#define LIMIT_QUEUE_DOCUMENT_BYTES (1u << 29) /* with the record in base64, for onsale verify */
#define LIMIT_KEY_GENERATIONS 256             /* all of them are published: a ticket may be older than many rotations */
#define LIMIT_QUEUE_TICKET_BYTES 300          /* its text */
#define LIMIT_PASS_BYTES 1400                 /* its text: every byte of a user_id may take six */

/* bookings */
#define LIMIT_CONFIRM_CALLS 131072 /* confirms that wait for their answer; over it 503 */
#define LIMIT_OPEN_SAGAS 65536     /* over it confirm is 503 */
#define LIMIT_LEDGER_QUEUE 65536   /* commands waiting for a commit; over it 503 */
#define LIMIT_LEDGER_GROUP 256     /* commands in one commit */
#define LIMIT_GATEWAY_CONNECTIONS 256
#define LIMIT_PAYMENT_ATTEMPTS 10
#define LIMIT_CANCEL_SECONDS 31622400 /* before the start: a year */

/* tickets */
#define LIMIT_TICKET_BYTES 900            /* its text: every byte of a seat_id may take six */
#define LIMIT_KEY_SET_BYTES (1024 * 1024) /* a JWK set that tickets are checked against */

#define LIMIT_WAITING_PICTURES 1024 /* sheets of tickets, and shows' pictures, to be made; over it 503 */

/* what others are told */
#define LIMIT_WEBHOOK_WINDOW 32               /* events under way at once */
#define LIMIT_WEBHOOK_BYTES (2 * 1024 * 1024) /* an event as it is sent; a longer one is given up */
#define LIMIT_WEBHOOK_SECRETS 4               /* while they are changed */

/* a node that follows another one */
#define LIMIT_UPSTREAM_URL_BYTES 500
#define LIMIT_UPSTREAM_HEAD_BYTES (16 * 1024)       /* of an answer of the upstream's */
#define LIMIT_UPSTREAM_LIST_BYTES (4 * 1024 * 1024) /* its list of shows */
#define LIMIT_UPSTREAM_SHOW_BYTES (512 * 1024)      /* a show's document */
#define LIMIT_UPSTREAM_STATUS_BYTES (16 * 1024)     /* a queue's status; the keys */
#define LIMIT_UPSTREAM_SEATS 4000000                /* of all shows that are followed */
#define LIMIT_UPSTREAM_FRAMES 1000                  /* of one WebSocket in a second; a map has ten, a queue too */
#define LIMIT_UPSTREAM_GETS 8                       /* under way at once */
#define LIMIT_UPSTREAM_TURN_BYTES (256 * 1024)      /* read of one WebSocket before it is the others' turn */

/* a crowd of simulated buyers */
#define LIMIT_CROWD_FANS 20000
#define LIMIT_CROWD_CONNECTIONS 256
#define LIMIT_CROWD_ANSWER_BYTES (4 * 1024 * 1024) /* over it, it counts as none */

/* the sandbox, our own payment gateway */
#define LIMIT_SANDBOX_CONNECTIONS 4096
#define LIMIT_SANDBOX_BODY_BYTES (32 * 1024)    /* a form; over it 413 */
#define LIMIT_SANDBOX_DETAILS_BYTES (48 * 1024) /* an object's metadata and descriptions, as JSON */
#define LIMIT_SANDBOX_RECORD_BYTES (256 * 1024) /* of the tape */
#define LIMIT_SANDBOX_OBJECTS (1 << 20)         /* intents, charges, refunds: so many of each; over it 429 */
#define LIMIT_SANDBOX_KEYS (1 << 22)            /* idempotency keys of the last 24 hours; over it 429 */
#define LIMIT_SANDBOX_DELAYED LIMIT_SANDBOX_CONNECTIONS
#define LIMIT_SANDBOX_DELIVERIES (1 << 18) /* events that wait in memory for the webhook; more wait on the tape */

static_assert(LIMIT_SANDBOX_DETAILS_BYTES * 5 < LIMIT_SANDBOX_RECORD_BYTES,
              "a record holds two objects' and an answer's");
static_assert(LIMIT_SEATS_PER_HOLD * (LIMIT_SEAT_ID_BYTES + 3) < LIMIT_FAN_BODY_BYTES, "a full hold fits one request");
static_assert(LIMIT_PRICE_AMOUNT < INT64_MAX / LIMIT_SEATS_PER_HOLD, "the amount of a full hold is an int64_t");
static_assert(LIMIT_PLACES * 61ull <= LIMIT_RECORD_BYTES, "the places of a show fit its record: joined, let in, ended");
static_assert(LIMIT_PLACES <= 1u << 28, "a place's number has 28 bits beside its state");
static_assert(LIMIT_MEDIA_CACHED * LIMIT_IMAGE_BYTES <= LIMIT_BLOB_BYTES / 2, "pictures leave room for other blobs");
static_assert(LIMIT_CATEGORIES_PER_SHOW <= 256, "a seat's category is one byte");
static_assert(LIMIT_TARGET_BYTES < LIMIT_HEAD_BYTES, "a target is part of the head");
static_assert(LIMIT_HEAD_BYTES + LIMIT_FAN_BODY_BYTES < LIMIT_INPUT_BYTES, "a fan's request fits one read");
static_assert(LIMIT_LEDGER_GROUP <= LIMIT_LEDGER_QUEUE, "a group is taken from the queue");
static_assert(LIMIT_OPEN_SAGAS <= LIMIT_LEDGER_QUEUE, "every open saga can have a command under way");

#endif
