#include "base/id.h"
#include "base/random.h"

struct id id_new_uuid7(int64_t now_ms) {
    struct id id;
    random_bytes(id.at + 6, 10);
    for (int i = 0; i < 6; i++)
        id.at[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    id.at[6] = (uint8_t)((id.at[6] & 0x0f) | 0x70);
    id.at[8] = (uint8_t)((id.at[8] & 0x3f) | 0x80);
    return id;
}

struct id id_new_reservation(int64_t now_ms, uint16_t show_tag) {
    struct id id;
    int64_t seconds = now_ms / 1000;
    for (int i = 0; i < 4; i++)
        id.at[i] = (uint8_t)(seconds >> (24 - 8 * i));
    id.at[4] = (uint8_t)(show_tag >> 8);
    id.at[5] = (uint8_t)show_tag;
    random_bytes(id.at + 6, 10);
    return id;
}

uint16_t id_reservation_tag(const struct id *id) {
    return (uint16_t)(id->at[4] << 8 | id->at[5]);
}

uint16_t id_show_tag(const struct id *show_id) {
    return (uint16_t)(show_id->at[14] << 8 | show_id->at[15]);
}

static const uint8_t hyphen_before[16] = {[4] = 1, [6] = 1, [8] = 1, [10] = 1};

void id_format_uuid(const struct id *id, char text[static ID_UUID_TEXT]) {
    for (int i = 0; i < 16; i++) {
        if (hyphen_before[i])
            *text++ = '-';
        hex_encode(id->at + i, 1, text);
        text += 2;
    }
}

void id_format_letter(const struct id *id, char letter, char text[static ID_LETTER_TEXT]) {
    text[0] = letter;
    hex_encode(id->at, sizeof id->at, text + 1);
}

bool id_parse_uuid(struct bytes text, struct id *id) {
    if (text.length != ID_UUID_TEXT)
        return false;
    struct id parsed;
    for (int i = 0; i < 16; i++) {
        if (hyphen_before[i] && *text.at++ != '-')
            return false;
        if (!hex_decode((struct bytes){text.at, 2}, parsed.at + i, 1))
            return false;
        text.at += 2;
    }
    *id = parsed;
    return true;
}

bool id_parse_letter(struct bytes text, char letter, struct id *id) {
    if (text.length != ID_LETTER_TEXT || text.at[0] != letter)
        return false;
    return hex_decode((struct bytes){text.at + 1, 32}, id->at, sizeof id->at);
}
