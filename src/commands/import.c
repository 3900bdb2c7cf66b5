/* `onsale import PLAN`: makes a show from a seating plan. Where a server runs on the data folder it is asked to (its
 * operator's API); else the show is written to the ledger there, for the next start. With --check the plan is read and
 * described, and nothing is made. */
#include "base/files.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "engines/sqlite/sqlite_ledger.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct import {
    const char *plan_path, *folder, *event_name, *start_time, *on_sale_time, *currency;
    const char *prices[LIMIT_CATEGORIES_PER_SHOW];
    unsigned price_count;
    bool check;
    struct buffer text;
};

static const char help[] =
    "usage: onsale import PLAN [SETTING ...]\n\n"
    "Makes a show from a seating plan: our full or short form (docs/plans.md), or the seating-plan JSON of pretix.\n"
    "If a server runs on the data folder it makes the show at once; else it is there at the next start.\n\n"
    "  --check                   read the plan and say what is in it; make nothing\n"
    "  --data FOLDER             the server's data folder (default onsale-data)\n"
    "  --event-name TEXT         default: the plan's name\n"
    "  --start-time TIME         when it begins, RFC 3339 (default not set)\n"
    "  --on-sale-time TIME       when it goes on sale, RFC 3339 (default at once)\n"
    "  --currency CODE           ISO 4217 (default EUR)\n"
    "  --price CATEGORY=AMOUNT   in minor units (5000 is 50.00 EUR); once for each category that the plan gives no "
    "price\n";

static bool take_value(int count, char **arguments, int *at, const char *flag, const char **value) {
    size_t length = strlen(flag);
    if (strncmp(arguments[*at], flag, length) != 0)
        return false;
    if (arguments[*at][length] == '=')
        *value = arguments[*at] + length + 1;
    else if (arguments[*at][length] == '\0' && *at + 1 < count)
        *value = arguments[++*at];
    else
        return false;
    return true;
}

static bool read_arguments(int count, char **arguments, struct import *import) {
    for (int i = 0; i < count; i++) {
        if (take_value(count, arguments, &i, "--data", &import->folder) ||
            take_value(count, arguments, &i, "--event-name", &import->event_name) ||
            take_value(count, arguments, &i, "--start-time", &import->start_time) ||
            take_value(count, arguments, &i, "--on-sale-time", &import->on_sale_time) ||
            take_value(count, arguments, &i, "--currency", &import->currency))
            continue;
        if (import->price_count < LIMIT_CATEGORIES_PER_SHOW &&
            take_value(count, arguments, &i, "--price", &import->prices[import->price_count])) {
            import->price_count++;
            continue;
        }
        if (strcmp(arguments[i], "--check") == 0) {
            import->check = true;
        } else if (arguments[i][0] != '-' && !import->plan_path) {
            import->plan_path = arguments[i];
        } else {
            say_failure("'%s' is not understood, or lacks its value; --help lists the settings", arguments[i]);
            return false;
        }
    }
    if (!import->plan_path)
        say_failure("which plan? usage: onsale import PLAN [SETTING ...]");
    return import->plan_path != NULL;
}

static int say_fault(const struct import *import, const struct sale_fault *fault, enum result result) {
    return say_failure("%s: %s%s%s", import->plan_path, fault->pointer, fault->pointer[0] ? ": " : "",
                       fault->detail[0] ? fault->detail : result_words(result));
}

static void describe(const struct plan *plan) {
    uint32_t areas = 0, places = 0;
    for (uint32_t i = 0; i < plan->section_count; i++) {
        areas += plan->sections[i].is_area;
        places += plan->sections[i].is_area ? plan->sections[i].seat_count : 0;
    }
    printf("%.*s: %u places: %u seats in %u sections and %u rows, %u places in %u general-admission areas\n",
           (int)plan->name.length, plan->name.at, plan->seat_count, plan->seat_count - places,
           plan->section_count - areas, plan->row_count, places, areas);
    for (uint32_t i = 0; i < plan->category_count; i++)
        printf("  %-24.*s %8u places  %s\n", (int)plan->categories[i].name.length, plan->categories[i].name.at,
               plan->categories[i].seat_count, plan->categories[i].color);
}

