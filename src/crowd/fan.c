/* The decisions of a simulated fan. The table below says what each kind of answer means in each state; the functions
 * under it are its moves. */
#include "crowd/fan.h"

#include <assert.h>
#include <stdio.h>

#define REST_MS 50000        /* between two visits: the median */
#define LOOK_MS 5000         /* at the map */
#define REACT_MS 1200        /* to something that was waited for, or that went wrong */
#define SPREAD 0.8           /* of the logarithm of such times */
#define MOST_TIMES 8         /* the median, at most */
#define FIRST_BACKOFF_MS 500 /* after the first setback, twice as long after each */
#define MOST_BACKOFF_MS 30000
#define MOST_SETBACKS 10
#define MOST_POLL_MS 600000 /* whatever a status says */
#define MOST_SEAT_TRIES 5
#define SHUT_MS 5000 /* until the house is looked at again: nothing is asked for it */
#define BAD_CARD_PERMILLE 40
#define BY_HAND_PERMILLE 350
#define ANY_CATEGORY_PERMILLE 250
#define WALKS_AWAY_PERMILLE 400 /* of those who do not buy */
#define FULL_HOUSE_PERMILLE 850 /* sold: from here on bookings are given back */
#define MOST_RETURNS_PERMILLE 800

static const char *const state_names[FAN_STATES] = {"resting", "joining",   "queueing", "claiming",
                                                    "looking", "choosing",  "thinking", "paying",
                                                    "pending", "releasing", "leaving",  "returning"};

const char *fan_state_name(enum fan_state state) {
    return state_names[state];
}

/* ---- what an answer means ---- */

static enum fan_answer_kind kind_of_conflict(const char *code) {
    static const struct {
        const char *code;
        enum fan_answer_kind kind;
    } kinds[] = {{"seat_unavailable", ANSWER_TAKEN},   {"no_adjacent_seats", ANSWER_TAKEN},
                 {"leaves_orphan", ANSWER_TAKEN},      {"sold_out", ANSWER_SOLD_OUT},
                 {"sale_not_open", ANSWER_SHUT},       {"idempotency_in_progress", ANSWER_LATER},
                 {"payment_in_progress", ANSWER_LATER}};
    for (size_t i = 0; code && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(code, kinds[i].code) == 0)
            return kinds[i].kind;
    return ANSWER_GONE;
}

enum fan_answer_kind fan_answer_kind(const struct fan_answer *answer) {
    switch (answer->status) {
    case 202:
    case 425:
        return ANSWER_LATER;
    case 401:
    case 403:
    case 404:
    case 410:
        return ANSWER_GONE;
    case 402:
        return ANSWER_DECLINED;
    case 0:
    case 408:
    case 429:
        return ANSWER_BUSY;
    case 409:
        return kind_of_conflict(json_string_value(json_object_get(answer->body, "code")));
    default:
        if (answer->status >= 500)
            return ANSWER_BUSY;
        return answer->status >= 200 && answer->status < 300 ? ANSWER_OK : ANSWER_REFUSED;
    }
}

enum move {
    MOVE_NONE, /* not in the table */
    ON,        /* what the call was for */
    WAIT,      /* the same call, when the server says */
    BUSY,      /* the same, ever later */
    TURN,      /* not let in yet */
    NEXT,      /* the next best seats */
    LOST,      /* the hold is: back to the map */
    CARD,      /* another card */
    DROP,      /* let the seats go */
    LEAVE,
    REST
};

