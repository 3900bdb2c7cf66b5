#include "bookings/notice.h"

#include "base/json.h"
#include "base/panic.h"
#include "bookings/saga.h"

const char *notice_type(enum notice notice) {
    static const char *const types[NOTICE_COUNT] = {
        [NOTICE_BOOKING_CONFIRMED] = "booking.confirmed",
        [NOTICE_BOOKING_CANCELLED] = "booking.cancelled",
        [NOTICE_BOOKING_SEATS_CANCELLED] = "booking.seats_cancelled",
        [NOTICE_BOOKING_REFUNDED] = "booking.refunded",
        [NOTICE_SEATS_RELEASED] = "seats.released",
    };
    assert((unsigned)notice < NOTICE_COUNT);
    return types[notice];
}

void notice_write_booking(const struct booking *booking, struct bytes user, struct bytes seat_ids, struct bytes amounts,
                          struct buffer *out) {
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_key(&writer, "booking_id");
    json_put_letter_id(&writer, 'b', &booking->id);
    json_key(&writer, "show_id");
    json_put_uuid(&writer, &booking->show_id);
    json_key(&writer, "reservation_id");
    json_put_letter_id(&writer, 'r', &booking->reservation);
    json_member_string(&writer, "user_id", user);
    json_key(&writer, "seat_ids");
    json_put_raw(&writer, seat_ids);
    json_key(&writer, "seat_amounts");
    json_put_raw(&writer, amounts);
    json_member_int(&writer, "amount", booking->amount);
    json_member_int(&writer, "refunded", booking->refunded);
    json_member_text(&writer, "currency", booking->currency);
    json_member_text(&writer, "status", booking_status_name(booking->status));
    json_member_text(&writer, "payment_state", payment_state_name(booking->payment_state));
    json_member_text(&writer, "reason", booking->reason[0] ? booking->reason : NULL);
    json_member_time(&writer, "created_at", booking->created_ms);
    json_member_time(&writer, "updated_at", booking->updated_ms);
    json_member_time(&writer, "confirmed_at", booking->confirmed_ms);
    json_close(&writer, '}');
}

void notice_write_seats(const struct id *show_id, struct bytes seat_ids, const char *cause, int64_t at_ms,
                        struct buffer *out) {
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_key(&writer, "show_id");
    json_put_uuid(&writer, show_id);
    json_key(&writer, "seat_ids");
    json_put_raw(&writer, seat_ids);
    json_member_text(&writer, "cause", cause);
    json_member_time(&writer, "released_at", at_ms);
    json_close(&writer, '}');
}
