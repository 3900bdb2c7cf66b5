/* The sandbox as its clients see it: over HTTP, in a process of its own that is killed in the middle. */
#include "gateway_world.h"

#include <sys/socket.h>
#include <unistd.h>

#define CREATE "POST /v1/payment_intents"
#define FORM "amount=5000&currency=eur&capture_method=manual"

static void a_payment_goes_from_intent_to_refund(void **state) {
    /* Red if a state, an amount or a link between the objects is wrong on the way. */
    const struct gateway *gateway = *state;
    struct reply reply = ask(gateway, CREATE, NULL, FORM "&metadata[booking_id]=b%31&description=f%C3%BCr+zwei");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_get(&reply, "status"), "requires_payment_method");
    assert_string_equal(reply_get(&reply, "metadata.booking_id"), "b1");
    assert_string_equal(reply_get(&reply, "description"), "für zwei");
    assert_string_equal(reply_get(&reply, "latest_charge"), "");
    const char *intent = reply_get(&reply, "id");
    reply_free(&reply);

    reply = ask(gateway, on(intent, "confirm"), NULL, "payment_method=pm_card_visa");
    assert_string_equal(reply_get(&reply, "status"), "requires_capture");
    assert_string_equal(reply_get(&reply, "amount_capturable"), "5000");
    assert_string_equal(reply_get(&reply, "amount_received"), "0");
    reply_free(&reply);

    reply = ask(gateway, on(intent, "capture"), NULL, "amount_to_capture=4000&expand[]=latest_charge");
    assert_string_equal(reply_get(&reply, "status"), "succeeded");
    assert_string_equal(reply_get(&reply, "amount_received"), "4000");
    assert_string_equal(reply_get(&reply, "latest_charge.amount_captured"), "4000");
    const char *charge = reply_get(&reply, "latest_charge.id");
    reply_free(&reply);

    char form[128];
    snprintf(form, sizeof form, "payment_intent=%s&amount=1500&reason=requested_by_customer", intent);
    reply = ask(gateway, "POST /v1/refunds", NULL, form);
    assert_string_equal(reply_get(&reply, "status"), "succeeded");
    assert_string_equal(reply_get(&reply, "charge"), charge);
    const char *refund = reply_get(&reply, "id");
    reply_free(&reply);
    snprintf(form, sizeof form, "GET /v1/refunds/%s", refund);
    assert_string_equal(ask_for(gateway, 200, "amount", form, NULL), "1500");
    snprintf(form, sizeof form, "GET /v1/charges/%s", charge);
    assert_string_equal(ask_for(gateway, 200, "amount_refunded", form, NULL), "1500");
    snprintf(form, sizeof form, "GET /v1/payment_intents/%s?expand%%5B0%%5D=latest_charge", intent);
    assert_string_equal(ask_for(gateway, 200, "latest_charge.amount_refunded", form, NULL), "1500");
}

static void an_automatic_capture_takes_the_money_at_once(void **state) {
    /* Red if create with confirm=true authorizes only, or leaves the intent unconfirmed. */
    const struct gateway *gateway = *state;
    struct reply reply = ask(gateway, CREATE, NULL, "amount=700&currency=USD&confirm=true&payment_method=pm_card_visa");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_get(&reply, "status"), "succeeded");
    assert_string_equal(reply_get(&reply, "currency"), "usd");
    assert_string_equal(reply_get(&reply, "amount_received"), "700");
    reply_free(&reply);
}

