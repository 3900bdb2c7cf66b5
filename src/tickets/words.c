#include "tickets/words.h"
#include "base/clock.h"
#include "base/panic.h"

#include <stdlib.h>

static const struct words languages[] = {
    {.language = "en",
     .ticket = "Ticket",
     .of = "of",
     .section = "Section",
     .row = "Row",
     .seat = "Seat",
     .place = "Place",
     .category = "Category",
     .price = "Price",
     .free = "free",
     .number = "Ticket number",
     .code = "QR code of this ticket",
     .decimal = '.',
     .thousands = ',',
     .is_currency_first = true,
     .days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
     .months = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December"},
     .time_pattern = "%1 %2 %3 %4, %5"},
    {.language = "de",
     .ticket = "Ticket",
     .of = "von",
     .section = "Block",
     .row = "Reihe",
     .seat = "Platz",
     .place = "Platz",
     .category = "Kategorie",
     .price = "Preis",
     .free = "kostenlos",
     .number = "Ticketnummer",
     .code = "QR-Code dieses Tickets",
     .decimal = ',',
     .thousands = '.',
     .days = {"So.", "Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa."},
     .months = {"Januar", "Februar", "M\xc3\xa4rz", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
                "November", "Dezember"},
     .time_pattern = "%1, %2. %3 %4, %5 Uhr"},
};

const struct words *words_find(struct bytes language) {
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (bytes_equal(language, bytes_of(languages[i].language)))
            return &languages[i];
    return NULL;
}

const struct words *words_default(void) {
    return &languages[0];
}

/* ---- money ---- */

/* Of ISO 4217, list one: those that have not two decimals. */
static unsigned decimals_of(const char *currency) {
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    if (strlen(currency) != 3)
        return 2;
    return strstr(none, currency) ? 0 : strstr(three, currency) ? 3 : 2;
}

/* Backwards, from the last digit. */
static size_t write_digits(const struct words *words, uint64_t amount, unsigned decimals, char room[static 40]) {
    size_t length = 0;
    for (unsigned digit = 0; amount > 0 || digit <= decimals; digit++, amount /= 10) {
        if (digit == decimals && digit > 0)
            room[length++] = words->decimal;
        else if (digit > decimals && (digit - decimals) % 3 == 0)
            room[length++] = words->thousands;
        room[length++] = (char)('0' + amount % 10);
    }
    return length;
}

void words_write_money(const struct words *words, int64_t amount, const char *currency, struct buffer *out) {
    char digits[40];
    assert(amount >= 0);
    if (amount == 0) {
        buffer_add_text(out, words->free);
        return;
    }
    size_t length = write_digits(words, (uint64_t)amount, decimals_of(currency), digits);
    if (words->is_currency_first)
        buffer_printf(out, "%s ", currency);
    while (length)
        buffer_add_char(out, digits[--length]);
    if (!words->is_currency_first)
        buffer_printf(out, " %s", currency);
}

/* ---- times ---- */

static unsigned digits_at(const char *text, unsigned count) {
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

static void write_offset(int minutes, struct buffer *out) {
    buffer_add_text(out, " (UTC");
    if (minutes)
        buffer_printf(out, "%c%d", minutes < 0 ? '-' : '+', abs(minutes) / 60);
    if (minutes % 60)
        buffer_printf(out, ":%02d", abs(minutes) % 60);
    buffer_add_char(out, ')');
}

void words_write_time(const struct words *words, int64_t ms, int offset_minutes, struct buffer *out) {
    char text[CLOCK_TEXT_BYTES]; /* 2027-06-12T20:30:00.000Z */
    assert(abs(offset_minutes) <= WORDS_MOST_OFFSET_MINUTES);
    int64_t local_ms = ms + offset_minutes * 60000LL;
    if (local_ms < 0)
        local_ms = 0;
    clock_format(local_ms, text);
    for (const char *at = words->time_pattern; *at; at++) {
        if (*at != '%') {
            buffer_add_char(out, *at);
            continue;
        }
        switch (*++at) {
        case '1':
            buffer_add_text(out, words->days[(local_ms / 86400000 + 4) % 7]); /* the epoch was a Thursday */
            break;
        case '2':
            buffer_add_u64(out, digits_at(text + 8, 2));
            break;
        case '3':
            buffer_add_text(out, words->months[digits_at(text + 5, 2) - 1]);
            break;
        case '4':
            buffer_add_u64(out, digits_at(text, 4));
            break;
        case '5':
            buffer_add(out, text + 11, 5);
            break;
        default:
            impossible("a time pattern has five places");
        }
    }
    write_offset(offset_minutes, out);
}
