#include "runtime/settings.h"
#include "base/files.h"
#include "base/panic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum setting_type { TYPE_TEXT, TYPE_NUMBER, TYPE_SWITCH, TYPE_CHOICE };

struct description {
    const char *name, *flag, *initial, *unit, *help;
    enum setting_type type;
    int64_t min, max;
};

static const struct description descriptions[SETTING_COUNT] = {
#define SETTING(name, type, flag, initial, min, max, unit, help)                                                       \
    [SETTING_##name] = {#name, flag, initial, unit, help, TYPE_##type, min, max},
#include "runtime/settings.def"
#undef SETTING
};

/* "admin_listen" → "ONSALE_ADMIN_LISTEN" */
static void variable_of(enum setting setting, char *variable, size_t size) {
    snprintf(variable, size, "ONSALE_%s", descriptions[setting].name);
    for (char *c = variable; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
}

static bool choice_place(const char *words, struct bytes value, int64_t *place) {
    *place = 0;
    for (const char *at = words;; (*place)++) {
        const char *bar = strchr(at, '|');
        size_t length = bar ? (size_t)(bar - at) : strlen(at);
        if (bytes_equal(value, (struct bytes){at, length}))
            return true;
        if (!bar)
            return false;
        at = bar + 1;
    }
}

static bool parse(enum setting setting, struct bytes value, int64_t *number) {
    const struct description *is = &descriptions[setting];
    uint64_t unsigned_number;
    switch (is->type) {
    case TYPE_TEXT:
        return (int64_t)value.length >= is->min && (int64_t)value.length <= is->max;
    case TYPE_NUMBER:
        if (!bytes_to_u64(value, (uint64_t)is->max, &unsigned_number) || (int64_t)unsigned_number < is->min)
            return false;
        *number = (int64_t)unsigned_number;
        return true;
    case TYPE_SWITCH:
        *number = bytes_equal(value, BYTES("on"));
        return *number || bytes_equal(value, BYTES("off"));
    case TYPE_CHOICE:
        return choice_place(is->unit, value, number);
    }
    impossible("a setting has a type");
}

static enum result set(struct settings *settings, enum setting setting, const char *said_as, struct bytes value,
                       char *fault, size_t fault_size) {
    const struct description *is = &descriptions[setting];
    int64_t number = 0;
    if (!parse(setting, value, &number)) {
        if (is->type == TYPE_NUMBER)
            snprintf(fault, fault_size, "%s: '%.*s' is not a whole number from %lld to %lld (%s)", said_as,
                     (int)value.length, value.at, (long long)is->min, (long long)is->max, is->unit);
        else if (is->type == TYPE_CHOICE)
            snprintf(fault, fault_size, "%s: '%.*s' is not one of %s", said_as, (int)value.length, value.at, is->unit);
        else if (is->type == TYPE_SWITCH)
            snprintf(fault, fault_size, "%s: '%.*s' is neither on nor off", said_as, (int)value.length, value.at);
        else
            snprintf(fault, fault_size, "%s: %lld to %lld characters are allowed", said_as, (long long)is->min,
                     (long long)is->max);
        return RESULT_INVALID_FIELD;
    }
    free(settings->text[setting]);
    settings->text[setting] = strndup(value.at, value.length);
    settings->number[setting] = number;
    return settings->text[setting] ? RESULT_OK : RESULT_OVERLOADED;
}

static bool find_flag(const char *name, size_t length, enum setting *setting) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *flag = descriptions[i].flag;
        if (flag && strlen(flag) == length && memcmp(flag, name, length) == 0) {
            *setting = (enum setting)i;
            return true;
        }
    }
    return false;
}

/* Why `argument` is no flag: a secret is asked for by its variable. */
static void say_no_flag(const char *argument, char *fault, size_t fault_size) {
    char variable[80];
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (descriptions[i].flag)
            continue;
        char flag[80];
        snprintf(flag, sizeof flag, "--%s", descriptions[i].name);
        for (char *c = flag; *c; c++)
            if (*c == '_')
                *c = '-';
        variable_of((enum setting)i, variable, sizeof variable);
        if (strncmp(argument, flag, strlen(flag)) == 0) {
            snprintf(fault, fault_size, "%s is no flag, since everybody sees a process's arguments: set %s", flag,
                     variable);
            return;
        }
    }
    /* What stands behind the '=' may be a secret. */
    snprintf(fault, fault_size, "there is no setting '%.*s'; --help lists them", (int)strcspn(argument, "="), argument);
}

/* Each flag as --flag value, --flag=value, or --flag for a switch. */
static enum result read_flags(int count, char **arguments, struct settings *settings, bool given[], char *fault,
                              size_t fault_size) {
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        enum setting setting;
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
            return RESULT_NOT_FOUND;
        const char *equals = strchr(argument, '=');
        size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
        if (strncmp(argument, "--", 2) != 0 || !find_flag(argument + 2, length - 2, &setting)) {
            say_no_flag(argument, fault, fault_size);
            return RESULT_INVALID_FIELD;
        }
        const char *value = equals                                      ? equals + 1
                            : descriptions[setting].type == TYPE_SWITCH ? "on"
                            : i + 1 < count                             ? arguments[++i]
                                                                        : NULL;
        if (!value) {
            snprintf(fault, fault_size, "%s needs a value (%s)", argument, descriptions[setting].unit);
            return RESULT_INVALID_FIELD;
        }
        char said_as[80];
        snprintf(said_as, sizeof said_as, "--%s", descriptions[setting].flag);
        enum result result = set(settings, setting, said_as, bytes_of(value), fault, fault_size);
        if (result != RESULT_OK)
            return result;
        given[setting] = true;
    }
    return RESULT_OK;
}