static void a_declined_card_says_why_and_another_may_follow(void **state) {
    /* Red if a row of cards.def loses its codes, or a decline ends the intent. */
    static const char *const declines[][3] = {
        {"tok_declined", "card_declined", "generic_decline"},
        {"tok_insufficient_funds", "card_declined", "insufficient_funds"},
        {"tok_expired_card", "expired_card", "expired_card"},
        {"pm_card_chargeDeclined", "card_declined", "generic_decline"},
        {"pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"},
    };
    const struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    for (size_t i = 0; i < sizeof declines / sizeof *declines; i++) {
        char form[128];
        snprintf(form, sizeof form, "payment_method=%s", declines[i][0]);
        struct reply reply = ask(gateway, on(intent, "confirm"), NULL, form);
        assert_int_equal(reply.status, 402);
        assert_string_equal(reply_get(&reply, "error.type"), "card_error");
        assert_string_equal(reply_get(&reply, "error.code"), declines[i][1]);
        assert_string_equal(reply_get(&reply, "error.decline_code"), declines[i][2]);
        assert_string_equal(reply_get(&reply, "error.payment_intent.id"), intent);
        assert_string_equal(reply_get(&reply, "error.payment_intent.last_payment_error.decline_code"), declines[i][2]);
        assert_string_equal(reply_get(&reply, "error.payment_intent.status"), "requires_payment_method");
        reply_free(&reply);
    }
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, "confirm"), "payment_method=tok_fine"),
                        "requires_capture");
    assert_string_equal(ask_for(gateway, 200, "last_payment_error.code", on(intent, ""), NULL), "");
}

static void a_card_that_wants_its_holder_is_declined_where_nobody_is_there(void **state) {
    /* Red if error_on_requires_action is ignored, or an intent that waits for its holder cannot be cancelled. */
    const struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    const char *form = "payment_method=pm_card_authenticationRequired&error_on_requires_action=true";
    assert_string_equal(ask_for(gateway, 402, "error.code", on(intent, "confirm"), form), "authentication_required");
    form = "payment_method=pm_card_authenticationRequired";
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, "confirm"), form), "requires_action");
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, "cancel"), ""), "canceled");
}

static void assert_replayed(const struct gateway *gateway, const char *request, const char *key, const char *form,
                            const struct reply *first) {
    struct reply again = ask(gateway, request, key, form);
    assert_int_equal(again.status, first->status);
    assert_string_equal(again.body, first->body);
    assert_non_null(strstr(again.head, "\r\nIdempotent-Replayed: true\r\n"));
    assert_null(strstr(first->head, "Idempotent-Replayed"));
    reply_free(&again);
}

/* A first answer of each kind, under its key, to be had again. */
struct kept {
    const char *key;
    char request[128], form[128];
    struct reply first;
};

static void keep(const struct gateway *gateway, struct kept *kept, const char *key, int status, const char *request,
                 const char *form) {
    kept->key = key;
    snprintf(kept->request, sizeof kept->request, "%s", request);
    snprintf(kept->form, sizeof kept->form, "%s", form);
    kept->first = ask(gateway, request, key, form);
    assert_int_equal(kept->first.status, status);
}

static void a_key_replays_its_answer_byte_for_byte_and_through_kill_9(void **state) {
    /* Red if an answer is made from the object as it is now, if a record loses what its answer needs, or if an answer
     * leaves before its record is on disk. */
    struct gateway *gateway = *state;
    struct kept kept[8];
    char form[128];
    const char *intent = fresh_intent(gateway);
    keep(gateway, &kept[0], "created", 200, CREATE, FORM "&metadata[a]=1&expand[]=latest_charge");
    keep(gateway, &kept[1], "declined", 402, on(intent, "confirm"), "payment_method=tok_declined");
    keep(gateway, &kept[2], "erred", 500, on(intent, "confirm"), "payment_method=tok_error_once");
    keep(gateway, &kept[3], "confirmed", 200, on(intent, "confirm"), "payment_method=tok_error_once");
    keep(gateway, &kept[4], "too much", 400, on(intent, "capture"), "amount_to_capture=5001");
    keep(gateway, &kept[5], "captured", 200, on(intent, "capture"), "expand[]=latest_charge");
    keep(gateway, &kept[6], "too late", 400, on(intent, "cancel"), "");
    snprintf(form, sizeof form, "payment_intent=%s&metadata[why]=x&expand[]=charge&expand[]=payment_intent", intent);
    keep(gateway, &kept[7], "refunded", 200, "POST /v1/refunds", form);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            assert_replayed(gateway, kept[i].request, kept[i].key, kept[i].form, &kept[i].first);
        gateway_kill(gateway);
        gateway_start(gateway);
    }
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "succeeded");
    for (int i = 0; i < 8; i++)
        reply_free(&kept[i].first);
}