/* clang-format off */
static const uint8_t moves[FAN_STATES][ANSWER_KINDS] = {
    /*                  OK     LATER  BUSY  TAKEN  SOLD_OUT SHUT   DECLINED GONE   REFUSED */
    [FAN_JOINING]   = {ON,    WAIT,  BUSY, REST,  REST,    REST,  REST,    REST,  REST},
    [FAN_QUEUEING]  = {ON,    WAIT,  BUSY, LEAVE, LEAVE,   WAIT,  LEAVE,   REST,  LEAVE},
    [FAN_CLAIMING]  = {ON,    TURN,  BUSY, LEAVE, LEAVE,   TURN,  LEAVE,   REST,  LEAVE},
    [FAN_LOOKING]   = {ON,    WAIT,  BUSY, LEAVE, LEAVE,   LEAVE, LEAVE,   REST,  LEAVE},
    [FAN_CHOOSING]  = {ON,    WAIT,  BUSY, NEXT,  LEAVE,   WAIT,  LEAVE,   REST,  LEAVE},
    [FAN_PAYING]    = {ON,    WAIT,  BUSY, LOST,  LOST,    WAIT,  CARD,    LOST,  DROP},
    [FAN_PENDING]   = {ON,    WAIT,  BUSY, REST,  REST,    REST,  REST,    REST,  REST},
    [FAN_RELEASING] = {ON,    WAIT,  BUSY, LEAVE, LEAVE,   LEAVE, LEAVE,   LEAVE, LEAVE},
    [FAN_LEAVING]   = {ON,    WAIT,  BUSY, REST,  REST,    REST,  REST,    REST,  REST},
    [FAN_RETURNING] = {ON,    ON,    BUSY, REST,  REST,    REST,  REST,    REST,  REST},
};
/* clang-format on */

/* ---- times ---- */

static int64_t human_ms(struct fan *fan, const struct crowd_world *world, int64_t median_ms) {
    return chance_log_normal(&fan->chance, median_ms, SPREAD, median_ms * MOST_TIMES) / world->habits.pace;
}

int64_t crowd_backoff_ms(struct chance *chance, unsigned setbacks, int64_t retry_after_seconds) {
    int64_t most = setbacks < 7 ? FIRST_BACKOFF_MS << setbacks : MOST_BACKOFF_MS;
    return retry_after_seconds * 1000 + chance_between(chance, 0, most < MOST_BACKOFF_MS ? most : MOST_BACKOFF_MS);
}

static void go(struct fan *fan, enum fan_state state, int64_t at_ms) {
    fan->state = (uint8_t)state;
    fan->setbacks = 0;
    fan->wakes.at_ms = at_ms;
}

static void react(struct fan *fan, const struct crowd_world *world, enum fan_state state, int64_t now_ms) {
    go(fan, state, now_ms + human_ms(fan, world, REACT_MS));
}

/* ---- a visit's beginning and end ---- */

void fan_init(struct fan *fan, struct chance chance, int64_t first_ms) {
    *fan = (struct fan){.chance = chance, .wakes = {.at_ms = first_ms}};
}

static void rest(struct fan *fan, const struct crowd_world *world, int64_t now_ms) {
    go(fan, FAN_RESTING, now_ms + human_ms(fan, world, REST_MS));
}

/* Nobody is told where there is nobody to tell. */
static void leave(struct fan *fan, const struct crowd_world *world, int64_t now_ms) {
    if (fan->pass[0] || fan->queue_ticket[0])
        react(fan, world, FAN_LEAVING, now_ms);
    else
        rest(fan, world, now_ms);
}

/* Twos and fours are the most. */
static uint32_t draw_seats(struct fan *fan, const struct crowd_world *world) {
    static const uint8_t weights[HOUSE_MOST_PICKS] = {15, 45, 12, 20, 4, 4, 1, 1, 1, 1};
    const struct crowd_habits *habits = &world->habits;
    uint32_t most = habits->most_seats < world->house.most_seats ? habits->most_seats : world->house.most_seats;
    uint32_t least = habits->least_seats < most ? habits->least_seats : most, sum = 0;
    for (uint32_t i = least; i <= most; i++)
        sum += weights[i - 1];
    uint32_t at = chance_below(&fan->chance, sum), seats = least;
    while (at >= weights[seats - 1])
        at -= weights[seats++ - 1];
    return seats;
}

