#include "commands/serve_relay.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "commands/common.h"
#include "commands/serve_shape.h"
#include "engines/upstream/upstream.h"

#include <stdio.h>

enum result serve_relay_check(const struct settings *settings, char *fault, size_t fault_size) {
    const char *url = settings->text[SETTING_upstream];
    if (!url[0])
        snprintf(fault, fault_size,
                 "--roles live alone shows what another node has: name it with --upstream http://HOST:PORT");
    else if (settings->number[SETTING_demo])
        snprintf(fault, fault_size, "--demo makes a show, and a node with --upstream has none of its own");
    else if (upstream_check_url(url) != RESULT_OK)
        snprintf(fault, fault_size, "--upstream %s: has to be http://HOST:PORT or https://HOST:PORT, without a path",
                 url);
    else
        return RESULT_OK;
    return RESULT_INVALID_FIELD;
}

static void wait_for_the_end(const sigset_t *signals) {
    int number;
    do {
        number = sigwaitinfo(signals, NULL);
        if (number == SIGHUP)
            log_info("SIGHUP: there are no keys here to be read again; every setting needs a restart");
    } while (number != SIGTERM && number != SIGINT);
    log_info("stopping", LOG_STRING("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
}

int serve_relay(const struct settings *settings, const sigset_t *signals) {
    char fault[400] = "";
    struct node *node = NULL;
    struct node_settings with = {.roles = ROLE_LIVE, .upstream = settings->text[SETTING_upstream]};
    serve_shape(settings, &with);
    random_bytes(with.admin_token_hash.at, sizeof with.admin_token_hash.at); /* nobody's: there are no such calls */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return say_failure("libcurl cannot be used here");
    enum result result = node_start(&with, &node, fault, sizeof fault);
    if (result == RESULT_OK)
        result = node_recover(node, fault, sizeof fault);
    if (result != RESULT_OK)
        return say_failure("%s", fault);
    fprintf(stderr, "onsale %s shows %s to fans at http://%s, and how it is to the operator at http://%s\n",
            ONSALE_VERSION, with.upstream, node_address(node), node_admin_address(node));
    wait_for_the_end(signals);
    node_stop(node);
    curl_global_cleanup();
    return 0;
}
