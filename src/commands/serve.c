/* `onsale serve`: reads the settings, opens the engines, hands them to a node, waits for a signal, closes all in order.
 */
#include "api/address_limits.h"
#include "api/media.h"
#include "api/pages.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/random.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "commands/demo_crowd.h"
#include "commands/gateway_child.h"
#include "commands/serve_relay.h"
#include "commands/serve_shape.h"
#include "engines/memory/memory_store.h"
#include "engines/memory/queue_log.h"
#include "engines/sqlite/sqlite_ledger.h"
#include "engines/stripe/stripe_gateway.h"
#include "engines/webhook/webhook_sender.h"
#include "venues.h"
#include "runtime/key_files.h"
#include "runtime/node.h"
#include "runtime/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_MS 200

struct server {
    struct settings settings;
    const char *folder;
    int lock;
    char token[2 * 32 + 1];
    struct ledger ledger;
    struct hold_store holds;
    struct queue_logs queue_logs;
    struct payments payments;
    struct courier_settings courier; /* url NULL: nobody is told */
    struct gateway_child child;
    struct demo_crowd crowd;
    struct node *node;
    char fault[4000];
};

static int fail(const struct server *server) {
    return say_failure("%s", server->fault);
}

/* ---- the data folder ---- */

static bool open_folder(struct server *server) {
    server->folder = server->settings.text[SETTING_data];
    enum result result = folder_make(server->folder);
    if (result == RESULT_OK)
        result = folder_lock(server->folder, &server->lock);
    if (result == RESULT_IN_USE)
        snprintf(server->fault, sizeof server->fault,
                 "another onsale serves from '%s'; stop it, or give another folder with --data", server->folder);
    else if (result != RESULT_OK)
        snprintf(server->fault, sizeof server->fault, "cannot use the data folder '%s': %s", server->folder,
                 strerror(errno));
    if (result != RESULT_OK)
        return false;
    /* Where the last server listened, somebody else may by now. */
    char path[3200];
    snprintf(path, sizeof path, "%s/listen.json", server->folder);
    unlink(path);
    return true;
}

/* The operator's token: given, or made at the first start. */
static const char *why_not_read(enum result result) {
    return result == RESULT_OK               ? "it is empty; delete it, and a new token is made"
           : result == RESULT_BODY_TOO_LARGE ? "it is too large"
                                             : strerror(errno);
}

static bool find_token(struct server *server, struct id *hash) {
    const char *given = server->settings.text[SETTING_admin_token];
    char path[3200];
    struct buffer kept;
    for (const char *c = given; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            snprintf(server->fault, sizeof server->fault,
                     "ONSALE_ADMIN_TOKEN may have visible ASCII characters only, no space and no newline");
            return false;
        }
    }
    if (given[0]) {
        *hash = api_token_hash(bytes_of(given));
        return true;
    }
    snprintf(path, sizeof path, "%s/admin-token", server->folder);
    buffer_init(&kept, 512);
    enum result result = file_read(path, &kept);
    if (result == RESULT_NOT_FOUND) {
        uint8_t fresh[32];
        random_bytes(fresh, sizeof fresh);
        hex_encode(fresh, sizeof fresh, server->token);
        buffer_add_text(&kept, server->token);
        buffer_add_char(&kept, '\n');
        result = file_write_atomically(path, buffer_bytes(&kept), 0600);
    }
    while (kept.length && (kept.at[kept.length - 1] == '\n' || kept.at[kept.length - 1] == '\r'))
        kept.length--;
    *hash = api_token_hash(buffer_bytes(&kept));
    bool good = result == RESULT_OK && kept.length > 0;
    buffer_release(&kept);
    if (!good)
        snprintf(server->fault, sizeof server->fault, "cannot read or write '%s': %s", path, why_not_read(result));
    return good;
}

static bool write_listen_file(struct server *server) {
    char path[3200];
    struct buffer text;
    snprintf(path, sizeof path, "%s/listen.json", server->folder);
    buffer_init(&text, 1024);
    struct json_writer writer = json_writer(&text);
    json_open(&writer, '{');
    json_member_text(&writer, "listen", node_address(server->node));
    json_member_text(&writer, "admin_listen", node_admin_address(server->node));
    json_close(&writer, '}');
    buffer_add_char(&text, '\n');
    enum result result = file_write_atomically(path, buffer_bytes(&text), 0600);
    buffer_release(&text);
    if (result != RESULT_OK)
        snprintf(server->fault, sizeof server->fault, "cannot write '%s': %s", path, strerror(errno));
    return result == RESULT_OK;
}

/* ---- the engines ---- */