static void a_key_is_for_one_request(void **state) {
    /* Red if parameters or route are left out of the comparison, or their order is in it. */
    const struct gateway *gateway = *state;
    struct reply first = ask(gateway, CREATE, "one", "amount=5000&currency=eur&metadata[a]=b");
    assert_int_equal(first.status, 200);
    assert_replayed(gateway, CREATE, "one", "metadata%5Ba%5D=b&currency=eur&amount=5000", &first);
    const char *intent = reply_get(&first, "id");
    struct reply reply = ask(gateway, CREATE, "one", "amount=5001&currency=eur&metadata[a]=b");
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply_get(&reply, "error.type"), "idempotency_error");
    reply_free(&reply);
    reply = ask(gateway, on(intent, "confirm"), "one", "amount=5000&currency=eur&metadata[a]=b");
    assert_int_equal(reply.status, 400); /* for the key, before its parameters are looked at */
    assert_string_equal(reply_get(&reply, "error.type"), "idempotency_error");
    reply_free(&reply);
    reply = ask(gateway, on(intent, "cancel"), "two", "");
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    reply = ask(gateway, on(fresh_intent(gateway), "cancel"), "two", "");
    assert_string_equal(reply_get(&reply, "error.type"), "idempotency_error");
    reply_free(&reply);
    reply_free(&first);
}

static void a_key_takes_255_characters(void **state) {
    /* Red if a longer key is cut instead of refused, or one of 255 is refused. */
    const struct gateway *gateway = *state;
    char key[257];
    memset(key, 'k', 256);
    key[256] = '\0';
    struct reply reply = ask(gateway, CREATE, key, FORM);
    assert_int_equal(reply.status, 400);
    reply_free(&reply);
    key[255] = '\0';
    reply = ask(gateway, CREATE, key, FORM);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
}

static void a_key_is_forgotten_after_a_day(void **state) {
    /* Red if a key older than 24 hours still replays, or one a little younger does not. */
    struct gateway *gateway = *state;
    struct reply first = ask(gateway, CREATE, "old", FORM);
    gateway_stop(gateway);
    gateway->clock_offset = "86000";
    gateway_start(gateway);
    assert_replayed(gateway, CREATE, "old", FORM, &first);
    gateway_stop(gateway);
    gateway->clock_offset = "86401";
    gateway_start(gateway);
    struct reply again = ask(gateway, CREATE, "old", FORM);
    assert_int_equal(again.status, 200);
    assert_string_not_equal(reply_get(&again, "id"), reply_get(&first, "id"));
    reply_free(&first);
    reply_free(&again);
}

static void what_was_refused_before_it_began_keeps_no_key(void **state) {
    /* Red if a validation error is kept: the corrected request would be refused. */
    const struct gateway *gateway = *state;
    struct reply reply = ask(gateway, CREATE, "k", "currency=eur");
    assert_int_equal(reply.status, 400);
    reply_free(&reply);
    reply = ask(gateway, CREATE, "k", FORM);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
}

static void a_slow_card_keeps_nobody_else_waiting(void **state) {
    /* Red if a slow authorization blocks the reactor, shows another status than processing, or lets its intent or its
     * key be used meanwhile. */
    const struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    char request[128];
    snprintf(request, sizeof request, "%s", on(intent, "confirm"));
    int slow = ask_begin(gateway, request, "slow", "payment_method=tok_slow_700");
    while (strcmp(ask_for(gateway, 200, "status", on(intent, ""), NULL), "processing") != 0)
        usleep(1000);
    assert_string_equal(ask_for(gateway, 429, "error.code", on(intent, "cancel"), ""), "lock_timeout");
    struct reply reply = ask(gateway, request, "slow", "payment_method=tok_slow_700");
    assert_int_equal(reply.status, 409);
    assert_string_equal(reply_get(&reply, "error.code"), "idempotency_key_in_use");
    reply_free(&reply);
    reply = ask_end(slow);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_get(&reply, "status"), "requires_capture");
    assert_replayed(gateway, request, "slow", "payment_method=tok_slow_700", &reply);
    reply_free(&reply);
}

