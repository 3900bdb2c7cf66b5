#include "tickets/svg_text.h"
#include "base/panic.h"

#define REPLACEMENT BYTES("\xef\xbf\xbd")
#define ELLIPSIS_WIDTH 100

/* The length of the character at the front of valid UTF-8, and its code point. */
static size_t take_character(struct bytes text, uint32_t *code) {
    uint8_t first = (uint8_t)text.at[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    assert(length <= text.length);
    *code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        *code = *code << 6 | ((uint8_t)text.at[i] & 0x3f);
    return length;
}

static struct bytes skip(struct bytes text, size_t length) {
    return (struct bytes){text.at + length, text.length - length};
}

void svg_write_text(struct bytes text, struct buffer *out) {
    if (!bytes_are_utf8(text))
        text = REPLACEMENT;
    while (text.length) {
        uint32_t code;
        size_t length = take_character(text, &code);
        if (code == '&')
            buffer_add_text(out, "&amp;");
        else if (code == '<')
            buffer_add_text(out, "&lt;");
        else if (code == '>')
            buffer_add_text(out, "&gt;");
        else if (code == '"')
            buffer_add_text(out, "&quot;");
        else if (code == '\'')
            buffer_add_text(out, "&#39;");
        else if (code < 0x20 || code == 0xfffe || code == 0xffff)
            buffer_add_bytes(out, REPLACEMENT);
        else
            buffer_add(out, text.at, length);
        text = skip(text, length);
    }
}

/* Of DejaVu Sans Bold, which is wider than what most have. */
static unsigned width_of(uint32_t code) {
    if (code < 0x80)
        return strchr("iljtfrI.,:;'|! ()[]/", (int)code) ? 45
               : strchr("mwMW@%", (int)code)             ? 105
               : strchr("<>=+~&#", (int)code)            ? 88
               : code >= 'A' && code <= 'Z'              ? 80
                                                         : 71;
    if ((code >= 0x300 && code <= 0x36f) || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f))
        return 0; /* marks on the one before, and what is not seen */
    return code < 0x1100 ? 80 : code < 0x2e80 ? 100 : code < 0x10000 ? 105 : 130;
}

static struct bytes trim(struct bytes text) {
    while (text.length && text.at[0] == ' ')
        text = skip(text, 1);
    while (text.length && text.at[text.length - 1] == ' ')
        text.length--;
    return text;
}

/* How many bytes fit, one character at least; and where the last space among them is, 0 for none. */
static size_t fitting(struct bytes text, unsigned width, size_t *space) {
    size_t at = 0;
    unsigned used = 0;
    *space = 0;
    while (at < text.length) {
        uint32_t code;
        size_t length = take_character(skip(text, at), &code);
        if (code == ' ')
            *space = at;
        used += width_of(code);
        if (used > width && at > 0)
            break;
        at += length;
    }
    return at;
}

size_t svg_break_lines(struct bytes text, unsigned width, size_t most, struct svg_line lines[static 1]) {
    size_t count = 0, space;
    if (!bytes_are_utf8(text))
        text = REPLACEMENT;
    for (text = trim(text); text.length && count < most; text = trim(text)) {
        size_t fits = fitting(text, width, &space);
        bool is_cut = fits < text.length && count + 1 == most;
        if (is_cut)
            fits = fitting(text, width - ELLIPSIS_WIDTH, &space);
        else if (fits < text.length && space > 0)
            fits = space;
        lines[count++] = (struct svg_line){trim((struct bytes){text.at, fits}), is_cut};
        text = skip(text, fits);
    }
    return count;
}
