#include "base/clock.h"
#include "base/panic.h"

#include <pthread.h>
#include <time.h>

static int64_t wall_minus_boot_ms;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int64_t read_ms(clockid_t id) {
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_offset(void) {
    wall_minus_boot_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_BOOTTIME);
}

int64_t clock_now_ms(void) {
    pthread_once(&once, set_offset);
    return wall_minus_boot_ms + read_ms(CLOCK_BOOTTIME);
}

int64_t clock_monotonic_us(void) {
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Days since 1970-01-01 of a civil date, and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void put_digits(char *at, int width, int64_t value) {
    for (int i = width - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

size_t clock_format(int64_t ms, char text[static CLOCK_TEXT_BYTES]) {
    if (ms < 0)
        ms = 0;
    int64_t days = ms / 86400000 + 719468;
    int64_t rest = ms % 86400000;
    int64_t era = days / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned m = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * m + 2) / 5 + 1;
    unsigned month = m < 10 ? m + 3 : m - 9;
    int64_t year = (int64_t)year_of_era + era * 400 + (month <= 2);

    memcpy(text, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_BYTES);
    put_digits(text, 4, year);
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day);
    put_digits(text + 11, 2, rest / 3600000);
    put_digits(text + 14, 2, rest / 60000 % 60);
    put_digits(text + 17, 2, rest / 1000 % 60);
    put_digits(text + 20, 3, rest % 1000);
    return CLOCK_TEXT_BYTES - 1;
}

static bool number_at(struct bytes text, size_t at, size_t width, unsigned min, unsigned max, unsigned *value) {
    uint64_t wide;
    if (at + width > text.length || !bytes_to_u64((struct bytes){text.at + at, width}, max, &wide) || wide < min)
        return false;
    *value = (unsigned)wide;
    return true;
}

static bool is_at(struct bytes text, size_t at, const char *any_of) {
    return at < text.length && text.at[at] && strchr(any_of, text.at[at]);
}

bool clock_parse(struct bytes text, int64_t *ms) {
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day, hour, minute, second, offset_hour = 0, offset_minute = 0;
    if (!number_at(text, 0, 4, 1970, 9999, &year) || !is_at(text, 4, "-") || !number_at(text, 5, 2, 1, 12, &month) ||
        !is_at(text, 7, "-") || !number_at(text, 8, 2, 1, 31, &day) || !is_at(text, 10, "Tt ") ||
        !number_at(text, 11, 2, 0, 23, &hour) || !is_at(text, 13, ":") || !number_at(text, 14, 2, 0, 59, &minute) ||
        !is_at(text, 16, ":") || !number_at(text, 17, 2, 0, 60, &second))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (month == 2 && leap ? 1U : 0U))
        return false;

    size_t at = 19;
    int64_t fraction_ms = 0;
    if (is_at(text, at, ".")) {
        size_t start = ++at;
        for (int64_t scale = 100; is_at(text, at, "0123456789"); at++, scale /= 10)
            fraction_ms += (text.at[at] - '0') * scale;
        if (at == start)
            return false;
    }
    int64_t sign = 0;
    if (is_at(text, at, "Zz")) {
        at++;
    } else if (is_at(text, at, "+-")) {
        sign = text.at[at] == '-' ? -1 : 1;
        if (!number_at(text, at + 1, 2, 0, 23, &offset_hour) || !is_at(text, at + 3, ":") ||
            !number_at(text, at + 4, 2, 0, 59, &offset_minute))
            return false;
        at += 6;
    } else {
        return false;
    }
    if (at != text.length)
        return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    int64_t result = (seconds - sign * (int64_t)(offset_hour * 3600 + offset_minute * 60)) * 1000 + fraction_ms;
    if (result < 0)
        return false;
    *ms = result;
    return true;
}