static bool open_ledger(struct server *server) {
    const char *wanted = server->settings.text[SETTING_ledger];
    if (strcmp(wanted, "sqlite") != 0) {
        snprintf(server->fault, sizeof server->fault, "--ledger %s: this version keeps its ledger in sqlite only",
                 wanted);
        return false;
    }
    struct sqlite_ledger_settings settings = {.locking = server->settings.number[SETTING_locking] ? LEDGER_PESSIMISTIC
                                                                                                  : LEDGER_OPTIMISTIC,
                                              .outbox = server->courier.url != NULL};
    return sqlite_ledger_open(server->folder, &settings, &server->ledger, server->fault, sizeof server->fault) ==
           RESULT_OK;
}

static bool open_holds(struct server *server) {
    const char *wanted = server->settings.text[SETTING_holds];
    if (strcmp(wanted, "memory") != 0) {
        snprintf(server->fault, sizeof server->fault, "--holds %s: this version keeps its holds in memory only",
                 wanted);
        return false;
    }
    struct memory_store_settings settings = {.folder = server->folder};
    return memory_store_open(&settings, &server->holds, server->fault, sizeof server->fault) == RESULT_OK;
}

static bool open_queue_logs(struct server *server) {
    return queue_log_store_new(server->folder, &server->queue_logs, server->fault, sizeof server->fault) == RESULT_OK;
}

/* ---- keys and roles ---- */

/* A ring from malloc(), or NULL. */
static struct keyring *read_keys(struct server *server) {
    char inside[3200];
    const char *folder = server->settings.text[SETTING_keys];
    struct keyring *ring = malloc(sizeof *ring);
    if (!ring)
        return NULL;
    snprintf(inside, sizeof inside, "%s/keys", server->folder);
    enum result result =
        key_files_open(folder[0] ? folder : inside, clock_now_ms(), ring, server->fault, sizeof server->fault);
    if (result == RESULT_OK)
        return ring;
    free(ring);
    return NULL;
}

/* "queue,seats" → the roles, or 0. */
static unsigned roles_of(const char *text) {
    static const struct {
        const char *name;
        unsigned role;
    } names[] = {{"queue", ROLE_QUEUE}, {"seats", ROLE_SEATS}, {"bookings", ROLE_BOOKINGS}, {"live", ROLE_LIVE}};
    unsigned roles = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        unsigned role = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strlen(names[i].name) == length && memcmp(at, names[i].name, length) == 0)
                role = names[i].role;
        if (!role)
            return 0;
        roles |= role;
        at += length;
        at += *at == ',';
    }
    return roles;
}

static bool check_roles(struct server *server) {
    const char *text = server->settings.text[SETTING_roles];
    unsigned roles = roles_of(text);
    if (!roles)
        snprintf(server->fault, sizeof server->fault,
                 "--roles %s: has to be a list of queue, seats, bookings and live, such as queue,seats", text);
    else if (roles == ROLE_LIVE)
        return serve_relay_check(&server->settings, server->fault, sizeof server->fault) == RESULT_OK;
    else if (server->settings.text[SETTING_upstream][0])
        snprintf(server->fault, sizeof server->fault,
                 "--upstream goes with --roles live: who follows another node sells "
                 "nothing itself");
    else if (roles != ROLE_ALL && roles != ROLE_QUEUE)
        snprintf(
            server->fault, sizeof server->fault,
            "--roles %s: this version takes all four, queue alone, or live alone with --upstream: with its engines "
            "in one process, seats and bookings cannot be apart",
            text);
    else
        return true;
    return false;
}

/* ---- limits by address ---- */

static bool read_limits(struct server *server, struct address_limits **limits, struct trusted_proxies *proxies) {
    const struct settings *from = &server->settings;
    char fault[400];
    if (trusted_proxies_parse(bytes_of(from->text[SETTING_trusted_proxies]), proxies, fault, sizeof fault) !=
        RESULT_OK) {
        snprintf(server->fault, sizeof server->fault, "--trusted-proxies: %s", fault);
        return false;
    }
    *limits = NULL;
    if (from->number[SETTING_limits] != 0)
        return true;
    *limits = address_limits_new();
    if (*limits)
        address_limits_set_rate(*limits, LIMIT_KIND_JOIN, (uint32_t)from->number[SETTING_joins_per_minute]);
    else
        snprintf(server->fault, sizeof server->fault, "there is no memory for limits by address");
    return *limits != NULL;
}

