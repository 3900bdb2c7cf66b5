#include "commands/commands.h"

#include <curl/curl.h>
#include <jansson.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <zlib.h>

int command_version(int count, char **arguments) {
    (void)count;
    (void)arguments;
    printf("onsale " ONSALE_VERSION "\njansson %s, libcurl %s, libsodium %s, SQLite %s, zlib %s\n", JANSSON_VERSION,
           curl_version_info(CURLVERSION_NOW)->version, sodium_version_string(), sqlite3_libversion(), zlibVersion());
    return 0;
}
