/* The record's way to the tape and back, and the texts of ids. */
#include "sandbox/objects.h"
#include "base/panic.h"

void object_record_write(struct buffer *out, const struct record *record) {
    struct record_head head = record->head;
    head.body_length = (uint32_t)record->body.length;
    head.details_length = (uint32_t)record->details.length;
    head.refund_details_length = (uint32_t)record->refund_details.length;
    buffer_add(out, &head, sizeof head);
    if (head.parts & PART_INTENT)
        buffer_add(out, &record->intent, sizeof record->intent);
    if (head.parts & PART_CHARGE)
        buffer_add(out, &record->charge, sizeof record->charge);
    if (head.parts & PART_REFUND)
        buffer_add(out, &record->refund, sizeof record->refund);
    buffer_add_bytes(out, record->details);
    buffer_add_bytes(out, record->refund_details);
    buffer_add_bytes(out, record->body);
}

static bool take(struct bytes *from, void *to, size_t length) {
    if (from->length < length)
        return false;
    memcpy(to, from->at, length);
    from->at += length;
    from->length -= length;
    return true;
}

static bool take_range(struct bytes *from, struct bytes *to, size_t length) {
    if (from->length < length)
        return false;
    *to = (struct bytes){from->at, length};
    from->at += length;
    from->length -= length;
    return true;
}

bool object_record_read(struct bytes bytes, struct record *record) {
    struct record read = {0};
    struct record_head *head = &read.head;
    if (!take(&bytes, head, sizeof *head) || head->kind >= RECORD_KIND_COUNT || head->answer >= ANSWER_KIND_COUNT ||
        (head->parts & PART_INTENT && !take(&bytes, &read.intent, sizeof read.intent)) ||
        (head->parts & PART_CHARGE && !take(&bytes, &read.charge, sizeof read.charge)) ||
        (head->parts & PART_REFUND && !take(&bytes, &read.refund, sizeof read.refund)) ||
        !take_range(&bytes, &read.details, head->details_length) ||
        !take_range(&bytes, &read.refund_details, head->refund_details_length) ||
        !take_range(&bytes, &read.body, head->body_length) || bytes.length)
        return false;
    *record = read;
    return true;
}

static void put_hex(char *text, uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        text[i] = "0123456789abcdef"[value & 15];
}

void object_id(const char *prefix, uint32_t number, uint64_t chance, char text[static OBJECT_ID_BYTES]) {
    size_t length = strlen(prefix);
    assert(length + sizeof "_3" + 24 <= OBJECT_ID_BYTES);
    memcpy(text, prefix, length);
    text[length] = '_';
    text[length + 1] = '3';
    put_hex(text + length + 2, number, 8);
    put_hex(text + length + 10, chance, 16);
    text[length + 26] = '\0';
}

static bool get_hex(struct bytes text, uint64_t *value) {
    uint64_t sum = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            sum = sum << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *value = sum;
    return true;
}

bool object_id_parse(struct bytes text, const char *prefix, uint32_t *number, uint64_t *chance) {
    uint64_t wide, rest;
    size_t length = strlen(prefix);
    if (text.length != length + 26 || memcmp(text.at, prefix, length) != 0 || text.at[length] != '_' ||
        text.at[length + 1] != '3' || !get_hex((struct bytes){text.at + length + 2, 8}, &wide) ||
        !get_hex((struct bytes){text.at + length + 10, 16}, &rest))
        return false;
    *number = (uint32_t)wide;
    *chance = rest;
    return true;
}