/* SIGHUP: keys that were rotated count from here on. */
static void change_keys(struct server *server) {
    struct keyring *keys = read_keys(server);
    if (keys)
        node_change_keys(server->node, keys);
    else
        log_error("the keys were not read again, the old ones stay", LOG_STRING("why", server->fault));
}

static bool open_payments(struct server *server) {
    const char *wanted = server->settings.text[SETTING_payments];
    const char *key = server->settings.text[SETTING_payments_key];
    char url[120];
    struct stripe_settings settings = {
        .url = wanted, .secret_key = key, .call_ms = (int)server->settings.number[SETTING_gateway_seconds] * 1000};
    if (strcmp(wanted, "sandbox") == 0) {
        if (gateway_child_start(server->folder, &server->child, server->fault, sizeof server->fault) != RESULT_OK)
            return false;
        snprintf(url, sizeof url, "http://%s", server->child.address);
        settings.url = url;
        settings.secret_key = "sk_test_sandbox";
    } else if (!key[0]) {
        snprintf(server->fault, sizeof server->fault,
                 "--payments %s: set ONSALE_PAYMENTS_KEY to the gateway's secret key", wanted);
        return false;
    }
    enum result result = stripe_gateway_new(&settings, &server->payments);
    if (result != RESULT_OK)
        snprintf(server->fault, sizeof server->fault, "--payments %s: %s", wanted,
                 result == RESULT_INVALID_FIELD ? "has to be sandbox, https://…, or http:// on this machine"
                                                : result_words(result));
    return result == RESULT_OK;
}

/* ---- who is told ---- */

static void send_webhook(void *engine, struct webhook_message *message) {
    webhook_sender_send(engine, message);
}

static void free_webhooks(void *engine) {
    webhook_sender_free(engine);
}

static bool open_webhook(struct server *server) {
    const char *url = server->settings.text[SETTING_webhook], *secrets = server->settings.text[SETTING_webhook_secret];
    static const char advice[] = "make one with: echo whsec_$(head -c 32 /dev/urandom | base64)";
    if (!url[0])
        return true;
    if (webhook_url_check(url) != RESULT_OK) {
        snprintf(server->fault, sizeof server->fault, "--webhook %s: has to be https://…, or http:// on this machine",
                 url);
        return false;
    }
    if (!secrets[0]) {
        snprintf(server->fault, sizeof server->fault,
                 "--webhook %s: set ONSALE_WEBHOOK_SECRET to the secret that webhooks are signed with; %s", url,
                 advice);
        return false;
    }
    if (courier_check_secrets(secrets) != RESULT_OK) {
        snprintf(server->fault, sizeof server->fault,
                 "ONSALE_WEBHOOK_SECRET has to be whsec_ and 24 to 64 bytes in base64, or up to %d of them between "
                 "spaces; %s",
                 LIMIT_WEBHOOK_SECRETS, advice);
        return false;
    }
    struct webhook_sender_settings settings = {0};
    struct webhook_sender *sender;
    enum result result = webhook_sender_new(&settings, &sender);
    if (result != RESULT_OK)
        snprintf(server->fault, sizeof server->fault, "--webhook %s: %s", url, result_words(result));
    else
        server->courier = (struct courier_settings){
            .ledger = &server->ledger, .url = url, .secrets = secrets, .post = {sender, send_webhook, free_webhooks}};
    return result == RESULT_OK;
}

static enum result recover_holds(struct hold_store *holds, struct show *show, int64_t now_ms) {
    struct memory_recovery recovery;
    enum result result = memory_store_recover(holds, show, now_ms, &recovery);
    if (result == RESULT_OK && (recovery.restored || recovery.lost || recovery.foreign))
        log_info("holds put back", LOG_INT("restored", recovery.restored), LOG_INT("ran_out", recovery.ran_out),
                 LOG_INT("lost", recovery.lost), LOG_INT("foreign", recovery.foreign));
    return result;
}

/* ---- the demo ---- */

#define DEMO_COLOR "#c2257a" /* of its picture's light */

static bool count_show(void *context, const struct show_record *record) {
    (void)record;
    ++*(unsigned *)context;
    return true;
}