static void a_slow_card_needs_no_client_to_be_charged(void **state) {
    /* Red if an authorization ends with the connection of who asked for it. */
    const struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    int slow = ask_begin(gateway, on(intent, "confirm"), NULL, "payment_method=tok_slow_100");
    while (strcmp(ask_for(gateway, 200, "status", on(intent, ""), NULL), "processing") != 0)
        usleep(1000);
    struct linger at_once = {.l_onoff = 1}; /* a reset: nobody will ever read the answer */
    setsockopt(slow, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(slow);
    while (strcmp(ask_for(gateway, 200, "status", on(intent, ""), NULL), "processing") == 0)
        usleep(5000);
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "requires_capture");
}

static void a_slow_card_cut_short_by_a_crash_was_not_charged(void **state) {
    /* Red if the intent stays busy or its key stays taken after a restart. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    int slow = ask_begin(gateway, on(intent, "confirm"), "slow", "payment_method=tok_slow_60000");
    while (strcmp(ask_for(gateway, 200, "status", on(intent, ""), NULL), "processing") != 0)
        usleep(1000);
    gateway_kill(gateway);
    struct reply reply = ask_end(slow);
    assert_int_equal(reply.status, 0);
    gateway_start(gateway);
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "requires_payment_method");
    slow = ask_begin(gateway, on(intent, "confirm"), "slow", "payment_method=tok_slow_60000");
    while (strcmp(ask_for(gateway, 200, "status", on(intent, ""), NULL), "processing") != 0)
        usleep(1000);
    gateway_stop(gateway); /* does not wait for it */
    reply = ask_end(slow);
    assert_int_equal(reply.status, 0);
}

static void a_lost_reply_took_effect(void **state) {
    /* Red if the connection is cut before the record is on disk, or the key is lost with the answer. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    struct reply reply = ask(gateway, on(intent, "confirm"), "lost", "payment_method=tok_lost_reply");
    assert_int_equal(reply.status, 0);
    gateway_kill(gateway);
    gateway_start(gateway);
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "requires_capture");
    reply = ask(gateway, on(intent, "confirm"), "lost", "payment_method=tok_lost_reply");
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "Idempotent-Replayed: true"));
    assert_string_equal(reply_get(&reply, "status"), "requires_capture");
    reply_free(&reply);
}

static void what_hangs_never_answers_but_is_decided(void **state) {
    /* Red if a hanging call is answered (its key asked again included, after a restart too), or always ends alike. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    char request[128];
    snprintf(request, sizeof request, "%s", on(intent, "confirm"));
    int hanging = ask_begin(gateway, request, "hang", "payment_method=tok_hang");
    assert_true(is_silent(hanging, 100));
    int again = ask_begin(gateway, request, "hang", "payment_method=tok_hang");
    assert_true(is_silent(again, 100));
    unsigned approved = 0, declined = 0;
    for (int i = 0; i < 200 && !(approved && declined); i++) {
        intent = fresh_intent(gateway);
        close(ask_begin(gateway, on(intent, "confirm"), NULL, "payment_method=tok_hang"));
        const char *status;
        while (!*ask_for(gateway, 200, "latest_charge", on(intent, ""), NULL))
            usleep(1000);
        status = ask_for(gateway, 200, "status", on(intent, ""), NULL);
        approved += strcmp(status, "requires_capture") == 0;
        declined += strcmp(status, "requires_payment_method") == 0;
    }
    assert_true(approved && declined);
    gateway_stop(gateway);
    assert_int_equal(ask_end(hanging).status, 0);
    assert_int_equal(ask_end(again).status, 0);
    gateway_start(gateway);
    again = ask_begin(gateway, request, "hang", "payment_method=tok_hang");
    assert_true(is_silent(again, 100));
    close(again);
}

static void a_capture_fails_as_often_as_its_token_says(void **state) {
    /* Red if a failure is counted twice for a replayed key, or forgotten by a restart. */
    struct gateway *gateway = *state;
    const char *intent = confirmed_intent(gateway, "tok_capture_fails_2");
    for (int i = 0; i < 3; i++) {
        struct reply reply = ask(gateway, on(intent, "capture"), "first", "");
        assert_int_equal(reply.status, 500);
        assert_string_equal(reply_get(&reply, "error.type"), "api_error");
        reply_free(&reply);
    }
    gateway_kill(gateway);
    gateway_start(gateway);
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "requires_capture");
    assert_string_equal(ask_for(gateway, 500, "error.type", on(intent, "capture"), ""), "api_error");
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, "capture"), ""), "succeeded");
}

