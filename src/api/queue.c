/* POST …/queue, …/claim, …/leave; GET …/queue, …/live, …/record: a fan's way through the waiting room. */
#include "api/gate.h"
#include "api/handlers.h"
#include "api/mirror.h"
#include "api/room.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "waitroom/proof.h"

#include <stdlib.h>

#define STATUS_CACHE "public, max-age=1"
#define NO_ROOM "this show has no waiting room: reserve seats without a pass"

/* ---- the room of a call ---- */

static void go_on(struct call *call) {
    if (atomic_load(&call->sale->room))
        call->route->handle(call);
    else
        call_refuse(call, RESULT_OVERLOADED, "the waiting room cannot be opened; the server's log says why");
}

static void open_room(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    room_open(call->api, call->sale, reader); /* said in the log; go_on() sees */
    call_on_reactor(call, go_on);
}

/* NULL: answered, or on its way to the clerk, who opens the room and calls the handler again. Before its pre-queue a
 * room is not opened: its record would begin, and the operator may still change their mind. */
static struct room *room_of(struct call *call) {
    if (!atomic_load_explicit(&call->sale->has_room, memory_order_relaxed)) {
        call_refuse(call, RESULT_NOT_FOUND, NO_ROOM);
        return NULL;
    }
    struct room *room = atomic_load_explicit(&call->sale->room, memory_order_acquire);
    if (room)
        return room;
    if (sale_phase(call->sale, call->now_ms) == SALE_STATUS_SCHEDULED) {
        call_refuse(call, RESULT_SALE_NOT_OPEN, "the waiting room is not open yet");
        return NULL;
    }
    call = call_park(call);
    if (call)
        call_on_clerk(call, open_room);
    return NULL;
}

/* ---- joining ---- */

static void refuse_proof(struct call *call, uint32_t bits) {
    char challenge[PROOF_CHALLENGE_TEXT];
    proof_challenge(atomic_load(&call->api->keys), &call->sale->show_id, call->now_ms, challenge);
    metric_refused(RESULT_PROOF_REQUIRED);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = problem_open(body, RESULT_PROOF_REQUIRED, NULL);
    json_member_string(&writer, "challenge", (struct bytes){challenge, sizeof challenge});
    json_member_int(&writer, "bits", bits);
    json_close(&writer, '}');
    call_reply(call, problem_status(RESULT_PROOF_REQUIRED), buffer_bytes(body));
}

static struct bytes text_of(const json_t *object, const char *key) {
    const json_t *member = json_object_get(object, key);
    return (struct bytes){json_is_string(member) ? json_string_value(member) : "", json_string_length(member)};
}

static bool has_proof(struct call *call, const json_t *document, const struct user_id *user, uint32_t bits) {
    const json_t *proof = json_object_get(document, "proof");
    return bits == 0 ||
           proof_check(atomic_load(&call->api->keys), &call->sale->show_id, bits, text_of(proof, "challenge"),
                       user_bytes(user), text_of(proof, "nonce"), call->now_ms) == RESULT_OK;
}

static const char *place_name(const struct place *place) {
    switch (place->state) {
    case PLACE_DOOR:
        return "at_the_door";
    case PLACE_INSIDE:
        return "inside";
    default:
        return place->is_called ? "called" : "waiting";
    }
}

static void put_position(struct json_writer *writer, const char *key, uint32_t value, bool is_known) {
    json_key(writer, key);
    if (is_known)
        json_put_int(writer, value);
    else
        json_put_null(writer);
}

static void reply_joined(struct call *call, const struct room_place *joined) {
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    bool is_known = joined->place.position != 0;
    json_open(&writer, '{');
    json_key(&writer, "queue_ticket");
    buffer_add_char(body, '"'); /* base64url: nothing in it needs an escape */
    queue_ticket_write(atomic_load(&call->api->keys), &joined->ticket, body);
    buffer_add_char(body, '"');
    writer.comma = true;
    put_position(&writer, "position", joined->place.position, is_known);
    put_position(&writer, "ahead", joined->ahead, is_known);
    json_member_text(&writer, "status", sale_status_name(sale_status_now(call->sale, call->now_ms)));
    json_member_text(&writer, "place", place_name(&joined->place));
    json_member_bool(&writer, "is_new", joined->is_new);
    json_close(&writer, '}');
    call_reply(call, 201, buffer_bytes(body));
}

