#include "fans.h"
#include "memory.h"
#include "world.h"

#define MOST_PLACES 3 /* so often a fan joins, at most */

static int64_t jittered(struct world *world, int64_t ms) {
    return ms * chance_between(&world->fans_chance, 800, 1200) / 1000;
}

static void wake_in(struct world *world, uint32_t fan, int64_t ms) {
    events_add_fan(&world->events, world->now_ms + (ms > 0 ? ms : 1), fan);
}

static void go_home(struct world *world, uint32_t fan) {
    world_note(world, HAPPENED_WENT_HOME, fan, world->crowd.fans[fan].state);
    world->crowd.fans[fan].state = FAN_HOME;
    world->crowd.home++;
}

/* ---- coming ---- */

static uint8_t draw_traits(struct world *world) {
    struct chance *chance = &world->fans_chance;
    uint8_t traits = 0;
    if (chance_permille(chance, 50))
        traits |= TRAIT_TWO_TABS;
    if (chance_permille(chance, 100))
        traits |= TRAIT_RELOADS;
    if (!(world->options->faults >> FAULT_noshow & 1))
        return traits;
    if (chance_permille(chance, 150))
        traits |= TRAIT_WALKS_AWAY;
    if (chance_permille(chance, 40))
        traits |= TRAIT_LEAVES;
    if (chance_permille(chance, 100))
        traits |= TRAIT_LATE;
    return traits;
}

/* Some gather before the opening, most come with it, the rest trickles in. */
static int64_t draw_arrival(struct world *world) {
    struct chance *chance = &world->fans_chance;
    int64_t opens_ms = world->terms.opens_ms, wait_ms;
    uint32_t kind = chance_below(chance, 1000);
    if (kind < 400)
        return chance_between(chance, 1000, opens_ms);
    wait_ms = chance_exponential(chance, kind < 800 ? 1500 : 180000);
    return opens_ms + (wait_ms > 3600000 ? 3600000 : wait_ms);
}

void crowd_comes(struct world *world) {
    struct crowd *crowd = &world->crowd;
    crowd->count = world->terms.fans;
    crowd->fans = memory_new(crowd->count, sizeof *crowd->fans);
    for (uint32_t fan = 0; fan < crowd->count; fan++) {
        crowd->fans[fan].traits = draw_traits(world);
        events_add_fan(&world->events, draw_arrival(world), fan);
    }
}

void crowd_release(struct crowd *crowd) {
    memory_free(crowd->fans);
    memory_free(crowd->shoppers);
}

/* ---- shoppers ---- */

static uint32_t shopper_new(struct world *world, uint32_t fan) {
    struct crowd *crowd = &world->crowd;
    uint32_t slot = crowd->free_shopper, plan = 0;
    if (slot) {
        plan = crowd->shoppers[--slot].plan;
        crowd->free_shopper = crowd->shoppers[slot].next_free;
    } else {
        crowd->shoppers =
            memory_grow(crowd->shoppers, &crowd->shopper_room, crowd->shopper_count + 1, sizeof *crowd->shoppers);
        slot = crowd->shopper_count++;
    }
    crowd->shoppers[slot] =
        (struct shopper){.in_use = true, .fan = fan, .number = crowd->fans[fan].number, .plan = plan + 1};
    crowd->fans[fan].shopper = slot + 1;
    return slot;
}

static void shopper_end(struct world *world, uint32_t slot) {
    struct crowd *crowd = &world->crowd;
    struct shopper *shopper = &crowd->shoppers[slot];
    crowd->fans[shopper->fan].shopper = 0;
    shopper->in_use = false;
    shopper->plan++;
    shopper->next_free = crowd->free_shopper;
    crowd->free_shopper = slot + 1;
}

/* What it does next; what it was about to do is off. */
static void plan_in(struct world *world, uint32_t slot, int64_t ms) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    shopper->plan++;
    events_add(&world->events, world->now_ms + (ms > 0 ? ms : 1), EVENT_SHOPPER, 0, slot, shopper->plan);
}

/* Somebody quick is a few milliseconds behind every answer. */
static int64_t thinks_ms(struct world *world, uint32_t slot, int64_t mean_ms) {
    if (world->crowd.shoppers[slot].fan % 16 == 3)
        return chance_between(&world->fans_chance, 1, 60);
    return 500 + chance_exponential(&world->fans_chance, mean_ms);
}

/* ---- waiting ---- */

static void join(struct world *world, uint32_t index) {
    struct fan *fan = &world->crowd.fans[index];
    struct place place;
    enum room_answer answer = room_join(world, index, &place);
    if (answer != ROOM_OK) {
        wake_in(world, index, jittered(world, answer == ROOM_DOWN ? 5000 : 1000));
        return;
    }
    if (world_has(world, FAULT_network) && chance_permille(&world->fans_chance, 10)) {
        wake_in(world, index, jittered(world, 4000)); /* the answer was lost */
        return;
    }
    if (fan->traits & TRAIT_TWO_TABS)
        (void)room_join(world, index, &place);
    fan->number = place.number;
    fan->position = place.position;
    fan->polls = 0;
    fan->places++;
    fan->state = FAN_WAITING;
    if (fan->traits & TRAIT_WALKS_AWAY)
        go_home(world, index);
    else
        wake_in(world, index, jittered(world, 2000));
}