static void money_is_taken_once_and_given_back_once(void **state) {
    /* Red if a capture is not guarded by state and amount, or refunds add up to more than was captured. */
    const struct gateway *gateway = *state;
    const char *intent = confirmed_intent(gateway, "tok_fine");
    char whole[96], part[96];
    snprintf(whole, sizeof whole, "payment_intent=%s", intent);
    snprintf(part, sizeof part, "payment_intent=%s&amount=3000", intent);
    assert_string_equal(ask_for(gateway, 400, "error.code", "POST /v1/refunds", whole),
                        "payment_intent_unexpected_state");
    assert_string_equal(ask_for(gateway, 400, "error.code", on(intent, "capture"), "amount_to_capture=5001"),
                        "amount_too_large");
    assert_string_equal(ask_for(gateway, 200, "amount_received", on(intent, "capture"), ""), "5000");
    assert_string_equal(ask_for(gateway, 400, "error.code", on(intent, "capture"), ""),
                        "payment_intent_unexpected_state");
    ask_for(gateway, 200, NULL, "POST /v1/refunds", part);
    assert_string_equal(ask_for(gateway, 400, "error.code", "POST /v1/refunds", part), "amount_too_large");
    assert_string_equal(ask_for(gateway, 200, "amount", "POST /v1/refunds", whole), "2000");
    assert_string_equal(ask_for(gateway, 400, "error.code", "POST /v1/refunds", whole), "charge_already_refunded");
}

static void a_state_takes_only_what_leads_out_of_it(void **state) {
    /* Red if a guard of operations.h's diagram is missing. */
    const struct gateway *gateway = *state;
    const char *canceled = fresh_intent(gateway), *authorized = confirmed_intent(gateway, "tok_fine");
    const char *captured = confirmed_intent(gateway, "tok_fine"), *fresh = fresh_intent(gateway);
    char ids[4][40];
    snprintf(ids[0], sizeof ids[0], "%s", canceled);
    snprintf(ids[1], sizeof ids[1], "%s", authorized);
    snprintf(ids[2], sizeof ids[2], "%s", captured);
    snprintf(ids[3], sizeof ids[3], "%s", fresh);
    ask_for(gateway, 200, NULL, on(ids[0], "cancel"), "cancellation_reason=abandoned");
    ask_for(gateway, 200, NULL, on(ids[2], "capture"), "");
    static const struct {
        int intent;
        const char *action, *form;
    } wrong[] = {
        {0, "cancel", ""},
        {0, "capture", ""},
        {0, "confirm", "payment_method=tok_fine"},
        {1, "confirm", "payment_method=tok_fine"},
        {2, "cancel", ""},
        {2, "confirm", "payment_method=tok_fine"},
        {3, "capture", ""},
        {3, "confirm", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct reply reply = ask(gateway, on(ids[wrong[i].intent], wrong[i].action), NULL, wrong[i].form);
        assert_int_equal(reply.status, 400);
        assert_string_equal(reply_get(&reply, "error.code"), "payment_intent_unexpected_state");
        assert_string_equal(reply_get(&reply, "error.payment_intent.id"), ids[wrong[i].intent]);
        reply_free(&reply);
    }
    assert_string_equal(ask_for(gateway, 200, "status", on(ids[1], "cancel"), ""), "canceled");
    assert_string_equal(ask_for(gateway, 200, "cancellation_reason", on(ids[0], ""), NULL), "abandoned");
}

static void who_has_no_key_is_refused(void **state) {
    /* Red if a call is answered before its key is looked at, or Basic is not read. */
    static const char *const wrong[] = {"",
                                        "Authorization: Bearer pk_test_1",
                                        "Authorization: Bearer sk_live_1",
                                        "Authorization: Bearer sk_test_",
                                        "Authorization: Basic !!!!",
                                        "Authorization: Basic cGtfdGVzdF8xOg==",
                                        "Authorization: Digest sk_test_1"};
    const struct gateway *gateway = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct reply reply = ask_as(gateway, wrong[i], CREATE, NULL, FORM);
        assert_int_equal(reply.status, 401);
        assert_string_equal(reply_get(&reply, "error.type"), "invalid_request_error");
        reply_free(&reply);
    }
    struct reply reply = ask_as(gateway, "Authorization: Basic c2tfdGVzdF8xOg==", CREATE, NULL, FORM); /* sk_test_1: */
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
}