/* The body that a page sends: a user_id of plain ASCII and nothing else, read without a tree being made of it. False:
 * for jansson, which also knows what is wrong. */
static bool read_plain_user(struct bytes body, struct user_id *user) {
    static const char before[] = "{\"user_id\":\"", after[] = "\"}";
    const size_t around = sizeof before - 1 + sizeof after - 1;
    size_t length = body.length - around;
    if (body.length <= around || length > LIMIT_USER_ID_BYTES || memcmp(body.at, before, sizeof before - 1) != 0 ||
        memcmp(body.at + body.length - (sizeof after - 1), after, sizeof after - 1) != 0)
        return false;
    const char *text = body.at + sizeof before - 1;
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
            return false;
    user->length = (uint8_t)length;
    memcpy(user->text, text, length);
    return true;
}

void handle_join_queue(struct call *call) {
    struct room *room = room_of(call);
    if (!room)
        return;
    if (!sale_takes_joins(call->sale, call->now_ms)) {
        call_refuse(call, RESULT_SALE_NOT_OPEN, "the waiting room is not open now");
        return;
    }
    json_t *document = NULL;
    struct user_id user;
    bool is_plain = read_plain_user(call->body, &user);
    if (!gate_take_join(call) || (!is_plain && !call_read_json(call, &document)))
        return;
    if (is_plain || read_user(call, document, &user)) {
        uint32_t bits = room_proof_bits(room);
        struct room_place joined;
        enum result result = has_proof(call, document, &user, bits) ? room_join(room, &user, call->now_ms, &joined)
                                                                    : RESULT_PROOF_REQUIRED;
        if (result == RESULT_OK) {
            struct api *api = call->api;
            bool is_next = joined.ahead == 0 && !joined.place.is_called;
            reply_joined(call, &joined);
            if (is_next) /* with nobody before them a fan need not wait for the next tick */
                api->services.wake_usher(api->services.runtime);
        } else if (result == RESULT_PROOF_REQUIRED) {
            refuse_proof(call, bits);
        } else {
            call_refuse(call, result, "the waiting room takes nobody in just now: try again");
        }
    }
    json_decref(document);
}

/* ---- claiming ---- */

/* A claim on its way through the ledger. */
struct claim {
    struct pass pass;
    uint32_t key; /* the id of the key that signs it: the newest when it was claimed, so that its text never changes */
};

/* The body's queue ticket, of this show. False: refused, and answered. */
static bool read_ticket(struct call *call, struct queue_ticket *ticket) {
    json_t *document;
    if (!call_read_json(call, &document))
        return false;
    const json_t *member = json_object_get(document, "queue_ticket");
    bool is_text = json_is_string(member);
    struct bytes text = text_of(document, "queue_ticket");
    enum result result =
        is_text ? queue_ticket_read(atomic_load(&call->api->keys), text, ticket) : RESULT_INVALID_FIELD;
    if (result == RESULT_OK && !id_equal(&ticket->show_id, &call->sale->show_id))
        result = RESULT_QUEUE_TICKET_FOR_ANOTHER_SHOW;
    if (!is_text)
        call_refuse_field(call, "/queue_ticket", member ? "queue_ticket has to be a text" : "queue_ticket is missing");
    else if (result != RESULT_OK)
        call_refuse(call, result, NULL);
    json_decref(document);
    return result == RESULT_OK;
}

static void refuse_turn(struct call *call, enum result result, const struct room_turn *turn) {
    metric_refused(result);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = problem_open(body, result, NULL);
    put_position(&writer, "position", turn->position, turn->position != 0);
    json_member_int(&writer, "serving", turn->serving);
    json_member_int(&writer, "retry_after_seconds", turn->retry_seconds);
    json_close(&writer, '}');
    call->retry_seconds = turn->retry_seconds;
    call_reply(call, problem_status(result), buffer_bytes(body));
}