/* The place is gone. Most try again, at the end. */
static void start_over(struct world *world, uint32_t index) {
    struct fan *fan = &world->crowd.fans[index];
    if (fan->places >= MOST_PLACES || chance_permille(&world->fans_chance, 300)) {
        go_home(world, index);
        return;
    }
    fan->state = FAN_AWAY;
    wake_in(world, index, jittered(world, 3000));
}

/* The poll rule of the status. */
static int64_t polls_in(struct world *world, const struct fan *fan, const struct room_status *status) {
    int64_t ms = (int64_t)status->retry_seconds * 1000, most_ms = (int64_t)status->max_seconds * 1000;
    if (fan->position > status->serving)
        ms += (int64_t)(fan->position - status->serving) * status->per_thousand_seconds;
    if (!status->is_open && world->now_ms < world->terms.opens_ms && ms < most_ms)
        ms = world->terms.opens_ms - world->now_ms < most_ms ? world->terms.opens_ms - world->now_ms + 500 : most_ms;
    ms = jittered(world, ms < most_ms ? ms : most_ms);
    return fan->traits & TRAIT_LATE ? 4 * ms + 20000 : ms;
}

static void claim(struct world *world, uint32_t index, const struct room_status *status) {
    struct fan *fan = &world->crowd.fans[index];
    uint32_t slot = shopper_new(world, index);
    uint32_t plan = world->crowd.shoppers[slot].plan + 1;
    int64_t retry_ms = 0;
    enum room_answer answer = room_claim(world, index, fan->number, slot, plan, &retry_ms);
    if (answer == ROOM_OK && fan->traits & TRAIT_TWO_TABS)
        (void)room_claim(world, index, fan->number, slot, plan, &retry_ms);
    if (answer == ROOM_OK) {
        fan->state = FAN_INSIDE;
        plan_in(world, slot, 8000); /* if no answer comes */
        return;
    }
    shopper_end(world, slot);
    if (answer == ROOM_MISSED) {
        start_over(world, index);
        return;
    }
    fan->position = room_position(world, fan->number);
    if (answer == ROOM_DOWN)
        wake_in(world, index, jittered(world, 5000));
    else if (answer == ROOM_BUSY)
        wake_in(world, index, 1000);
    else if (answer == ROOM_AT_THE_DOOR)
        wake_in(world, index, jittered(world, retry_ms));
    else
        wake_in(world, index, polls_in(world, fan, status));
}

static void poll(struct world *world, uint32_t index) {
    struct fan *fan = &world->crowd.fans[index];
    const struct room_status *status = room_status(world);
    struct place place;
    world->crowd.polls++;
    fan->polls++;
    if (!status->is_up) {
        wake_in(world, index, jittered(world, 8000));
    } else if (status->is_sold_out) {
        go_home(world, index);
    } else if (fan->traits & TRAIT_LEAVES && fan->polls > 3) {
        if (room_leave(world, index, fan->number) == ROOM_DOWN)
            wake_in(world, index, 5000);
        else
            start_over(world, index);
    } else if (status->is_open && (fan->position == 0 || fan->position <= status->serving)) {
        claim(world, index, status);
    } else {
        if (fan->traits & TRAIT_RELOADS && chance_permille(&world->fans_chance, 200) &&
            room_join(world, index, &place) == ROOM_OK) {
            fan->number = place.number;
            fan->position = place.position;
        }
        wake_in(world, index, polls_in(world, fan, status));
    }
}

void fan_wakes(struct world *world, uint32_t index) {
    if (world->crowd.fans[index].state == FAN_AWAY)
        join(world, index);
    else if (world->crowd.fans[index].state == FAN_WAITING)
        poll(world, index);
}

/* ---- inside ---- */

void shopper_has_pass(struct world *world, uint32_t slot, uint32_t plan) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    if (shopper->plan != plan)
        return;
    if (world_has(world, FAULT_network) && chance_permille(&world->fans_chance, 20))
        return;
    world_note(world, HAPPENED_SHOPS, shopper->fan, shopper->number);
    shopper->state = SHOPPER_LOOKS;
    plan_in(world, slot, thinks_ms(world, slot, 20000));
}

/* Done, or had enough. The polite give their pass back. */
static void leave(struct world *world, uint32_t slot) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    uint32_t fan = shopper->fan;
    if (chance_permille(&world->fans_chance, 500))
        (void)room_leave(world, fan, shopper->number);
    shopper_end(world, slot);
    go_home(world, fan);
}

static uint32_t draw_card(struct world *world) {
    uint32_t drawn = chance_below(&world->fans_chance, 1000);
    if (drawn < 60)
        return CARD_DECLINED;
    if (!world_has(world, FAULT_gateway))
        return CARD_GOOD;
    return drawn < 70 ? CARD_WANTS_ACTION : drawn < 100 ? CARD_IS_SLOW : CARD_GOOD;
}