/* A stadium on sale, in a ledger that has no show yet. */
static bool make_demo(struct server *server) {
    struct ledger_reader *reader;
    unsigned shows = 0;
    enum result result = server->ledger.reader_new(server->ledger.engine, &reader);
    if (result == RESULT_OK) {
        result = server->ledger.read_shows(reader, count_show, &shows);
        server->ledger.reader_free(reader);
    }
    if (result == RESULT_OK && shows)
        return true;
    struct sale_fault fault = {0};
    struct sale_terms terms;
    struct plan *plan;
    struct id show_id;
    sale_default_terms(&terms);
    snprintf(terms.event_name, sizeof terms.event_name, "Demo: World Tour, the stadium night");
    terms.start_ms = clock_now_ms() + 30LL * 86400000;
    terms.room.enabled = true;
    snprintf(terms.accent_color, sizeof terms.accent_color, "%s", DEMO_COLOR);
    const char *why;
    struct show_image picture;
    bool has_picture = media_prepare(pages_demo_picture(), &picture, terms.image, &why) == RESULT_OK;
    terms.cancellation = (struct cancel_terms){.allowed = true, .until_seconds = 86400};
    if (result == RESULT_OK)
        result = read_plan_text(venue_stadium(), &plan, &terms, &fault);
    if (result == RESULT_OK) {
        result = ledger_make_show(&server->ledger, plan, &terms, has_picture ? &picture : NULL, &show_id);
        plan_free(plan);
    }
    if (result != RESULT_OK)
        snprintf(server->fault, sizeof server->fault, "cannot make the demo show: %s",
                 fault.detail[0] ? fault.detail : result_words(result));
    return result == RESULT_OK;
}

/* What is there, and what to try next. */
static void say_demo(const struct server *server) {
    struct sale *sale = node_first_sale(server->node);
    if (!sale || sale->plan->seat_count < 2)
        return;
    char show[ID_UUID_TEXT + 1] = "";
    id_format_uuid(&sale->show_id, show);
    char token[3300] = "$ONSALE_ADMIN_TOKEN";
    if (!server->settings.text[SETTING_admin_token][0])
        snprintf(token, sizeof token, "$(cat '%s/admin-token')", server->folder);
    if (pages_demo_picture().length)
        fprintf(stderr, "\n  Look at http://%s/ in a browser.\n", node_address(server->node));
    fprintf(stderr,
            "\n  A stadium of %u places is on sale, with its waiting room on. Try, in another terminal:\n\n"
            "    SHOP=http://%s SHOW=%s\n"
            "    post() { curl -s -H 'Content-Type: application/json' \"$@\"; }\n\n"
            "  Queue up, and go in when it is your turn, which is at once:\n\n"
            "    TICKET=$(post $SHOP/api/v1/shows/$SHOW/queue -d '{\"user_id\":\"u123\"}' | grep -o 'q1\\.[^\"]*')\n"
            "    PASS=$(post $SHOP/api/v1/shows/$SHOW/queue/claim -d \"{\\\"queue_ticket\\\":\\\"$TICKET\\\"}\" |"
            " grep -o 'ey[^\"]*')\n\n"
            "  Hold the two best seats, then pay for them (any token is approved; tok_declined is not):\n\n"
            "    HOLD=$(post $SHOP/api/v1/shows/$SHOW/seats/reserve -H \"Authorization: Bearer $PASS\" \\\n"
            "         -d '{\"best_available\":{\"quantity\":2},\"user_id\":\"u123\"}' | grep -o 'r[0-9a-f]\\{32\\}')\n"
            "    post $SHOP/api/v1/bookings/confirm \\\n"
            "         -d \"{\\\"reservation_id\\\":\\\"$HOLD\\\",\\\"payment_token\\\":\\\"tok_demo\\\"}\"\n\n"
            "  See how it goes:\n\n"
            "    curl -s -H \"Authorization: Bearer %s\" http://%s/api/v1/admin/shows/$SHOW/stats\n\n"
            "  Ctrl-C stops it; all sales are kept in %s.\n\n",
            sale->plan->seat_count, node_address(server->node), show, token, node_admin_address(server->node),
            server->folder);
}

/* Buyers who buy nothing are for a show that is none: not beside a gateway that takes money, and not without --demo. */
static bool may_have_crowd(struct server *server) {
    const struct settings *settings = &server->settings;
    if (settings->number[SETTING_demo_crowd] == 0 ||
        (settings->number[SETTING_demo] && strcmp(settings->text[SETTING_payments], "sandbox") == 0))
        return true;
    snprintf(server->fault, sizeof server->fault,
             "--demo-crowd goes with --demo and the payment sandbox only: its buyers do not exist");
    return false;
}

static void start_crowd(struct server *server) {
    const struct sale *sale = node_first_sale(server->node);
    int64_t fans = server->settings.number[SETTING_demo_crowd];
    if (!sale || fans == 0)
        return;
    demo_crowd_start(&server->crowd, node_address(server->node), &sale->show_id, fans);
    fprintf(stderr, "  %lld simulated buyers come and go (--demo-crowd).\n\n", (long long)fans);
}

/* ---- running ---- */

