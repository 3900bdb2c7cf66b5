#include "options.h"
#include "base/bytes.h"
#include "chance.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FANS 4000000
#define MOST_SEEDS 1000000

static const struct {
    const char *name, *words;
} faults[FAULT_COUNT] = {
#define FAULT(name, words) {#name, words},
#include "faults.def"
#undef FAULT
};

static int say_usage(FILE *to) {
    fprintf(to,
            "usage: onsale-sim [--seed N] [--seeds COUNT] [--fans N] [--seats N] [--rate A_MINUTE]\n"
            "                  [--max-active N] [--order arrival|shuffle] [--faults all|none|NAME,NAME…]\n"
            "                  [--trace] [--quiet] [--help]\n\n"
            "Plays an on-sale in virtual time: the waiting room, the seats and the sagas that serve, among\n"
            "simulated fans, gateway, disks and crashes. One seed is one history. The last line is\n"
            "`seed=N digest=HEX ok`, or says what broke; then it exits with 1.\n\n"
            "  --seed N         the first world's seed (1)\n"
            "  --seeds COUNT    so many worlds, with seeds from there on (1)\n"
            "  --fans N         who come, at most %d (10000)\n"
            "  --seats, --rate, --max-active, --order   drawn by the seed where they are not given\n"
            "  --trace          says all that happens\n"
            "  --quiet          says the last line only\n\nFaults:\n",
            MOST_FANS);
    for (int i = 0; i < FAULT_COUNT; i++)
        fprintf(to, "  %-9s %s\n", faults[i].name, faults[i].words);
    return to == stdout ? 0 : 2;
}

static bool read_faults(const char *text, uint32_t *mask) {
    *mask = 0;
    if (strcmp(text, "none") == 0)
        return true;
    if (strcmp(text, "all") == 0) {
        *mask = (1u << FAULT_COUNT) - 1;
        return true;
    }
    while (*text) {
        size_t length = strcspn(text, ",");
        int found = 0;
        while (found < FAULT_COUNT &&
               (strlen(faults[found].name) != length || strncmp(faults[found].name, text, length)))
            found++;
        if (found == FAULT_COUNT)
            return false;
        *mask |= 1u << found;
        text += length + (text[length] == ',');
    }
    return *mask != 0;
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint32_t *number) {
    uint64_t value;
    if (!bytes_to_u64(bytes_of(text), most, &value) || value < least)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool read_value(struct options *options, const char *name, const char *text) {
    if (strcmp(name, "--seed") == 0)
        return bytes_to_u64(bytes_of(text), INT64_MAX, &options->seed);
    if (strcmp(name, "--seeds") == 0)
        return read_number(text, 1, MOST_SEEDS, &options->seeds);
    if (strcmp(name, "--fans") == 0)
        return read_number(text, 1, MOST_FANS, &options->fans);
    if (strcmp(name, "--seats") == 0)
        return read_number(text, 1, LIMIT_SEATS_PER_SHOW, &options->seats);
    if (strcmp(name, "--rate") == 0)
        return read_number(text, 1, LIMIT_RATE_PER_MINUTE, &options->rate);
    if (strcmp(name, "--max-active") == 0)
        return read_number(text, 1, LIMIT_ACTIVE, &options->max_active);
    if (strcmp(name, "--faults") == 0)
        return read_faults(text, &options->faults);
    options->order = strcmp(text, "arrival") == 0 ? ORDER_ARRIVAL : ORDER_SHUFFLE;
    return strcmp(text, "arrival") == 0 || strcmp(text, "shuffle") == 0;
}

static bool takes_value(const char *name) {
    static const char *const names[] = {"--seed", "--seeds",      "--fans",   "--seats",
                                        "--rate", "--max-active", "--faults", "--order"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool options_read(struct options *options, int count, char **arguments, int *status) {
    *options = (struct options){.seed = 1, .seeds = 1, .fans = 10000};
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        if (strcmp(name, "--help") == 0) {
            *status = say_usage(stdout);
            return false;
        }
        if (strcmp(name, "--trace") == 0) {
            options->trace = true;
        } else if (strcmp(name, "--quiet") == 0) {
            options->quiet = true;
        } else if (!takes_value(name)) {
            fprintf(stderr, "onsale-sim: there is no option '%s'\n", name);
            *status = say_usage(stderr);
            return false;
        } else if (i + 1 == count || !read_value(options, name, arguments[i + 1])) {
            fprintf(stderr, "onsale-sim: %s: '%s' will not do\n", name, i + 1 == count ? "" : arguments[i + 1]);
            *status = say_usage(stderr);
            return false;
        } else {
            i++;
        }
    }
    return true;
}

static uint32_t within(uint32_t value, uint32_t least, uint32_t most) {
    return value < least ? least : value > most ? most : value;
}

/* Scarce seats, as on a day that matters; now and then enough for everyone. */
void terms_draw(struct terms *terms, const struct options *options, uint64_t seed) {
    struct chance chance;
    chance_seed(&chance, seed, 1);
    uint32_t fans = options->fans;
    uint32_t seats = within(fans / (uint32_t)chance_between(&chance, 4, 20), 20, 50000);
    if (chance_permille(&chance, 100))
        seats = within(fans * 4, 20, LIMIT_SEATS_PER_SHOW);
    uint32_t rate = within(fans / (uint32_t)chance_between(&chance, 3, 30), 30, 5000);
    uint32_t active = within(rate * (uint32_t)chance_between(&chance, 1, 4) / 2, 10, 20000);
    *terms = (struct terms){.fans = fans, .seats = options->seats ? options->seats : seats};
    terms->queue = (struct queue_settings){.rate_per_minute = options->rate ? options->rate : rate,
                                           .max_active = options->max_active ? options->max_active : active,
                                           .claim_seconds = (uint32_t)chance_between(&chance, 20, 180),
                                           .pass_seconds = (uint32_t)chance_between(&chance, 120, 900)};
    terms->show = (struct show_settings){.hold_seconds = (int32_t)chance_between(&chance, 60, 600),
                                         .grace_seconds = (int32_t)chance_between(&chance, 5, 60),
                                         .max_seats_per_user = (uint32_t)chance_between(&chance, 0, 8),
                                         .payment_attempts = (uint32_t)chance_between(&chance, 1, 3),
                                         .orphan_rule = ORPHAN_OFF,
                                         .currency = "EUR"};
    for (int i = 0; i < LIMIT_CATEGORIES_PER_SHOW; i++)
        terms->show.price[i] = WORLD_PRICE;
    terms->is_shuffled =
        options->order == ORDER_DRAWN ? chance_permille(&chance, 500) : options->order == ORDER_SHUFFLE;
    terms->opens_ms = chance_between(&chance, 60000, 600000);
    terms->faults_end_ms = terms->opens_ms + chance_between(&chance, 300000, 1800000);
    terms->numbers_drawn_at_once = within(fans / 8, 64, LIMIT_PLACES_UNKNOWN);
    /* A million fans are told what a stadium's operator would set. */
    if (fans >= 200000) {
        terms->seats = options->seats ? options->seats : 50000;
        terms->queue = (struct queue_settings){.rate_per_minute = options->rate ? options->rate : 5000,
                                               .max_active = options->max_active ? options->max_active : 10000,
                                               .claim_seconds = 120,
                                               .pass_seconds = 600};
    }
}
