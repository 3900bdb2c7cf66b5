#include "tickets/sheet.h"
#include "base/panic.h"
#include "tickets/svg_text.h"

#include <qrcodegen.h>

/* A card's measures, in CSS pixels. */
enum {
    MARGIN = 8,
    CARD_WIDTH = 400,
    PAD = 28,
    INNER = CARD_WIDTH - 2 * PAD,
    SECOND_COLUMN = 216,
    COLUMN = SECOND_COLUMN - PAD - 12,
    NAME_SIZE = 28,
    NAME_LINE = 34,
    NAME_LINES = 3,
    WHEN_SIZE = 15,
    VALUE_SIZE = 22,
    VALUE_LINE = 27,
    VALUE_LINES = 2,
    FINE_SIZE = 15,
    CODE_BOX = 288,
    LABEL_TO_VALUE = 27,
    FACT_GAP = 30,
};

#define QR_VERSION 25   /* a token of LIMIT_TICKET_BYTES fits it */
#define QR_QUIET_ZONE 4 /* modules around, as ISO/IEC 18004 asks */

#define STYLE                                                                                                          \
    ":root{color-scheme:light dark;max-width:100%;height:auto}"                                                        \
    "text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"      \
    "fill:#16181d;unicode-bidi:isolate}"                                                                               \
    ".card{fill:#fff;stroke:#d9dbe0}.tear{stroke:#c4c7ce}.mark{fill:#16181d}.code{fill:#fff}.dots{fill:#000}"          \
    ".name{font-size:28px;font-weight:700;letter-spacing:-.01em}.when{font-size:15px;font-weight:500}"                 \
    ".label{font-size:12px;fill:#5b606b}.value{font-size:22px;font-weight:600}.fine{font-size:15px;font-weight:500}"   \
    ".number{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:16px;font-weight:600;"         \
    "letter-spacing:.04em}.middle{text-anchor:middle}.end{text-anchor:end}"                                            \
    "@media (prefers-color-scheme:dark){text{fill:#f4f5f7}.card{fill:#1d1f24;stroke:#3a3d45}.tear{stroke:#50545e}"     \
    ".mark{fill:#f4f5f7}.label{fill:#a9aeb9}}"                                                                         \
    "@media print{:root{color-scheme:light}text,.label{fill:#000}.card{fill:#fff;stroke:#000}.tear{stroke:#000}"       \
    ".mark{fill:#000}}"

/* ---- text ---- */

static void write_line(const char *style, int x, int y, const struct svg_line *line, struct buffer *out) {
    buffer_printf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", style, x, y);
    svg_write_text(line->text, out);
    buffer_add_text(out, line->is_cut ? "\xe2\x80\xa6</text>" : "</text>");
}

static void write_plain(const char *style, int x, int y, struct bytes text, struct buffer *out) {
    write_line(style, x, y, &(struct svg_line){.text = text}, out);
}

/* Lines below each other, from the baseline y; returns the last one's. */
static int write_lines(const char *style, int x, int y, int step, size_t count, const struct svg_line *lines,
                       struct buffer *out) {
    for (size_t i = 0; i < count; i++)
        write_line(style, x, y + (int)i * step, &lines[i], out);
    return y + ((int)count - 1) * step;
}

/* A label and what it says, on one line and within `width`; smaller where it is long. Its value's baseline. */
static int write_fact(const char *label, struct bytes value, int x, int y, int width, struct buffer *out) {
    struct svg_line line;
    write_plain("label", x, y, bytes_of(label), out);
    const char *style = "value";
    if (svg_break_lines(value, (unsigned)(width * 100 / VALUE_SIZE), 1, &line) && line.is_cut) {
        style = "fine";
        (void)svg_break_lines(value, (unsigned)(width * 100 / FINE_SIZE), 1, &line);
    }
    if (value.length)
        write_line(style, x, y + LABEL_TO_VALUE, &line, out);
    return y + LABEL_TO_VALUE;
}

/* ---- the code ---- */

