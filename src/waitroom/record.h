/* The queue's record: everything that happened to a queue, in order, so that a restart finds it again and everyone can
 * check it afterwards. One format for both: the file on disk is what is published.
 *
 *     record  = START *( TERMS | KEY | JOIN | UNKNOWN | LEFT | CALL | DOOR | ADMIT | END | FREEZE | OPEN | HEAD )
 *     each    = kind (one letter) and its fields, of fixed size but for START and OPEN; integers are big-endian, times
 *               six bytes of milliseconds since the epoch. The end of the record is the end of the file, or a zero byte
 *
 *     S START    version 1 (1), show (16), time, commitment (32; zeros: arrival), beacon name (1 + n)
 *     T TERMS    time, rate_per_minute (4), max_active (4), claim_seconds (4), pass_seconds (4)
 *                   in force from here on
 *     K KEY      key id (4), Ed25519 public key (32): signs heads from here on
 *     J JOIN     time, blinded id (16): of the next number
 *     U UNKNOWN  time, number (4): numbers up to it may have been given out
 *     L LEFT     time, number (4)
 *     C CALL     time, serving (4), open_ms (6): positions up to `serving` are called
 *     D DOOR     time, number (4): called, came, and found the room full
 *     A ADMIT    time, number (4)
 *     E END      time, number (4): its pass ended before its time
 *     F FREEZE   time, numbers so far (4): right behind a HEAD, whose hash will decide about their order
 *     O OPEN     time, numbers frozen (4), seed (32), beacon value (1 + n)
 *                   the shuffled opening: shuffle.h, with the hash of the HEAD right before FREEZE as the head
 *     H HEAD     time, open_ms (6), hash (32), key id (4), signature (64)
 *
 * The chain: hash(k) = SHA-256( hash(k-1) | bytes(k) ), hash(0) being zeros and bytes(k) everything from where
 * bytes(k-1) ended up to the k-th HEAD, which it leaves out. (So a HEAD itself is in no bytes(k): its signature covers
 * it, and the next HEAD's hash covers its hash.)
 *
 * The signature (Ed25519) is over "onsale queue head 1" | show (16) | offset of the HEAD in the record (8) | time (6) |
 * open_ms (6) | hash (32), so whoever has seen one signed head can tell later whether the record before it was changed.
 *
 * Blinded id = first 16 bytes of SHA-256( part("onsale place 1") part(show) part(salt) part(user_id) ), part() as in
 * shuffle.h. Salts are not in the record: who has the queue ticket has the salt; where it was erased, nobody can tell
 * any more whose place it was.
 *
 * A fan costs 23 bytes to join, 11 to be let in, 11 to end early (11 to stand at the door, which few do), and 16 in a
 * private file beside it (salt, user hash).
 */
#ifndef ONSALE_WAITROOM_RECORD_H
#define ONSALE_WAITROOM_RECORD_H

#include "waitroom/keys.h"
#include "waitroom/queue.h"

#define RECORD_HASH_BYTES 32
#define RECORD_MOST_BYTES 320 /* of one record */

enum record_kind {
    RECORD_START = 'S',
    RECORD_TERMS = 'T',
    RECORD_KEY = 'K',
    RECORD_JOIN = 'J',
    RECORD_UNKNOWN = 'U',
    RECORD_LEFT = 'L',
    RECORD_CALL = 'C',
    RECORD_DOOR = 'D',
    RECORD_ADMIT = 'A',
    RECORD_END = 'E',
    RECORD_FREEZE = 'F',
    RECORD_OPEN = 'O',
    RECORD_HEAD = 'H'
};

struct record_event {
    enum record_kind kind;
    int64_t time_ms;
    uint32_t number; /* JOIN: not written, the reader counts; CALL: serving; OPEN: frozen; KEY, HEAD: the key's id */
    int64_t open_ms; /* CALL, HEAD */
    union {
        struct {
            struct id show_id;
            uint8_t commitment[32];
            struct bytes beacon_name;
        } start;
        struct queue_settings terms;
        uint8_t public_key[KEY_PUBLIC_BYTES];
        struct id blinded;
        struct {
            uint8_t seed[32];
            struct bytes beacon_value;
        } open;
        struct {
            uint8_t hash[RECORD_HASH_BYTES];
            uint8_t signature[KEY_SIGNATURE_BYTES];
        } head;
    };
};

/* Writes the record; returns its length, at most RECORD_MOST_BYTES. */
size_t record_write(const struct record_event *event, uint8_t *to);
/* Reads the record at the beginning of `from`; texts point into it. Returns its length; 0 at the end (no byte, or a
 * zero byte); SIZE_MAX if it is none or cut short. */
size_t record_read(struct bytes from, struct record_event *event);

struct id record_blind(const struct id *show_id, const uint8_t salt[static 8], struct bytes user);

void record_head_sign(const struct key_generation *key, const struct id *show_id, uint64_t offset,
                      struct record_event *head);
bool record_head_is_signed(const uint8_t public_key[static KEY_PUBLIC_BYTES], const struct id *show_id, uint64_t offset,
                           const struct record_event *head);

#endif