static enum result read_variables(struct settings *settings, bool given[], char *fault, size_t fault_size) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        char variable[80];
        variable_of((enum setting)i, variable, sizeof variable);
        const char *value = getenv(variable);
        if (!value || given[i])
            continue;
        enum result result = set(settings, (enum setting)i, variable, bytes_of(value), fault, fault_size);
        if (result != RESULT_OK)
            return result;
        given[i] = true;
    }
    return RESULT_OK;
}

static enum result read_line(struct settings *settings, bool given[], struct bytes line, char *fault,
                             size_t fault_size) {
    while (line.length && (line.at[line.length - 1] == '\r' || line.at[line.length - 1] == ' '))
        line.length--;
    if (!line.length || line.at[0] == '#')
        return RESULT_OK;
    const char *equals = memchr(line.at, '=', line.length);
    struct bytes key = {line.at, equals ? (size_t)(equals - line.at) : line.length};
    for (int i = 0; equals && i < SETTING_COUNT; i++) {
        char variable[80];
        variable_of((enum setting)i, variable, sizeof variable);
        if (!bytes_equal(key, bytes_of(variable)))
            continue;
        if (given[i])
            return RESULT_OK;
        struct bytes value = {equals + 1, (size_t)(line.at + line.length - equals - 1)};
        return set(settings, (enum setting)i, variable, value, fault, fault_size);
    }
    /* A line is never repeated as a whole: what stands in it may be a secret. */
    if (equals)
        snprintf(fault, fault_size, "there is no setting '%.*s'; --help lists them", (int)key.length, key.at);
    else
        snprintf(fault, fault_size, "this is not a setting: write ONSALE_NAME=value");
    return RESULT_INVALID_FIELD;
}

static enum result read_file(struct settings *settings, bool given[], char *fault, size_t fault_size) {
    const char *path = settings->text[SETTING_config];
    if (!path[0])
        return RESULT_OK;
    struct buffer content;
    buffer_init(&content, 1024 * 1024);
    enum result result = file_read(path, &content);
    if (result != RESULT_OK) {
        snprintf(fault, fault_size, "cannot read '%s': %s", path,
                 result == RESULT_BODY_TOO_LARGE ? "it is too large" : strerror(errno));
        result = RESULT_INVALID_FIELD;
    }
    size_t at = 0;
    for (unsigned number = 1; result == RESULT_OK && at < content.length; number++) {
        const char *end = memchr(content.at + at, '\n', content.length - at);
        size_t length = end ? (size_t)(end - content.at) - at : content.length - at;
        char why[300];
        result = read_line(settings, given, (struct bytes){content.at + at, length}, why, sizeof why);
        if (result != RESULT_OK)
            snprintf(fault, fault_size, "%s, line %u: %s", path, number, why);
        at += length + 1;
    }
    buffer_release(&content);
    return result;
}

enum result settings_read(int count, char **arguments, struct settings *settings, char *fault, size_t fault_size) {
    bool given[SETTING_COUNT] = {false};
    memset(settings, 0, sizeof *settings);
    enum result result = RESULT_OK;
    for (int i = 0; i < SETTING_COUNT && result == RESULT_OK; i++)
        result =
            set(settings, (enum setting)i, descriptions[i].name, bytes_of(descriptions[i].initial), fault, fault_size);
    if (result == RESULT_OK)
        result = read_flags(count, arguments, settings, given, fault, fault_size);
    if (result == RESULT_OK)
        result = read_variables(settings, given, fault, fault_size);
    if (result == RESULT_OK)
        result = read_file(settings, given, fault, fault_size);
    if (result != RESULT_OK)
        settings_release(settings);
    return result;
}

void settings_release(struct settings *settings) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(settings->text[i]);
        settings->text[i] = NULL;
    }
}

void settings_write_help(struct buffer *out) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct description *is = &descriptions[i];
        char variable[80], left[120];
        variable_of((enum setting)i, variable, sizeof variable);
        if (is->flag && is->type == TYPE_SWITCH)
            snprintf(left, sizeof left, "--%s", is->flag);
        else if (is->flag)
            snprintf(left, sizeof left, "--%s %s", is->flag, is->unit);
        else
            snprintf(left, sizeof left, "(no flag)");
        buffer_printf(out, "  %-42s %s\n", left, is->help);
        if (is->type == TYPE_NUMBER)
            buffer_printf(out, "  %-42s default %s %s, from %lld to %lld; %s\n", "", is->initial, is->unit,
                          (long long)is->min, (long long)is->max, variable);
        else
            buffer_printf(out, "  %-42s default %s; %s\n", "", is->initial[0] ? is->initial : "not set", variable);
    }
}