/* The fuller the house, the more of those who come have changed their mind. */
static bool gives_back(struct fan *fan, struct crowd_world *world) {
    unsigned sold = house_sold_permille(&world->house);
    if (!world->house.may_cancel || world->kept_count == 0 || sold <= FULL_HOUSE_PERMILLE)
        return false;
    unsigned share = (sold - FULL_HOUSE_PERMILLE) * 10;
    if (!chance_hits(&fan->chance, share < MOST_RETURNS_PERMILLE ? share : MOST_RETURNS_PERMILLE))
        return false;
    uint32_t at = chance_below(&fan->chance, world->kept_count);
    fan->returned = world->kept_bookings[at];
    world->kept_bookings[at] = world->kept_bookings[--world->kept_count];
    return true;
}

static void keep_booking(struct crowd_world *world, const struct id *booking) {
    if (world->kept_count < CROWD_KEPT_BOOKINGS)
        world->kept_bookings[world->kept_count++] = *booking;
    else
        world->kept_bookings[world->kept_next++ % CROWD_KEPT_BOOKINGS] = *booking;
}

/* Somebody new comes, if there is something to come for. */
static void begin(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    const struct house *house = &world->house;
    bool opens = house->state == HOUSE_OPEN || house->state == HOUSE_GATHERING;
    if ((opens || house->state == HOUSE_SOLD_OUT) && gives_back(fan, world)) {
        go(fan, FAN_RETURNING, now_ms);
        return;
    }
    if (!opens) {
        fan->wakes.at_ms = now_ms + chance_between(&fan->chance, SHUT_MS / 2, SHUT_MS * 3 / 2);
        return;
    }
    world->counts.visits++;
    snprintf(fan->user, sizeof fan->user, "crowd-%.16s-%llu", world->tag, (unsigned long long)++world->visits);
    fan->queue_ticket[0] = fan->pass[0] = fan->reservation[0] = fan->booking[0] = fan->wish[0] = '\0';
    fan->position = fan->wish_number = 0;
    fan->seat_tries = 0;
    fan->wanted_seats = draw_seats(fan, world);
    fan->by_hand = chance_hits(&fan->chance, BY_HAND_PERMILLE);
    fan->wants_category = !chance_hits(&fan->chance, ANY_CATEGORY_PERMILLE);
    fan->has_bad_card = chance_hits(&fan->chance, BAD_CARD_PERMILLE);
    fan->intent = chance_hits(&fan->chance, world->habits.buyers_permille) ? FAN_PAYS
                  : chance_hits(&fan->chance, WALKS_AWAY_PERMILLE)         ? FAN_WALKS_AWAY
                                                                           : FAN_LETS_GO;
    go(fan, house->has_room ? FAN_JOINING : FAN_LOOKING, now_ms);
}

/* ---- choosing ---- */

/* By hand where that can be done; else the best of a category, or of all. */
static void write_wish(struct fan *fan, struct crowd_world *world) {
    const char *seat_ids[HOUSE_MOST_PICKS];
    struct buffer out = {.at = fan->wish, .capacity = sizeof fan->wish - 1, .limit = sizeof fan->wish - 1};
    struct json_writer writer = json_writer(&out);
    uint32_t count = fan->wanted_seats;
    if (fan->by_hand && house_pick_neighbours(&world->house, &fan->chance, count, seat_ids)) {
        json_key(&writer, "seat_ids");
        json_open(&writer, '[');
        for (uint32_t i = 0; i < count; i++)
            json_put_text(&writer, seat_ids[i]);
        json_close(&writer, ']');
    } else {
        uint32_t category = fan->wants_category ? house_draw_category(&world->house, &fan->chance) : UINT32_MAX;
        json_key(&writer, "best_available");
        json_open(&writer, '{');
        json_member_int(&writer, "quantity", count);
        if (category != UINT32_MAX)
            json_member_text(&writer, "category", world->house.categories[category].name);
        json_close(&writer, '}');
    }
    if (!buffer_ok(&out)) { /* names with many characters that JSON escapes */
        static const char plain[] = "\"best_available\":{\"quantity\":1}";
        memcpy(fan->wish, plain, sizeof plain);
        out.length = sizeof plain - 1;
    }
    fan->wish[out.length] = '\0';
    fan->wish_number++;
}