static void a_wrong_parameter_is_named(void **state) {
    /* Red if a check is missing, or names another parameter or code. */
    static const struct {
        const char *form, *code, *param;
    } wrong[] = {
        {"currency=eur", "parameter_missing", "amount"},
        {"amount=100", "parameter_missing", "currency"},
        {"amount=&currency=eur", "parameter_invalid_empty", "amount"},
        {"amount=1.5&currency=eur", "parameter_invalid_integer", "amount"},
        {"amount=-5&currency=eur", "parameter_invalid_integer", "amount"},
        {"amount=0&currency=eur", "parameter_invalid_integer", "amount"},
        {"amount=100000000&currency=eur", "amount_too_large", "amount"},
        {"amount=100&currency=eu", "", "currency"},
        {"amount=100&currency=xxx", "", "currency"},
        {"amount=100&currency=r+e", "", "currency"},
        {"amount=100&currency=eur&colour=red", "parameter_unknown", "colour"},
        {"amount=100&currency=eur&capture_method=never", "", "capture_method"},
        {"amount=100&currency=eur&confirm=perhaps", "", "confirm"},
        {"amount=100&currency=eur&confirm=true", "payment_intent_unexpected_state", "payment_method"},
        {"amount=100&currency=eur&payment_method_types[]=sepa_debit", "", "payment_method_types"},
        {"amount=100&currency=eur&metadata[a][b]=c", "", "metadata"},
        {"amount=100&currency=eur&expand[]=customer", "", "expand"},
        {"amount=100&amount=200&currency=eur", "", ""},
        {"amount=100&currency=%zz", "", ""},
        {"amount=100&currency=eur&description=%ff", "", ""},
    };
    const struct gateway *gateway = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct reply reply = ask(gateway, CREATE, NULL, wrong[i].form);
        assert_int_equal(reply.status, 400);
        assert_string_equal(reply_get(&reply, "error.type"), "invalid_request_error");
        assert_string_equal(reply_get(&reply, "error.code"), wrong[i].code);
        assert_int_equal(reply_get(&reply, "error.doc_url")[0] != '\0', wrong[i].code[0] != '\0');
        assert_string_equal(reply_get(&reply, "error.param"), wrong[i].param);
        reply_free(&reply);
    }
    assert_string_equal(ask_for(gateway, 200, "data.0.id", "GET /v1/payment_intents", NULL), "");
}

