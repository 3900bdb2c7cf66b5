/* The settings of `onsale serve`: from flags, then ONSALE_* variables, then the file named by --config, then the
 * defaults (settings.def). */
#ifndef ONSALE_RUNTIME_SETTINGS_H
#define ONSALE_RUNTIME_SETTINGS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

enum setting {
#define SETTING(name, type, flag, initial, min, max, unit, help) SETTING_##name,
#include "runtime/settings.def"
#undef SETTING
    SETTING_COUNT
};

struct settings {
    char *text[SETTING_COUNT];     /* owned */
    int64_t number[SETTING_COUNT]; /* NUMBER; SWITCH as 0 or 1; CHOICE as the word's place */
};

/* OK; or INVALID_FIELD with what is wrong and how to say it right in `fault`; NOT_FOUND where --help was asked for.
 * `arguments` are those behind the subcommand. */
MUST_USE enum result settings_read(int count, char **arguments, struct settings *settings, char *fault,
                                   size_t fault_size);
void settings_release(struct settings *settings);

/* The list with defaults and units. */
void settings_write_help(struct buffer *out);

#endif