static void reply_pass(struct call *call, const struct claim *claim) {
    char text[LIMIT_PASS_BYTES];
    struct buffer pass = {.at = text, .capacity = sizeof text, .limit = sizeof text};
    pass_write(atomic_load(&call->api->keys), claim->key, &claim->pass, &pass);
    assert(buffer_ok(&pass));
    pass_cache_add(call->api->passes, buffer_bytes(&pass));
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    int64_t left = claim->pass.expires_s - call->now_ms / 1000;
    json_open(&writer, '{');
    json_member_string(&writer, "pass", buffer_bytes(&pass));
    json_member_int(&writer, "expires_in_seconds", left > 0 ? left : 0);
    json_member_time(&writer, "expires_at", claim->pass.expires_s * 1000);
    json_close(&writer, '}');
    call_reply(call, 200, buffer_bytes(body));
}

static void give_pass(struct call *call) {
    struct claim *claim = call->context;
    reply_pass(call, claim);
    free(claim);
}

static void claim_is_written(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    if (command->result == RESULT_OK) {
        call_on_reactor(call, give_pass);
        return;
    }
    free(call->context);
    call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

/* The key that signed passes at that time. */
static uint32_t key_of(const struct keyring *keys, int64_t claimed_ms) {
    uint32_t at = keys->count - 1;
    while (at > 0 && keys->of[at].created_ms > claimed_ms)
        at--;
    return keys->of[at].id;
}

/* Nobody is told of a pass that the ledger does not have: no crash makes a turn count twice. */
static void write_claim(struct call *call, const struct queue_ticket *ticket, const struct room_turn *turn) {
    call = call_park(call);
    if (!call)
        return;
    struct claim *claim = malloc(sizeof *claim);
    if (!claim) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    *claim = (struct claim){.pass = {.show_id = ticket->show_id,
                                     .user = ticket->user,
                                     .number = ticket->number,
                                     .issued_s = turn->pass.claimed_ms / 1000,
                                     .expires_s = turn->pass.expires_ms / 1000},
                            .key = key_of(atomic_load(&call->api->keys), turn->pass.claimed_ms)};
    call->context = claim;
    call->command = (struct ledger_command){.kind = LEDGER_ADMIT};
    call->command.queue.show_id = &claim->pass.show_id;
    call->command.queue.admission = (struct admission){.number = ticket->number,
                                                       .user = ticket->user,
                                                       .claimed_ms = turn->pass.claimed_ms,
                                                       .expires_ms = turn->pass.expires_ms};
    if (!call_submit(call, claim_is_written))
        free(claim);
}

void handle_claim_turn(struct call *call) {
    struct room *room = room_of(call);
    if (!room)
        return;
    struct queue_ticket ticket;
    if (!read_ticket(call, &ticket))
        return;
    enum sale_status status = sale_status_now(call->sale, call->now_ms);
    struct room_turn turn;
    enum result result = room_adopt(room, &ticket);
    if (result == RESULT_OK && status != SALE_STATUS_ON_SALE)
        result = status == SALE_STATUS_SOLD_OUT ? RESULT_SOLD_OUT : RESULT_SALE_NOT_OPEN;
    if (result == RESULT_OK)
        result = room_claim(room, ticket.number, call->now_ms, &turn);
    switch (result) {
    case RESULT_OK:
        write_claim(call, &ticket, &turn);
        break;
    case RESULT_NOT_YOUR_TURN:
    case RESULT_AT_THE_DOOR:
        refuse_turn(call, result, &turn);
        break;
    case RESULT_SOLD_OUT:
        call_refuse(call, result, "all seats are sold; the place is kept, in case one comes back");
        break;
    default:
        call_refuse(call, result, NULL);
    }
}

/* ---- leaving ---- */

static void end_is_written(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    if (command->result == RESULT_OK)
        call_reply(call, 204, BYTES(""));
    else
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

void handle_leave_queue(struct call *call) {
    struct room *room = room_of(call);
    if (!room)
        return;
    struct queue_ticket ticket = {.number = 0};
    struct pass pass;
    if (call->authorization.at) {
        if (!gate_read_pass(call, &pass))
            return;
        ticket.number = pass.number;
        ticket.user = pass.user;
    } else {
        if (!read_ticket(call, &ticket))
            return;
        if (room_adopt(room, &ticket) != RESULT_OK) {
            call_refuse(call, RESULT_QUEUE_TICKET_INVALID, NULL);
            return;
        }
    }
    bool was_inside;
    enum result result = room_leave(room, ticket.number, call->now_ms, &was_inside);
    if (result != RESULT_OK) {
        call_refuse(call, RESULT_PASS_INVALID, NULL);
        return;
    }
    if (!was_inside) {
        call_reply(call, 204, BYTES(""));
        return;
    }
    call = call_park(call);
    if (!call)
        return;
    call->command = (struct ledger_command){.kind = LEDGER_END_PASS};
    call->command.queue.show_id = &call->sale->show_id;
    call->command.queue.admission =
        (struct admission){.number = ticket.number, .user = ticket.user, .ended_ms = call->now_ms};
    (void)call_submit(call, end_is_written);
}

/* ---- what everybody gets ---- */

/* Before the pre-queue there is no room yet, and little to say. */
static bool is_before_room(const struct call *call) {
    return atomic_load(&call->sale->has_room) && !atomic_load(&call->sale->room) &&
           sale_phase(call->sale, call->now_ms) == SALE_STATUS_SCHEDULED;
}

void handle_read_queue(struct call *call) {
    if (call->sale->mirror) {
        mirrored_reply(call, &call->sale->mirror->queue, STATUS_CACHE, NO_ROOM);
        return;
    }
    if (is_before_room(call)) {
        struct buffer *body = call_scratch(call);
        room_write_status_before(call->api, call->sale, call->now_ms, body);
        reply_shared(call, buffer_bytes(body));
        return;
    }
    struct room *room = room_of(call);
    if (!room)
        return;
    char etag[ETAG_BYTES];
    struct blob *status = room_status(room, call->now_ms, etag);
    if (!status) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    struct prepared prepared = {
        .body = status, .content_type = "application/json", .cache_control = STATUS_CACHE, .etag = etag};
    call_reply_prepared(call, &prepared);
}

static void watch_room(struct call *call) {
    struct room *room = room_of(call);
    if (room)
        call_upgrade(call, room_channel(room));
}

void handle_watch_queue(struct call *call) {
    if (!call->request) { /* parked while its room was opened */
        call_refuse(call, RESULT_OVERLOADED, "the waiting room is opening: connect again");
        return;
    }
    enum result result = websocket_check(call->request);
    if (result != RESULT_OK) {
        call_refuse(call, result, NULL);
        return;
    }
    struct sale_mirror *mirror = call->sale->mirror;
    if (mirror && mirrored_is_there(&mirror->queue))
        call_upgrade(call, mirror->channel);
    else if (mirror)
        call_refuse(call, RESULT_NOT_FOUND, NO_ROOM);
    else
        watch_room(call);
}

/* Back on the reactor, with the record's document. */
static void reply_record(struct call *call) {
    struct room_record *record = call->context;
    struct prepared prepared = {.body = record->body,
                                .content_type = "application/json",
                                .cache_control = "public, max-age=2",
                                .etag = record->etag};
    call_reply_prepared(call, &prepared);
    free(record);
}

static void read_record(struct clerk_job *job, struct ledger_reader *reader) {
    (void)reader;
    struct call *call = call_of_job(job);
    struct room_record *record = malloc(sizeof *record);
    enum result result =
        record ? room_read_record(atomic_load(&call->sale->room), call->now_ms, record) : RESULT_OVERLOADED;
    if (result != RESULT_OK) {
        free(record);
        call_refuse(call, result, NULL);
        return;
    }
    call->context = record;
    call_on_reactor(call, reply_record);
}

void handle_read_queue_record(struct call *call) {
    if (!room_of(call))
        return;
    call = call_park(call);
    if (call)
        call_on_clerk(call, read_record);
}