static void write_modules(const uint8_t *code, int size, struct buffer *out) {
    buffer_add_text(out, "<path class=\"dots\" d=\"");
    for (int y = 0; y < size; y++) {
        for (int x = 0, run; x < size; x += run) {
            bool is_dark = qrcodegen_getModule(code, x, y);
            for (run = 1; x + run < size && qrcodegen_getModule(code, x + run, y) == is_dark; run++)
                ;
            if (is_dark)
                buffer_printf(out, "M%d,%dh%dv1h-%dz", x + QR_QUIET_ZONE, y + QR_QUIET_ZONE, run, run);
        }
    }
    buffer_add_text(out, "\"/>");
}

static void write_code(const struct sheet *sheet, const struct ticket *ticket, int y, struct buffer *out) {
    static_assert(qrcodegen_BUFFER_LEN_FOR_VERSION(QR_VERSION) >= LIMIT_TICKET_BYTES, "a token fits the work space");
    uint8_t work[qrcodegen_BUFFER_LEN_FOR_VERSION(QR_VERSION)], code[sizeof work];
    struct buffer token = {.at = (char *)work, .capacity = sizeof work, .limit = sizeof work};
    ticket_write(sheet->ring, ticket, &token);
    assert(buffer_ok(&token) && token.length <= LIMIT_TICKET_BYTES);
    bool fits = qrcodegen_encodeBinary(work, token.length, code, qrcodegen_Ecc_MEDIUM, qrcodegen_VERSION_MIN,
                                       QR_VERSION, qrcodegen_Mask_AUTO, true);
    assert(fits);
    int size = qrcodegen_getSize(code), whole = size + 2 * QR_QUIET_ZONE, x = (CARD_WIDTH - CODE_BOX) / 2;
    buffer_printf(out,
                  "<rect class=\"code\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"12\"/>"
                  "<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
                  "shape-rendering=\"crispEdges\" aria-label=\"%s\">",
                  x, y, CODE_BOX, CODE_BOX, x, y, CODE_BOX, CODE_BOX, whole, whole, sheet->words->code);
    write_modules(code, size, out);
    buffer_add_text(out, "</svg>");
}

static void write_number(const struct sheet *sheet, const struct ticket *ticket, int y, struct buffer *out) {
    char number[TICKET_NUMBER_TEXT], spaced[TICKET_NUMBER_TEXT * 5 / 4];
    size_t length = 0;
    ticket_number_format(ticket->number, number);
    for (size_t i = 0; i < sizeof number; i++) {
        if (i && i % 4 == 0)
            spaced[length++] = ' ';
        spaced[length++] = number[i];
    }
    write_plain("label middle", CARD_WIDTH / 2, y, bytes_of(sheet->words->number), out);
    write_plain("number middle", CARD_WIDTH / 2, y + 22, (struct bytes){spaced, length}, out);
}

/* ---- a card ---- */

/* Each returns the baseline of what it wrote last. */
static int write_head(const struct sheet *sheet, const struct card *card, struct buffer *out) {
    struct svg_line lines[NAME_LINES];
    char room[80];
    struct buffer text = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    const struct words *words = sheet->words;
    if (sheet->accent[0])
        buffer_printf(out, "<rect x=\"%d\" y=\"30\" width=\"44\" height=\"5\" rx=\"2.5\" fill=\"%s\"/>", PAD,
                      sheet->accent);
    else
        buffer_printf(out, "<rect class=\"mark\" x=\"%d\" y=\"30\" width=\"44\" height=\"5\" rx=\"2.5\"/>", PAD);
    buffer_printf(&text, "%s %u %s %u", words->ticket, card->ordinal, words->of, card->total);
    write_plain("label end", CARD_WIDTH - PAD, 37, buffer_bytes(&text), out);
    size_t count = svg_break_lines(sheet->event_name, INNER * 100 / NAME_SIZE, NAME_LINES, lines);
    int y = write_lines("name", PAD, 76, NAME_LINE, count, lines, out);
    if (sheet->start_ms) {
        text.length = 0;
        words_write_time(words, sheet->start_ms, sheet->offset_minutes, &text);
        y += 30;
        write_plain("when", PAD, y, buffer_bytes(&text), out);
    }
    return y;
}

