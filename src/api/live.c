/* GET …/live: the seat map, pushed (docs/live-map.md). Nothing of it is a fan's own: who asks for the same form is a
 * member of the same channel. */
#include "api/live.h"
#include "api/handlers.h"

#include <endian.h>

/* "0123456789abcdef.42": the feed's name and a sequence. */
static bool read_place(struct bytes text, struct websocket_known *known) {
    uint8_t name[LIVE_FEED_TEXT / 2];
    if (text.length < LIVE_FEED_TEXT + 2 || text.at[LIVE_FEED_TEXT] != '.' ||
        !hex_decode((struct bytes){text.at, LIVE_FEED_TEXT}, name, sizeof name))
        return false;
    uint64_t feed;
    memcpy(&feed, name, sizeof feed);
    known->feed = be64toh(feed);
    struct bytes digits = {text.at + LIVE_FEED_TEXT + 1, text.length - LIVE_FEED_TEXT - 1};
    return bytes_to_u64(digits, INT64_MAX, &known->sequence);
}

void live_watch(struct call *call, struct live_feed *feed) {
    enum result result = websocket_check(call->request);
    if (result != RESULT_OK) {
        call_refuse(call, result, NULL);
        return;
    }
    struct bytes format = http_query(call->query, "format"), since = http_query(call->query, "since");
    struct websocket_known known;
    if (format.at && !bytes_equal(format, BYTES("json"))) {
        call_refuse_field(call, "/format", "format has to be json, or left out for the binary form");
        return;
    }
    if (since.at && !read_place(since, &known)) {
        call_refuse_field(call, "/since",
                          "since has to be X-Feed, a point and X-Sequence, such as "
                          "0123456789abcdef.42");
        return;
    }
    struct channel *channel;
    result = live_feed_channel(feed, format.at ? LIVE_JSON : LIVE_BINARY, call->api->services.new_channel,
                               call->api->services.runtime, &channel);
    if (result != RESULT_OK)
        call_refuse(call, result, NULL);
    else if (since.at)
        call_upgrade_from(call, channel, &known);
    else
        call_upgrade(call, channel);
}

void handle_watch_seats(struct call *call) {
    live_watch(call, feed_live(call->sale->feed));
}
