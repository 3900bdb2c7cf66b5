#include "sandbox/webhook.h"
#include "base/panic.h"

#include <sodium.h>
#include <stdio.h>

#define MOST_WAIT_MS 3600000

void webhook_sign(struct bytes secret, int64_t now_s, struct bytes body, char text[static WEBHOOK_SIGNATURE_BYTES]) {
    crypto_auth_hmacsha256_state state;
    uint8_t hash[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof hash + 1] = {0}, stamp[24];
    int length = snprintf(stamp, sizeof stamp, "%lld.", (long long)now_s);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.at, secret.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)stamp, (unsigned)length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.at, body.length);
    crypto_auth_hmacsha256_final(&state, hash);
    hex_encode(hash, sizeof hash, hex);
    snprintf(text, WEBHOOK_SIGNATURE_BYTES, "t=%lld,v1=%s", (long long)now_s, hex);
}

int64_t webhook_wait_ms(uint32_t failures, uint64_t chance) {
    static const int64_t quick_ms[] = {1000, 3000, 8000, 20000};
    const uint32_t quick = sizeof quick_ms / sizeof *quick_ms;
    assert(failures > 0);
    int64_t wait_ms = MOST_WAIT_MS;
    if (failures <= quick)
        wait_ms = quick_ms[failures - 1];
    else if (failures - quick <= 6)
        wait_ms = INT64_C(60000) << (failures - quick - 1);
    wait_ms = wait_ms / 5 * 4 + (int64_t)(chance % (uint64_t)(wait_ms / 5 * 2));
    return wait_ms < MOST_WAIT_MS ? wait_ms : MOST_WAIT_MS;
}