static int write_facts(const struct sheet *sheet, const struct card *card, int y, struct buffer *out) {
    struct svg_line lines[VALUE_LINES];
    const struct words *words = sheet->words;
    if (card->section.length) {
        write_plain("label", PAD, y, bytes_of(words->section), out);
        size_t count = svg_break_lines(card->section, INNER * 100 / VALUE_SIZE, VALUE_LINES, lines);
        y = write_lines("value", PAD, y + LABEL_TO_VALUE, VALUE_LINE, count, lines, out) + FACT_GAP;
    }
    if (card->row.length) {
        write_fact(words->row, card->row, PAD, y, COLUMN, out);
        y = write_fact(words->seat, card->number, SECOND_COLUMN, y, CARD_WIDTH - PAD - SECOND_COLUMN, out);
    } else {
        y = write_fact(words->place, ticket_seat(&card->ticket), PAD, y, INNER, out);
    }
    y += FACT_GAP;
    char room[80];
    struct buffer price = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    words_write_money(words, card->amount, card->currency, &price);
    write_fact(words->category, card->category, PAD, y, COLUMN, out);
    return write_fact(words->price, buffer_bytes(&price), SECOND_COLUMN, y, CARD_WIDTH - PAD - SECOND_COLUMN, out);
}

/* Returns its height. `body` is what stands inside its border. */
static int write_card(const struct sheet *sheet, const struct card *card, struct buffer *body) {
    int y = write_head(sheet, card, body) + 28;
    buffer_printf(body,
                  "<path class=\"tear\" d=\"M%d,%dH%d\" stroke-dasharray=\"2 7\" stroke-width=\"2\" "
                  "stroke-linecap=\"round\"/>",
                  PAD, y, CARD_WIDTH - PAD);
    y = write_facts(sheet, card, y + 32, body) + 28;
    write_code(sheet, &card->ticket, y, body);
    y += CODE_BOX + 28;
    write_number(sheet, &card->ticket, y, body);
    return y + 22 + 28;
}

/* ---- the sheet ---- */

static void write_cards(const struct sheet *sheet, uint32_t count, const struct card *cards, int *height,
                        struct buffer *all) {
    struct buffer body;
    buffer_init(&body, all->limit);
    int y = MARGIN;
    for (uint32_t i = 0; i < count; i++) {
        buffer_clear(&body);
        int tall = write_card(sheet, &cards[i], &body);
        buffer_printf(all,
                      "<g transform=\"translate(%d,%d)\"><rect class=\"card\" x=\".5\" y=\".5\" width=\"%d\" "
                      "height=\"%d\" rx=\"20\"/>",
                      MARGIN, y, CARD_WIDTH - 1, tall - 1);
        buffer_add_bytes(all, buffer_bytes(&body));
        buffer_add_text(all, "</g>\n");
        all->full |= body.full;
        y += tall + MARGIN;
    }
    *height = y;
    buffer_release(&body);
}

void sheet_write(const struct sheet *sheet, uint32_t count, const struct card *cards, struct buffer *out) {
    struct buffer all;
    int height, width = CARD_WIDTH + 2 * MARGIN;
    assert(count > 0);
    buffer_init(&all, out->limit);
    write_cards(sheet, count, cards, &height, &all);
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"%s\" width=\"%d\" height=\"%d\" "
                  "viewBox=\"0 0 %d %d\">\n<title>",
                  sheet->words->language, width, height, width, height);
    svg_write_text(sheet->event_name, out);
    buffer_add_text(out, "</title>\n<style>" STYLE "</style>\n");
    buffer_add_bytes(out, buffer_bytes(&all));
    buffer_add_text(out, "</svg>\n");
    out->full |= all.full;
    buffer_release(&all);
}
