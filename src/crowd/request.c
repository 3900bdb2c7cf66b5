#include "crowd/request.h"
#include "base/panic.h"

#include <stdio.h>

static void set(struct crowd_request *request, const char *method, const char *before, const char *id,
                const char *behind) {
    request->method = method;
    request->pass[0] = request->key[0] = request->body[0] = '\0';
    snprintf(request->path, sizeof request->path, "/api/v1%s%s%s", before, id, behind);
}

static void set_pass(struct crowd_request *request, const struct fan *fan) {
    memcpy(request->pass, fan->pass, sizeof request->pass);
}

/* A place in the queue is left with its ticket, a place inside with the pass. */
static void leave_with(struct crowd_request *request, const struct fan *fan) {
    if (fan->pass[0])
        set_pass(request, fan);
    else
        snprintf(request->body, sizeof request->body, "{\"queue_ticket\":\"%s\"}", fan->queue_ticket);
}

/* Any card is taken by a gateway that takes no money, but for those that it is told to decline. */
static void pay(struct crowd_request *request, const struct fan *fan) {
    snprintf(request->body, sizeof request->body, "{\"reservation_id\":\"%s\",\"payment_token\":\"%s\"}",
             fan->reservation, fan->has_bad_card ? "tok_declined" : "pm_card_visa");
}

/* The same wish again is the same hold: an answer may have been lost. */
static void reserve(struct crowd_request *request, const struct fan *fan) {
    set_pass(request, fan);
    snprintf(request->key, sizeof request->key, "%s-%u", fan->user, fan->wish_number);
    snprintf(request->body, sizeof request->body, "{%s,\"user_id\":\"%s\"}", fan->wish, fan->user);
}

void request_of_fan(const struct fan *fan, enum fan_call call, const struct house *house,
                    struct crowd_request *request) {
    char returned[ID_LETTER_TEXT + 1] = "";
    switch (call) {
    case CALL_JOIN:
        set(request, "POST", "/shows/", house->show, "/queue");
        snprintf(request->body, sizeof request->body, "{\"user_id\":\"%s\"}", fan->user);
        return;
    case CALL_STATUS:
        set(request, "GET", "/shows/", house->show, "/queue");
        return;
    case CALL_CLAIM:
        set(request, "POST", "/shows/", house->show, "/queue/claim");
        snprintf(request->body, sizeof request->body, "{\"queue_ticket\":\"%s\"}", fan->queue_ticket);
        return;
    case CALL_SEATS:
        set(request, "GET", "/shows/", house->show, "/seats.bits");
        return;
    case CALL_RESERVE:
        set(request, "POST", "/shows/", house->show, "/seats/reserve");
        reserve(request, fan);
        return;
    case CALL_CONFIRM:
        set(request, "POST", "/bookings/confirm", "", "");
        pay(request, fan);
        return;
    case CALL_BOOKING:
        set(request, "GET", "/bookings/", fan->booking, "");
        return;
    case CALL_RELEASE:
        set(request, "DELETE", "/reservations/", fan->reservation, "");
        return;
    case CALL_LEAVE:
        set(request, "POST", "/shows/", house->show, "/queue/leave");
        leave_with(request, fan);
        return;
    case CALL_CANCEL:
        id_format_letter(&fan->returned, 'b', returned);
        set(request, "POST", "/bookings/", returned, "/cancel");
        return;
    case CALL_NONE:
        break;
    }
    impossible("a fan who waits makes a call");
}

void request_of_scout(const struct scout *scout, const struct house *house, struct crowd_request *request) {
    char part[40];
    switch (scout->call) {
    case SCOUT_LIST:
        set(request, "GET", "/shows", "", "");
        break;
    case SCOUT_SHOW:
        set(request, "GET", "/shows/", house->show, "");
        break;
    case SCOUT_OVERVIEW:
        set(request, "GET", "/shows/", house->show, "/plan?part=overview");
        break;
    case SCOUT_SEATS:
        set(request, "GET", "/shows/", house->show, "/seats.bits");
        break;
    case SCOUT_SECTION:
        snprintf(part, sizeof part, "/plan?part=%u", scout->section);
        set(request, "GET", "/shows/", house->show, part);
        break;
    }
}
