#include "base/base64url.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const void *data, size_t length, char *text) {
    const uint8_t *from = data;
    for (; length >= 3; length -= 3, from += 3, text += 4) {
        text[0] = alphabet[from[0] >> 2];
        text[1] = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
        text[2] = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
        text[3] = alphabet[from[2] & 63];
    }
    if (length == 0)
        return;
    uint8_t second = length == 2 ? from[1] : 0;
    text[0] = alphabet[from[0] >> 2];
    text[1] = alphabet[(from[0] & 3) << 4 | second >> 4];
    if (length == 2)
        text[2] = alphabet[(second & 15) << 2];
}

/* The value of a character and one more; 0: it is none. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64};

/* The six bits of a character; more than six: it is none. */
static inline uint32_t bits_of(uint8_t c) {
    return (uint8_t)(values[c] - 1);
}

bool base64url_decode(struct bytes text, size_t room, uint8_t *data, size_t *length) {
    size_t rest = text.length % 4;
    if (rest == 1 || BASE64URL_DATA(text.length) > room)
        return false;
    const uint8_t *from = (const uint8_t *)text.at;
    const uint8_t *end = from + (text.length - rest);
    uint32_t all = 0; /* looked at once, at the end */
    for (; from < end; from += 4, data += 3) {
        uint32_t a = bits_of(from[0]), b = bits_of(from[1]), c = bits_of(from[2]), d = bits_of(from[3]);
        all |= a | b | c | d;
        data[0] = (uint8_t)(a << 2 | b >> 4);
        data[1] = (uint8_t)(b << 4 | c >> 2);
        data[2] = (uint8_t)(c << 6 | d);
    }
    if (rest) {
        uint32_t a = bits_of(from[0]), b = bits_of(from[1]), c = rest == 3 ? bits_of(from[2]) : 0;
        uint32_t spare = rest == 3 ? c & 3 : b & 15;
        all |= a | b | c | (spare ? UINT8_MAX : 0);
        data[0] = (uint8_t)(a << 2 | b >> 4);
        if (rest == 3)
            data[1] = (uint8_t)(b << 4 | c >> 2);
    }
    if (all > 63)
        return false;
    *length = BASE64URL_DATA(text.length);
    return true;
}