static void next_best(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    world->counts.collisions++;
    fan->wish[0] = '\0';
    fan->by_hand = false;
    if (++fan->seat_tries >= MOST_SEAT_TRIES) {
        world->counts.gave_up++;
        leave(fan, world, now_ms);
        return;
    }
    fan->wants_category = fan->wants_category && fan->seat_tries < 2;
    if (fan->seat_tries > 2 && fan->wanted_seats > 1 && fan->wanted_seats > world->habits.least_seats)
        fan->wanted_seats--;
    react(fan, world, FAN_CHOOSING, now_ms);
}

static void look_again(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    fan->wish[0] = fan->reservation[0] = '\0';
    if (++fan->seat_tries >= MOST_SEAT_TRIES)
        leave(fan, world, now_ms);
    else
        react(fan, world, FAN_LOOKING, now_ms);
}

/* ---- waking ---- */

static enum fan_state decided(const struct fan *fan) {
    return fan->intent == FAN_PAYS ? FAN_PAYING : FAN_RELEASING;
}

enum fan_call fan_wake(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    static const uint8_t calls[FAN_STATES] = {
        [FAN_JOINING] = CALL_JOIN,    [FAN_QUEUEING] = CALL_STATUS,   [FAN_CLAIMING] = CALL_CLAIM,
        [FAN_LOOKING] = CALL_SEATS,   [FAN_CHOOSING] = CALL_RESERVE,  [FAN_PAYING] = CALL_CONFIRM,
        [FAN_PENDING] = CALL_BOOKING, [FAN_RELEASING] = CALL_RELEASE, [FAN_LEAVING] = CALL_LEAVE,
        [FAN_RETURNING] = CALL_CANCEL};
    if (fan->state == FAN_RESTING) {
        begin(fan, world, now_ms);
    } else if (fan->state == FAN_THINKING && fan->intent == FAN_WALKS_AWAY) {
        world->counts.walked_away++;
        rest(fan, world, now_ms);
    } else if (fan->state == FAN_THINKING) {
        go(fan, decided(fan), now_ms);
    }
    if (fan->state == FAN_CHOOSING && !fan->wish[0])
        write_wish(fan, world);
    return calls[fan->state];
}

/* ---- hearing ---- */

static uint32_t number_in(const json_t *body, const char *key, uint32_t most) {
    json_int_t value = json_integer_value(json_object_get(body, key));
    return value < 0 ? 0 : value > most ? most : (uint32_t)value;
}

/* False: it is not there, or longer than can be. */
static bool copy_text(const json_t *body, const char *key, char *text, size_t size) {
    const char *value = json_string_value(json_object_get(body, key));
    if (!value || !value[0] || strlen(value) >= size)
        return false;
    memcpy(text, value, strlen(value) + 1);
    return true;
}

static bool text_is(const json_t *body, const char *key, const char *wanted) {
    const char *value = json_string_value(json_object_get(body, key));
    return value && strcmp(value, wanted) == 0;
}

static void make(struct fan *fan, struct crowd_world *world, enum move move, const struct fan_answer *answer,
                 int64_t now_ms);

/* An answer that says yes, without what it has to have. */
static void not_understood(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    world->counts.refused++;
    make(fan, world, moves[fan->state][ANSWER_REFUSED], NULL, now_ms);
}

static void joined(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    if (!copy_text(body, "queue_ticket", fan->queue_ticket, sizeof fan->queue_ticket)) {
        not_understood(fan, world, now_ms);
        return;
    }
    fan->position = number_in(body, "position", LIMIT_PLACES);
    bool waits = text_is(body, "place", "waiting");
    react(fan, world, waits ? FAN_QUEUEING : FAN_CLAIMING, now_ms);
}