static void look(struct world *world, uint32_t slot) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    struct chance *chance = &world->fans_chance;
    uint32_t fan = shopper->fan;
    bool passes = room_lets_pass(world, shopper->number);
    checks_pass_shown(world, shopper->number, passes);
    if (!passes) {
        world_note(world, HAPPENED_PASS_ENDED, fan, shopper->number);
        shopper_end(world, slot);
        start_over(world, fan);
        return;
    }
    struct hold hold;
    uint32_t quantity = shopper->tries > 3 ? 1 : 1 + chance_below(chance, 4);
    enum result result = office_hold(world, fan, quantity, chance_permille(chance, 300), &hold);
    if (result != RESULT_OK) {
        world_note(world, HAPPENED_HOLD_REFUSED, fan, (uint64_t)result);
        world->server.look.answers++;
        if (++shopper->tries > 6)
            leave(world, slot);
        else
            plan_in(world, slot, thinks_ms(world, slot, result == RESULT_SOLD_OUT ? 20000 : 4000));
        return;
    }
    uint32_t check = world->checks.hold_count - 1;
    shopper->state = SHOPPER_HOLDS;
    shopper->reservation = hold.reservation;
    shopper->check = check;
    shopper->card = draw_card(world);
    world_note(world, HAPPENED_HELD, fan, world->checks.holds[check].seats[0]);
    world->server.look.answers++;
    if (world_has(world, FAULT_noshow) && chance_permille(chance, 80)) {
        shopper_end(world, slot); /* never seen again; the hold and the pass end by their time */
        go_home(world, fan);
    } else {
        plan_in(world, slot, thinks_ms(world, slot, 40000));
    }
}

static void pay(struct world *world, uint32_t slot) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    shopper->state = SHOPPER_PAYS;
    shopper->payments++;
    plan_in(world, slot, 15000); /* if no answer comes */
    sagas_confirm(world, shopper->fan, &shopper->reservation, shopper->card, slot, shopper->plan);
}

static void let_go(struct world *world, uint32_t slot) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    enum result result = office_release(world, &shopper->reservation);
    if (result == RESULT_OK)
        world_note(world, HAPPENED_RELEASED, shopper->fan, world->checks.holds[shopper->check].seats[0]);
    else if (result != RESULT_PAYMENT_IN_PROGRESS) /* a payment that came late has it */
        checks_hold_is_gone(world, shopper->check);
    shopper->state = SHOPPER_LOOKS;
    shopper->tries++;
    plan_in(world, slot, thinks_ms(world, slot, 5000));
}

void shopper_wakes(struct world *world, uint32_t slot, uint32_t plan) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    if (!shopper->in_use || shopper->plan != plan)
        return;
    if (shopper->state == SHOPPER_CLAIMS) {
        uint32_t fan = shopper->fan;
        shopper_end(world, slot);
        world->crowd.fans[fan].state = FAN_WAITING;
        wake_in(world, fan, jittered(world, 2000));
    } else if (!world->server.is_up) {
        plan_in(world, slot, jittered(world, 3000));
    } else if (shopper->state == SHOPPER_LOOKS) {
        look(world, slot);
    } else if (shopper->state == SHOPPER_HOLDS && chance_permille(&world->fans_chance, 40)) {
        let_go(world, slot);
    } else {
        pay(world, slot);
    }
}

static void is_told_of_sale(struct world *world, uint32_t slot) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    uint32_t fan = shopper->fan;
    world_note(world, HAPPENED_CONFIRMED, fan, shopper->row);
    checks_told_confirmed(world, fan, shopper->row);
    if (chance_permille(&world->fans_chance, 60))
        events_add(&world->events, world->now_ms + chance_exponential(&world->fans_chance, 300000), EVENT_REFUND, 0,
                   shopper->row, 0);
    shopper_end(world, slot);
    go_home(world, fan);
}

void shopper_has_outcome(struct world *world, uint32_t slot, uint32_t plan) {
    struct shopper *shopper = &world->crowd.shoppers[slot];
    if (!shopper->in_use || shopper->plan != plan || shopper->state != SHOPPER_PAYS)
        return;
    if (shopper->outcome == RESULT_OK) {
        is_told_of_sale(world, slot);
        return;
    }
    world_note(world, HAPPENED_FAILED, shopper->fan, (uint64_t)shopper->outcome);
    bool is_kept = shopper->outcome == RESULT_GATEWAY_UNAVAILABLE || shopper->outcome == RESULT_PAYMENT_DECLINED;
    shopper->tries++;
    if (shopper->payments > 4 || shopper->tries > 6) {
        leave(world, slot);
        return;
    }
    /* Perhaps the hold is still there; if not, the next confirm says so. */
    shopper->state = is_kept && chance_permille(&world->fans_chance, 700) ? SHOPPER_HOLDS : SHOPPER_LOOKS;
    shopper->card = draw_card(world);
    plan_in(world, slot, thinks_ms(world, slot, 8000));
}