/* The show's document, as the operator's API takes it, but for the plan. */
static json_t *document_of(const struct import *import, const struct plan *plan) {
    json_t *document = json_object();
    json_t *prices = json_object();
    char name[LIMIT_NAME_BYTES + 1];
    snprintf(name, sizeof name, "%.*s", (int)plan->name.length, plan->name.at);
    json_object_set_new(document, "event_name",
                        json_string(import->event_name ? import->event_name
                                    : name[0]          ? name
                                                       : "A show"));
    if (import->start_time)
        json_object_set_new(document, "start_time", json_string(import->start_time));
    if (import->on_sale_time)
        json_object_set_new(document, "on_sale_time", json_string(import->on_sale_time));
    for (unsigned i = 0; i < import->price_count; i++) {
        const char *equals = strrchr(import->prices[i], '=');
        uint64_t amount;
        if (!equals || !bytes_to_u64(bytes_of(equals + 1), INT64_MAX, &amount)) {
            say_failure("--price %s: write CATEGORY=AMOUNT, the amount in minor units", import->prices[i]);
            json_decref(document);
            json_decref(prices);
            return NULL;
        }
        char category[LIMIT_NAME_BYTES + 1];
        snprintf(category, sizeof category, "%.*s", (int)(equals - import->prices[i]), import->prices[i]);
        json_object_set_new(prices, category,
                            json_pack("{s:I,s:s}", "amount", (json_int_t)amount, "currency", import->currency));
    }
    json_object_set_new(document, "prices", prices);
    return document;
}

/* ---- into the ledger ---- */

static int make_in_ledger(const struct import *import, const struct plan *plan, const struct sale_terms *terms) {
    struct sqlite_ledger_settings settings = {0};
    struct ledger ledger;
    struct id show_id;
    char fault[500], text[ID_UUID_TEXT];
    if (sqlite_ledger_open(import->folder, &settings, &ledger, fault, sizeof fault) != RESULT_OK)
        return say_failure("%s", fault);
    enum result result = ledger_make_show(&ledger, plan, terms, NULL, &show_id);
    ledger.close(ledger.engine);
    if (result != RESULT_OK)
        return say_failure("the show could not be written: %s", result_words(result));
    id_format_uuid(&show_id, text);
    printf("made show %.*s in %s; it is served from the next `onsale serve --data %s`\n", ID_UUID_TEXT, text,
           import->folder, import->folder);
    return 0;
}

/* ---- by the server ---- */

static size_t take_answer(char *data, size_t size, size_t count, void *context) {
    buffer_add(context, data, size * count);
    return size * count;
}