/* The server's rule: its own seconds, and some for each thousand who are ahead, at most so many, 20 % either way. */
static int64_t poll_ms(struct fan *fan, const json_t *body) {
    const json_t *poll = json_object_get(body, "poll");
    uint32_t serving = number_in(body, "serving", LIMIT_PLACES), position = fan->position;
    uint64_t behind = position > serving ? position - serving : 0;
    uint64_t ms = number_in(body, "retry_after_seconds", 86400) * 1000ull +
                  behind * number_in(poll, "per_thousand_ahead_seconds", 86400);
    uint64_t most = number_in(poll, "max_seconds", 86400) * 1000ull;
    if (most && ms > most)
        ms = most;
    ms = ms < 1000 ? 1000 : ms > MOST_POLL_MS ? MOST_POLL_MS : ms;
    return chance_between(&fan->chance, (int64_t)(ms * 8 / 10), (int64_t)(ms * 12 / 10));
}

static void saw_status(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    if (text_is(body, "status", "SOLD_OUT") || text_is(body, "status", "CLOSED"))
        leave(fan, world, now_ms);
    else if (text_is(body, "status", "SCHEDULED") || text_is(body, "status", "PRE_QUEUE") ||
             text_is(body, "status", "PAUSED"))
        go(fan, FAN_QUEUEING, now_ms + poll_ms(fan, body));
    else if (!text_is(body, "status", "ON_SALE"))
        not_understood(fan, world, now_ms);
    else if (fan->position == 0) /* drawn since: joining again tells it */
        react(fan, world, FAN_JOINING, now_ms);
    else if (number_in(body, "serving", LIMIT_PLACES) >= fan->position)
        react(fan, world, FAN_CLAIMING, now_ms);
    else
        go(fan, FAN_QUEUEING, now_ms + poll_ms(fan, body));
}

static void was_let_in(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    if (!copy_text(body, "pass", fan->pass, sizeof fan->pass)) {
        not_understood(fan, world, now_ms);
        return;
    }
    world->counts.admitted++;
    react(fan, world, FAN_LOOKING, now_ms);
}

static void took_seats(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    if (!copy_text(body, "reservation_id", fan->reservation, sizeof fan->reservation)) {
        not_understood(fan, world, now_ms);
        return;
    }
    fan->held_seats = (uint32_t)json_array_size(json_object_get(body, "seat_ids"));
    world->counts.holds++;
    world->counts.seats_held += fan->held_seats;
    int64_t think = human_ms(fan, world, world->habits.think_ms);
    int64_t most = number_in(body, "expires_in_seconds", LIMIT_HOLD_SECONDS) * 800ll;
    go(fan, FAN_THINKING, now_ms + (think < most ? think : most));
}

static void has_booked(struct fan *fan, struct crowd_world *world, int64_t now_ms) {
    struct id booking;
    world->counts.bookings++;
    world->counts.seats_sold += fan->held_seats;
    if (id_parse_letter(bytes_of(fan->booking), 'b', &booking))
        keep_booking(world, &booking);
    rest(fan, world, now_ms);
}

static void has_paid(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    if (copy_text(body, "booking_id", fan->booking, sizeof fan->booking))
        has_booked(fan, world, now_ms);
    else
        not_understood(fan, world, now_ms);
}

static void saw_booking(struct fan *fan, struct crowd_world *world, const struct fan_answer *answer, int64_t now_ms) {
    if (text_is(answer->body, "status", "CONFIRMED"))
        has_booked(fan, world, now_ms);
    else
        make(fan, world, text_is(answer->body, "status", "PENDING") ? WAIT : REST, answer, now_ms);
}

/* What the call was for has happened. */
static void move_on(struct fan *fan, struct crowd_world *world, const struct fan_answer *answer, int64_t now_ms) {
    switch ((enum fan_state)fan->state) {
    case FAN_JOINING:
        joined(fan, world, answer->body, now_ms);
        break;
    case FAN_QUEUEING:
        saw_status(fan, world, answer->body, now_ms);
        break;
    case FAN_CLAIMING:
        was_let_in(fan, world, answer->body, now_ms);
        break;
    case FAN_LOOKING:
        go(fan, FAN_CHOOSING, now_ms + human_ms(fan, world, LOOK_MS));
        break;
    case FAN_CHOOSING:
        took_seats(fan, world, answer->body, now_ms);
        break;
    case FAN_PAYING:
        has_paid(fan, world, answer->body, now_ms);
        break;
    case FAN_PENDING:
        saw_booking(fan, world, answer, now_ms);
        break;
    case FAN_RELEASING:
        world->counts.let_go++;
        leave(fan, world, now_ms);
        break;
    case FAN_RETURNING:
        world->counts.returned++;
        rest(fan, world, now_ms);
        break;
    default:
        rest(fan, world, now_ms);
    }
}