static void what_is_not_there_is_404(void **state) {
    /* Red if an id is taken by its number alone, or an unknown address is answered as if it were known. */
    const struct gateway *gateway = *state;
    char forged[64];
    snprintf(forged, sizeof forged, "%s", fresh_intent(gateway));
    char *last = &forged[strlen(forged) - 1];
    *last = *last == '0' ? '1' : '0';
    assert_string_equal(ask_for(gateway, 404, "error.code", on(forged, ""), NULL), "resource_missing");
    assert_string_equal(ask_for(gateway, 404, "error.code", on(forged, "capture"), ""), "resource_missing");
    assert_string_equal(ask_for(gateway, 404, "error.param", on("pi_1", "confirm"), "payment_method=tok_x"), "intent");
    assert_string_equal(ask_for(gateway, 404, "error.param", "POST /v1/refunds", "payment_intent=pi_1"),
                        "payment_intent");
    assert_string_equal(ask_for(gateway, 404, "error.code", "GET /v1/charges/ch_1", NULL), "resource_missing");
    assert_string_equal(ask_for(gateway, 404, "error.code", "GET /v1/refunds/re_1", NULL), "resource_missing");
    assert_string_equal(ask_for(gateway, 404, "error.code", "GET /v1/events/evt_1", NULL), "resource_missing");
    assert_string_equal(ask_for(gateway, 404, "error.type", "GET /v1/customers", NULL), "invalid_request_error");
    assert_string_equal(ask_for(gateway, 404, "error.type", on("pi_1", "conquer"), ""), "invalid_request_error");
}

static void a_folder_has_one_sandbox(void **state) {
    /* Red if the lock is not taken: two tapes in one file. */
    struct gateway *gateway = *state;
    assert_int_equal(gateway_start_refused(gateway), 1);
    fresh_intent(gateway);
}

static void a_damaged_tape_is_refused_and_a_torn_end_is_not(void **state) {
    /* Red if damage before the end is cut off with all that stands behind it, or a half-written end stops a start. */
    struct gateway *gateway = *state;
    char path[128], intent[40];
    snprintf(intent, sizeof intent, "%s", fresh_intent(gateway));
    fresh_intent(gateway);
    gateway_kill(gateway);
    gateway_file(gateway, "tape", path, sizeof path);
    FILE *tape = fopen(path, "r+");
    fseek(tape, 0, SEEK_END);
    fputs("half a record", tape);
    fclose(tape);
    gateway_start(gateway);
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), "requires_payment_method");
    gateway_kill(gateway);
    tape = fopen(path, "r+");
    fseek(tape, 60, SEEK_SET);
    int byte = fgetc(tape);
    fseek(tape, 60, SEEK_SET);
    fputc(byte ^ 1, tape);
    fclose(tape);
    assert_int_equal(gateway_start_refused(gateway), 1);
    gateway->pid = 0;
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_payment_goes_from_intent_to_refund),
        TEST(an_automatic_capture_takes_the_money_at_once),
        TEST(a_declined_card_says_why_and_another_may_follow),
        TEST(a_card_that_wants_its_holder_is_declined_where_nobody_is_there),
        TEST(a_wrong_parameter_is_named),
        TEST(what_is_not_there_is_404),
        TEST(who_has_no_key_is_refused),
        TEST(a_state_takes_only_what_leads_out_of_it),
        TEST(money_is_taken_once_and_given_back_once),
        TEST(a_key_replays_its_answer_byte_for_byte_and_through_kill_9),
        TEST(a_key_is_for_one_request),
        TEST(a_key_takes_255_characters),
        TEST(a_key_is_forgotten_after_a_day),
        TEST(what_was_refused_before_it_began_keeps_no_key),
        TEST(a_slow_card_keeps_nobody_else_waiting),
        TEST(a_slow_card_needs_no_client_to_be_charged),
        TEST(a_slow_card_cut_short_by_a_crash_was_not_charged),
        TEST(a_lost_reply_took_effect),
        TEST(what_hangs_never_answers_but_is_decided),
        TEST(a_capture_fails_as_often_as_its_token_says),
        TEST(a_folder_has_one_sandbox),
        TEST(a_damaged_tape_is_refused_and_a_torn_end_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