static bool read_text(const char *folder, const char *name, struct buffer *text) {
    char path[3300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    buffer_init(text, 64 * 1024);
    bool good = file_read(path, text) == RESULT_OK;
    while (good && text->length && (text->at[text->length - 1] == '\n' || text->at[text->length - 1] == '\r'))
        text->length--;
    return good;
}

static bool find_server(const struct import *import, char *url, size_t size) {
    struct buffer text;
    json_t *document = NULL;
    char detail[100];
    bool found = read_text(import->folder, "listen.json", &text) &&
                 json_parse(buffer_bytes(&text), &document, detail, sizeof detail) == RESULT_OK;
    const char *address = json_string_value(json_object_get(document, "admin_listen"));
    found = found && address && snprintf(url, size, "http://%s/api/v1/admin/shows", address) < (int)size;
    json_decref(document);
    buffer_release(&text);
    return found;
}

static long post(const char *url, const char *token, const char *body, struct buffer *answer) {
    char authorization[400];
    long status = 0;
    CURL *curl = curl_easy_init();
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, authorization);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static int say_answer(long status, struct buffer *answer) {
    json_t *document = NULL;
    char detail[100];
    if (json_parse(buffer_bytes(answer), &document, detail, sizeof detail) != RESULT_OK)
        document = NULL;
    int code = 0;
    const char *show_id = json_string_value(json_object_get(document, "show_id"));
    if (status == 201 && show_id) {
        printf("made show %s; it is served now\n", show_id);
    } else {
        const char *why = json_string_value(json_object_get(document, "detail"));
        const char *where = json_string_value(json_object_get(document, "pointer"));
        code = say_failure("the server refused (%ld): %s %s", status, why ? why : "no answer", where ? where : "");
    }
    json_decref(document);
    return code;
}

static int make_by_server(const struct import *import, json_t *document) {
    char url[200];
    struct buffer token, answer;
    if (!find_server(import, url, sizeof url))
        return say_failure("a server holds '%s', but its listen.json cannot be read; is it still starting?",
                           import->folder);
    const char *given = getenv("ONSALE_ADMIN_TOKEN");
    if (given) {
        buffer_init(&token, 1024);
        buffer_add_text(&token, given);
    } else if (!read_text(import->folder, "admin-token", &token)) {
        return say_failure("cannot read '%s/admin-token'; set ONSALE_ADMIN_TOKEN", import->folder);
    }
    buffer_add_char(&token, '\0');
    json_error_t error;
    json_object_set_new(document, "plan", json_loadb(import->text.at, import->text.length, 0, &error));
    char *body = json_dumps(document, JSON_COMPACT);
    buffer_init(&answer, 1024 * 1024);
    int code = say_answer(post(url, token.at, body, &answer), &answer);
    free(body);
    buffer_release(&answer);
    buffer_release(&token);
    return code;
}

/* ---- */

static int make(const struct import *import, const struct plan *plan, struct sale_terms *terms) {
    json_t *document = document_of(import, plan);
    if (!document)
        return 2;
    struct sale_fault fault = {0};
    int lock, code;
    enum result result = sale_read_terms(document, plan, terms, &fault);
    if (result != RESULT_OK) {
        bool price = strcmp(fault.pointer, "/prices") == 0;
        code = say_failure("%s: %s (%s)", fault.pointer, fault.detail,
                           price ? "give each category one: --price CATEGORY=AMOUNT, in minor units" : "see --help");
    } else if (folder_make(import->folder) != RESULT_OK) {
        code = say_failure("cannot use the data folder '%s': %s", import->folder, strerror(errno));
    } else if ((result = folder_lock(import->folder, &lock)) == RESULT_OK) {
        code = make_in_ledger(import, plan, terms);
    } else if (result == RESULT_IN_USE) {
        code = make_by_server(import, document);
    } else {
        code = say_failure("cannot use the data folder '%s': %s", import->folder, strerror(errno));
    }
    json_decref(document);
    return code;
}

int command_import(int count, char **arguments) {
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
    }
    struct import import = {.folder = "onsale-data", .currency = "EUR"};
    if (!read_arguments(count, arguments, &import))
        return 2;
    buffer_init(&import.text, LIMIT_PLAN_BYTES);
    enum result result = file_read(import.plan_path, &import.text);
    if (result != RESULT_OK)
        return say_failure("cannot read '%s': %s", import.plan_path,
                           result == RESULT_BODY_TOO_LARGE ? "it is larger than 48 MiB" : strerror(errno));
    struct sale_fault fault = {0};
    struct sale_terms terms;
    struct plan *plan = NULL;
    sale_default_terms(&terms);
    result = read_plan_text(buffer_bytes(&import.text), &plan, &terms, &fault);
    int code;
    if (result != RESULT_OK) {
        code = say_fault(&import, &fault, result);
    } else {
        describe(plan);
        code = import.check ? 0 : make(&import, plan, &terms);
        plan_free(plan);
    }
    buffer_release(&import.text);
    return code;
}