/* The same again later, but not for ever. */
static void come_back(struct fan *fan, struct crowd_world *world, int64_t retry_after_seconds, int64_t now_ms) {
    if (++fan->setbacks <= MOST_SETBACKS) {
        fan->wakes.at_ms = now_ms + crowd_backoff_ms(&fan->chance, fan->setbacks, retry_after_seconds);
        return;
    }
    world->counts.gave_up++;
    if (fan->state == FAN_RETURNING)
        keep_booking(world, &fan->returned);
    if (fan->state == FAN_CHOOSING || fan->state == FAN_LOOKING || fan->state == FAN_CLAIMING)
        leave(fan, world, now_ms);
    else
        rest(fan, world, now_ms);
}

/* Accepted or not yet: a confirm that was accepted has a booking to ask for. */
static void wait(struct fan *fan, struct crowd_world *world, const struct fan_answer *answer, int64_t now_ms) {
    if (fan->state == FAN_PAYING && answer->status == 202 &&
        copy_text(answer->body, "booking_id", fan->booking, sizeof fan->booking)) {
        react(fan, world, FAN_PENDING, now_ms);
        return;
    }
    come_back(fan, world, answer->retry_after_seconds ? answer->retry_after_seconds : 1, now_ms);
}

/* At the door it is their turn, and the room is full; before it, the status says when to ask. */
static void wait_for_turn(struct fan *fan, const struct fan_answer *answer, int64_t now_ms) {
    bool at_door = text_is(answer->body, "code", "at_the_door");
    uint32_t position = number_in(answer->body, "position", LIMIT_PLACES);
    int64_t seconds = answer->retry_after_seconds ? answer->retry_after_seconds : 1;
    fan->position = position ? position : fan->position;
    go(fan, at_door ? FAN_CLAIMING : FAN_QUEUEING,
       now_ms + seconds * 1000 + chance_between(&fan->chance, 0, seconds * 200));
}

static void was_declined(struct fan *fan, struct crowd_world *world, const json_t *body, int64_t now_ms) {
    world->counts.declined++;
    fan->has_bad_card = false;
    if (number_in(body, "attempts_left", LIMIT_PAYMENT_ATTEMPTS))
        react(fan, world, ++fan->seat_tries < MOST_SEAT_TRIES ? FAN_THINKING : FAN_RELEASING, now_ms);
    else
        look_again(fan, world, now_ms);
}

static void make(struct fan *fan, struct crowd_world *world, enum move move, const struct fan_answer *answer,
                 int64_t now_ms) {
    switch (move) {
    case ON:
        move_on(fan, world, answer, now_ms);
        break;
    case WAIT:
        wait(fan, world, answer, now_ms);
        break;
    case BUSY:
        world->counts.busy++;
        come_back(fan, world, answer->retry_after_seconds, now_ms);
        break;
    case TURN:
        wait_for_turn(fan, answer, now_ms);
        break;
    case NEXT:
        next_best(fan, world, now_ms);
        break;
    case LOST:
        look_again(fan, world, now_ms);
        break;
    case CARD:
        was_declined(fan, world, answer->body, now_ms);
        break;
    case DROP:
        react(fan, world, FAN_RELEASING, now_ms);
        break;
    case LEAVE:
        leave(fan, world, now_ms);
        break;
    case REST:
    case MOVE_NONE:
        rest(fan, world, now_ms);
    }
}

void fan_hear(struct fan *fan, struct crowd_world *world, const struct fan_answer *answer, int64_t now_ms) {
    enum fan_answer_kind kind = fan_answer_kind(answer);
    enum move move = moves[fan->state][kind];
    assert(move != MOVE_NONE);
    world->counts.refused += kind == ANSWER_REFUSED;
    make(fan, world, move, answer, now_ms);
}