static bool start_node(struct server *server, const struct id *token_hash) {
    const struct settings *from = &server->settings;
    struct address_limits *limits;
    struct trusted_proxies proxies;
    const struct keyring *keys = read_keys(server);
    if (!keys || !read_limits(server, &limits, &proxies))
        return false;
    struct node_settings settings = {
        .admin_token_hash = *token_hash,
        .webhook_secrets = bytes_of(from->text[SETTING_payments_webhook_secret]),
        .holds = {&server->holds, recover_holds, memory_store_end_recovery, memory_store_find_answer,
                  memory_store_pending_answers, memory_store_answers_kept, memory_store_close},
        .ledger = &server->ledger,
        .payments = &server->payments,
        .roles = roles_of(from->text[SETTING_roles]),
        .keys = keys,
        .limits = limits,
        .proxies = proxies,
        .queue_logs = &server->queue_logs,
        .courier = server->courier.url ? &server->courier : NULL,
    };
    serve_shape(from, &settings);
    if (node_start(&settings, &server->node, server->fault, sizeof server->fault) != RESULT_OK)
        return false;
    return node_recover(server->node, server->fault, sizeof server->fault) == RESULT_OK;
}

/* Until a signal ends it: true; or until the ledger fails: false. */
static bool wait_for_the_end(struct server *server, const sigset_t *signals) {
    struct timespec wait = {0, WATCH_MS * 1000000L};
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &wait);
        if (signal == SIGTERM || signal == SIGINT) {
            log_info("stopping", LOG_STRING("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
            return true;
        }
        if (signal == SIGHUP) {
            change_keys(server);
            log_info("SIGHUP: the keys were read again; shows are changed by the operator's API; every other setting "
                     "needs a restart");
        }
        if (server->ledger.failed(server->ledger.engine))
            return false;
        gateway_child_watch(&server->child);
        demo_crowd_watch(&server->crowd);
    }
}

static int run(struct server *server, const sigset_t *signals) {
    struct id token_hash;
    if (!check_roles(server) || !may_have_crowd(server))
        return fail(server);
    if (roles_of(server->settings.text[SETTING_roles]) == ROLE_LIVE)
        return serve_relay(&server->settings, signals);
    if (!open_folder(server) || !find_token(server, &token_hash) || !open_webhook(server) || !open_ledger(server) ||
        !open_holds(server) || !open_queue_logs(server) || !open_payments(server))
        return fail(server);
    if (server->settings.number[SETTING_demo] && !make_demo(server))
        return fail(server);
    if (!start_node(server, &token_hash) || !write_listen_file(server))
        return fail(server);
    fprintf(stderr, "onsale %s serves fans at http://%s and the operator at http://%s (token: %s%s)\n", ONSALE_VERSION,
            node_address(server->node), node_admin_address(server->node),
            server->settings.text[SETTING_admin_token][0] ? "as given" : server->folder,
            server->settings.text[SETTING_admin_token][0] ? "" : "/admin-token");
    if (server->settings.number[SETTING_demo])
        say_demo(server);
    start_crowd(server);

    bool asked = wait_for_the_end(server, signals);
    demo_crowd_stop(&server->crowd); /* so that nobody comes any more */
    node_stop(server->node);
    server->payments.free(server->payments.engine);
    queue_log_store_free(&server->queue_logs);
    if (asked)
        return 0;
    return say_failure("the ledger could not be written: nothing was sold since. Mend the disk, run `onsale verify "
                       "--data %s`, start again.",
                       server->folder);
}

int command_serve(int count, char **arguments) {
    static struct server server;
    enum result result = settings_read(count, arguments, &server.settings, server.fault, sizeof server.fault);
    if (result == RESULT_NOT_FOUND) {
        struct buffer help;
        buffer_init(&help, 64 * 1024);
        settings_write_help(&help);
        printf("usage: onsale serve [SETTING ...]\n\nSells tickets, until SIGTERM or Ctrl-C. A setting is a flag, else "
               "a variable, else a line of the file "
               "that --config names.\n\n%.*s\nTo begin: onsale serve --demo\n",
               (int)help.length, help.at);
        buffer_release(&help);
        return 0;
    }
    if (result != RESULT_OK) {
        say_failure("%s", server.fault);
        return 2;
    }
    enum log_level level = LOG_LEVEL_INFO;
    if (log_level_parse(bytes_of(server.settings.text[SETTING_log_level]), &level))
        log_set_level(level);
    /* Before any thread starts, so that only the main thread gets them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int code = run(&server, &signals);
    gateway_child_stop(&server.child);
    settings_release(&server.settings);
    return code;
}
