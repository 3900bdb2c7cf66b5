/* Two fans, one seat, a payment gateway that loses answers and a server that crashes: hold, pay, confirm, expire.
 *
 * One idea: a process here has no state of its own. What survives a crash (the ledger, the gateway) and what does not
 * (the cashier's memory, the holds) are plain fields, and each step of a process is one atomic move on them, so that a
 * crash is one more move: it wipes the fields that are memory. README.md says what is left out and why that is sound.
 *
 * The moves are those of src/bookings/saga*.c (decide), src/runtime (do), src/seats/show.h (holds), src/engines/sqlite
 * (SELL) and Stripe's idempotency rules (the gateway). A ticket costs 2, so that a part of it can be given back.
 *
 * With -DCHECK_ENDING the claim `every_saga_ends` is checked as well, and -DNEVER=X asks whether a run can end in X (below). The
 * other -D words, each an #ifdef below, are one mistake each; every one of them must be found (script/model).
 */

/* What goes wrong in a run: crashes, or answers lost, 500s, 409s, time-outs, hints, cards that come through late … */
#ifndef MISHAPS
#define MISHAPS 3
#endif
#define CRASHES_AT_MOST 2

#define NOBODY 0
#define PRICE 2

/* Where a booking's saga stands in the ledger (saga_states.def); UNOPENED: there is no row. */
mtype = {UNOPENED, OPENED, CONFIRMING, CAPTURING, CANCELLING, REFUNDING, DONE, CANCELLED, REFUNDED};
/* An intent at the gateway. DECLINED is Stripe's requires_payment_method after a refused card. */
mtype = {ABSENT, UNPAID, DECLINED, AUTHORIZED, CAPTURED, VOIDED};
/* What the cashier is at with a booking. In WRITTEN and SENDING it is only within a move. */
mtype = {IDLE, RESUMED, WRITTEN, WRITING, SENDING, CALLING, ANSWERED};
/* What an answer says, or that there is none; beside the intents' own words above. */
mtype = {CREATED, REFUND_MADE, REFUSED, NOT_SENT, UNKNOWN};
/* What the gateway keeps of a call under its key. */
mtype = {FRESH, KEPT_OK, KEPT_DECLINED, KEPT_REFUSED, KEPT_ERROR};

/* Calls; a call that changes something has two keys, one a round. */
#define CREATE 0
#define CONFIRM 1
#define CAPTURE 2
#define CANCEL 3
#define REFUND 4
#define RETRIEVE 5
#define KEY(call, round) ((call) * 2 + (round))
#define KEYS 10

typedef booking_fields {
    /* the ledger */
    mtype row = UNOPENED;
    bool is_confirmed;
    byte intent;   /* 1 or 2, once known */
    byte refunded; /* the total that is to be given back */

    /* the cashier's memory */
    mtype doing = IDLE;
    mtype target; /* being written */
    byte next_refunded;
    byte call;
    byte round;
    mtype answer;
    byte made; /* the intent that CREATED tells */
    byte already_refunded;
    bool has_token;
    bool deadline_passed;
    bool answer_read;

    /* the gateway */
    mtype intents[2] = ABSENT;
    byte given_back;
    bool on_wire[KEYS]; /* sent, and not yet dealt with */
    byte wire_amount[2];
    mtype kept[KEYS] = FRESH;
    bool hint; /* a webhook that waits to be looked into */
    bool is_late; /* money came after we were told that there was none */

    /* what the fans saw */
    bool has_held;
    bool is_acknowledged;
    bool is_told; /* that the capture was refused for good */
    bool came_late;
}

booking_fields booking[2];
#define B booking[b]
#define INTENT B.intents[B.intent - 1]
#define ME (b + 1)

/* The seat: in memory who holds it, and whether a payment pins it; in the ledger its ticket (a primary key). */
byte holder = NOBODY;
bool is_paying;
byte ticket = NOBODY;

byte faults_left = MISHAPS;
byte crashes_left = 0;
byte refund_calls_left = 1; /* the operator's */
bool is_settled;            /* nothing can move any more */

#define is_end(state) ((state) == UNOPENED || (state) == DONE || (state) == CANCELLED || (state) == REFUNDED)
/* A confirm that is out and has not been dealt with can still authorize. */
#define may_yet_authorize \
    ((B.intents[0] == UNPAID && B.intent == 1 || B.intents[1] == UNPAID && B.intent == 2) && \
     (B.on_wire[KEY(CONFIRM, 0)] && B.kept[KEY(CONFIRM, 0)] == FRESH || \
      B.on_wire[KEY(CONFIRM, 1)] && B.kept[KEY(CONFIRM, 1)] == FRESH))
#define payment_is_open (B.intent != 0 && !B.is_late && (INTENT == AUTHORIZED || may_yet_authorize))

inline write(state) {
    B.target = state;
    B.doing = WRITING
}

inline call_gateway(what) {
    B.call = what;
    B.doing = SENDING
}

/* The last call is over at the gateway and had no effect: the next one needs a key of its own. */
inline next_round_if_answered() {
    if
#ifndef KEY_NEVER_CHANGES
    :: B.answer_read && B.round == 0 -> B.round = 1
#endif
    :: else -> skip
    fi;
    B.answer_read = false
}

/* What nobody will look at any more is made the same everywhere, so that fewer states differ. A call that was dealt with
 * changes nothing when it comes again. */
inline let_go_of(what) {
    B.on_wire[KEY(what, 0)] = B.on_wire[KEY(what, 0)] && B.kept[KEY(what, 0)] == FRESH;
    B.on_wire[KEY(what, 1)] = B.on_wire[KEY(what, 1)] && B.kept[KEY(what, 1)] == FRESH;
    if
    :: B.kept[KEY(what, 0)] != FRESH -> B.kept[KEY(what, 0)] = KEPT_OK
    :: else -> skip
    fi;
    if
    :: B.kept[KEY(what, 1)] != FRESH -> B.kept[KEY(what, 1)] = KEPT_OK
    :: else -> skip
    fi
}

inline let_go() {
    B.target = UNOPENED;
    B.next_refunded = 0;
    B.made = 0;
    if
    :: B.row != OPENED -> let_go_of(CREATE)
    :: else -> skip
    fi;
    if
    :: B.row != OPENED && B.row != CONFIRMING -> let_go_of(CONFIRM); B.has_token = false; B.deadline_passed = false
    :: else -> skip
    fi;
    if
    :: B.row == DONE || B.row == REFUNDING || B.row == REFUNDED -> let_go_of(CAPTURE); let_go_of(CANCEL)
    :: else -> skip
    fi
}

/* The first action in a state: just written, or found after a crash. */
inline enter() {
    B.round = 0;
    B.answer_read = false;
    let_go();
    if
    :: B.row == OPENED && B.has_token -> call_gateway(CREATE)
    :: B.row == OPENED && !B.has_token -> write(CANCELLED)
    :: B.row == CONFIRMING && B.has_token -> call_gateway(CONFIRM)
    :: B.row == CONFIRMING && !B.has_token -> call_gateway(RETRIEVE)
    :: B.row == CAPTURING && B.doing == WRITTEN -> call_gateway(CAPTURE)
    :: B.row == CAPTURING && B.doing == RESUMED -> call_gateway(RETRIEVE)
    :: B.row == CANCELLING -> call_gateway(CANCEL)
    :: B.row == REFUNDING -> call_gateway(RETRIEVE)
    :: else -> B.doing = IDLE
    fi
}

/* After a wait: the call meant, or a question where a hint came meanwhile. */
inline call_after_wait(what) {
    if
    :: call_gateway(what)
    :: B.hint -> B.hint = false; call_gateway(RETRIEVE)
    fi
}

/* ---- the ledger ---- */

/* Nothing was sold: the hold goes free, or is the fan's for another try. */
inline nothing_is_sold() {
    if
    :: holder == ME ->
        assert(!payment_is_open);
        is_paying = false;
        if
        :: holder = NOBODY
        :: skip
        fi
    :: else -> skip
    fi
}

/* SELL: the ticket's key decides, whoever holds the seat. */
inline commit_sale() {
    if
#ifdef HOLD_IS_BELIEVED
    :: true ->
#else
    :: ticket == NOBODY ->
#endif
        ticket = ME;
        B.row = CAPTURING;
        B.is_confirmed = true;
        assert(!(booking[0].is_confirmed && booking[1].is_confirmed));
        B.is_acknowledged = true;
        if
        :: holder == ME || !is_paying -> holder = NOBODY; is_paying = false
        :: else -> skip /* the other fan's payment finds out by itself */
        fi;
        B.doing = WRITTEN
#ifndef HOLD_IS_BELIEVED
    :: else -> write(CANCELLING)
#endif
    fi
}

inline commit_step() {
    if
    :: B.target == CANCELLED && B.row == CAPTURING -> /* the one way back: the fan is told */
        ticket = NOBODY;
        B.is_confirmed = false;
        B.is_told = true
    :: B.target == REFUNDING && B.row == DONE -> /* the operator's; a part leaves the fan their ticket */
        B.refunded = B.next_refunded;
        if
        :: B.refunded == PRICE -> ticket = NOBODY; B.is_confirmed = false
        :: else -> skip
        fi
    :: B.target == REFUNDING && B.row != DONE ->
        B.refunded = PRICE;
        nothing_is_sold()
    :: B.target == CANCELLED && B.row != CAPTURING -> nothing_is_sold()
    :: B.target == CONFIRMING && B.row == OPENED -> B.intent = B.made
    :: else -> skip
    fi;
    B.row = B.target;
    B.doing = WRITTEN
}

/* ---- the cashier: saga_step() for an answer ---- */

inline in_opened() {
    if
    :: B.answer == CREATED && B.deadline_passed -> write(CANCELLED)
    :: B.answer == CREATED && !B.deadline_passed ->
#ifdef CONFIRM_BEFORE_WRITE
        B.intent = B.made;
        call_gateway(CONFIRM)
    :: B.answer == AUTHORIZED -> write(CONFIRMING)
    :: B.answer == DECLINED -> write(CANCELLED)
#else
        write(CONFIRMING)
#endif
    :: else ->
        if
        :: write(CANCELLED) /* given up after some tries */
        :: !B.deadline_passed && B.answer != REFUSED ->
            if
            :: B.answer == UNKNOWN -> next_round_if_answered()
            :: else -> skip
            fi;
            call_gateway(CREATE)
        fi
    fi
}

inline in_confirming() {
    if
    :: B.answer == AUTHORIZED || B.answer == CAPTURED ->
#ifdef CAPTURE_BEFORE_COMMIT
        if
        :: B.answer == AUTHORIZED -> call_gateway(CAPTURE)
        :: else -> write(CAPTURING)
        fi
#else
        write(CAPTURING)
#endif
#ifdef ACKNOWLEDGE_BEFORE_COMMIT
        ; B.is_acknowledged = true
#endif
    :: B.answer == DECLINED || B.answer == VOIDED -> write(CANCELLED)
    :: B.answer == REFUSED -> write(CANCELLING)
    :: B.answer == UNPAID ->
        if
        :: write(CANCELLING) /* no token, too late, or given up after some tries */
        :: B.has_token && !B.deadline_passed ->
#ifdef NEW_INTENT_ON_DOUBT
            B.round = 1;
            B.intents[1] = UNPAID;
            B.intent = 2;
#else
            next_round_if_answered();
#endif
            call_gateway(CONFIRM)
        fi
    :: B.answer == NOT_SENT || B.answer == UNKNOWN ->
        if
#ifdef EXPIRE_WITHOUT_VOID
        :: B.deadline_passed -> write(CANCELLED)
#else
        :: B.deadline_passed -> write(CANCELLING)
#endif
        :: !B.deadline_passed && B.answer == NOT_SENT && B.has_token -> call_after_wait(CONFIRM)
        :: !B.deadline_passed && !(B.answer == NOT_SENT && B.has_token) -> call_gateway(RETRIEVE)
        fi
    fi
}

inline in_capturing() {
    if
    :: B.answer == CAPTURED -> write(DONE)
    :: B.answer == AUTHORIZED -> next_round_if_answered(); call_gateway(CAPTURE)
    :: B.answer == VOIDED || B.answer == UNPAID -> write(CANCELLED)
    :: B.answer == NOT_SENT -> call_after_wait(CAPTURE)
    :: B.answer == REFUSED || B.answer == UNKNOWN || B.answer == DECLINED -> call_gateway(RETRIEVE)
    fi
}

inline in_cancelling() {
    if
    :: B.answer == VOIDED -> write(CANCELLED)
    :: B.answer == CAPTURED -> write(REFUNDING)
    :: B.answer == AUTHORIZED || B.answer == UNPAID -> next_round_if_answered(); call_gateway(CANCEL)
    :: B.answer == NOT_SENT -> call_after_wait(CANCEL)
    :: B.answer == REFUSED || B.answer == UNKNOWN -> call_gateway(RETRIEVE)
    fi
}

inline in_refunding() {
    if
    :: B.answer == REFUND_MADE || (B.answer == CAPTURED && B.already_refunded >= B.refunded) ->
        if
        :: B.refunded == PRICE -> write(REFUNDED)
        :: else -> write(DONE)
        fi
    :: B.answer == CAPTURED && B.already_refunded < B.refunded -> next_round_if_answered(); call_gateway(REFUND)
    :: B.answer == NOT_SENT || B.answer == UNKNOWN || B.answer == REFUSED -> call_gateway(RETRIEVE)
    fi
}

/* Given up, and the gateway hinted that something has changed. */
inline in_cancelled() {
    if
    :: B.answer == AUTHORIZED || B.answer == CAPTURED ->
        if
        :: ticket == NOBODY && (holder == NOBODY || holder == ME) && !B.is_told ->
            holder = ME;
            is_paying = true;
            B.is_late = false;
            write(CONFIRMING)
        :: else -> write(CANCELLING)
        fi
    :: B.answer == NOT_SENT || B.answer == UNKNOWN -> call_gateway(RETRIEVE)
    :: else -> B.doing = IDLE
    fi
}

inline send() {
    B.doing = CALLING;
    if
    :: B.call == RETRIEVE -> skip
    :: else ->
        B.on_wire[KEY(B.call, B.round)] = true;
        if
        :: B.call == REFUND -> B.wire_amount[B.round] = B.refunded - B.already_refunded
        :: else -> skip
        fi
    fi
}

proctype cashier(byte b) {
end:
    do
    :: atomic {
        if
        /* A confirm: the hold is pinned, the booking written. */
        :: B.row == UNOPENED && B.doing == IDLE && holder == ME && !is_paying ->
            is_paying = true;
            B.has_token = true;
            write(OPENED)
        :: B.doing == WRITING && B.target == CAPTURING -> commit_sale()
        :: B.doing == WRITING && B.target != CAPTURING -> commit_step()
        :: B.doing == RESUMED -> skip
        :: B.doing == ANSWERED ->
            if
            :: B.row == OPENED -> in_opened()
            :: B.row == CONFIRMING -> in_confirming()
            :: B.row == CAPTURING -> in_capturing()
            :: B.row == CANCELLING -> in_cancelling()
            :: B.row == REFUNDING -> in_refunding()
            :: B.row == CANCELLED -> in_cancelled()
            fi;
            B.answer = UNOPENED
        /* A webhook: whoever is at an end is asked about again. A hint that comes after the question leads to another. */
        :: B.doing == IDLE && B.hint ->
            B.hint = false;
            if
            :: B.row == CANCELLED && B.intent != 0 -> call_gateway(RETRIEVE)
            :: else -> skip
            fi
        fi;
        if
        :: B.doing == WRITTEN || B.doing == RESUMED -> enter()
        :: else -> skip
        fi;
        if
        :: B.doing == SENDING -> send()
        :: else -> skip
        fi
    }
    od
}

/* ---- the gateway ---- */

/* What the cashier reads of a call that was kept. A 500 is an answer too: its key is used up. */
inline tell_kept(what, round_) {
    B.doing = ANSWERED;
    B.answer_read = false;
    if
    :: B.kept[KEY(what, round_)] == KEPT_OK ->
        if
        :: what == CREATE -> B.answer = CREATED; B.made = round_ + 1
        :: what == CONFIRM -> B.answer = AUTHORIZED
        :: what == CAPTURE -> B.answer = CAPTURED
        :: what == CANCEL -> B.answer = VOIDED
        :: what == REFUND -> B.answer = REFUND_MADE
        fi
    :: B.kept[KEY(what, round_)] == KEPT_DECLINED -> B.answer = DECLINED; B.answer_read = true
    :: B.kept[KEY(what, round_)] == KEPT_REFUSED -> B.answer = REFUSED; B.answer_read = true
    :: B.kept[KEY(what, round_)] == KEPT_ERROR -> B.answer = UNKNOWN; B.answer_read = true
    fi
}

inline no_answer(what_is_known) {
    B.doing = ANSWERED;
    B.answer = what_is_known;
#ifdef NEW_KEY_ON_DOUBT
    B.answer_read = true
#else
    B.answer_read = false
#endif
}

/* The intent that a confirm is for. With NEW_INTENT_ON_DOUBT there is one a round. */
#ifdef NEW_INTENT_ON_DOUBT
#define CONFIRMED_INTENT(round_) B.intents[round_]
#else
#define CONFIRMED_INTENT(round_) INTENT
#endif

inline take_effect(what, round_) {
    if
    :: what == CREATE -> B.intents[round_] = UNPAID; B.kept[KEY(what, round_)] = KEPT_OK
    :: what == CONFIRM ->
        if
        :: CONFIRMED_INTENT(round_) == UNPAID -> CONFIRMED_INTENT(round_) = AUTHORIZED; B.kept[KEY(what, round_)] = KEPT_OK
        :: CONFIRMED_INTENT(round_) == UNPAID -> CONFIRMED_INTENT(round_) = DECLINED; B.kept[KEY(what, round_)] = KEPT_DECLINED
        :: CONFIRMED_INTENT(round_) != UNPAID -> B.kept[KEY(what, round_)] = KEPT_REFUSED
        fi
    :: what == CAPTURE ->
        if
        :: INTENT == AUTHORIZED ->
            assert(B.is_confirmed); /* a sale that failed never takes money */
            INTENT = CAPTURED;
            B.kept[KEY(what, round_)] = KEPT_OK
        :: else -> B.kept[KEY(what, round_)] = KEPT_REFUSED
        fi
    :: what == CANCEL ->
        if
        :: INTENT == UNPAID || INTENT == DECLINED || INTENT == AUTHORIZED -> INTENT = VOIDED; B.kept[KEY(what, round_)] = KEPT_OK
        :: else -> B.kept[KEY(what, round_)] = KEPT_REFUSED
        fi
    :: what == REFUND ->
        if
        :: INTENT == CAPTURED && B.given_back + B.wire_amount[round_] <= PRICE ->
            B.given_back = B.given_back + B.wire_amount[round_];
            assert(B.given_back <= B.refunded); /* nothing is given back twice */
            B.kept[KEY(what, round_)] = KEPT_OK
        :: else -> B.kept[KEY(what, round_)] = KEPT_REFUSED
        fi
    fi
}

#define is_awaited(what, round_) (B.doing == CALLING && B.call == what && B.round == round_)

/* A call arrives: takes effect unless its key was seen, and is answered if somebody still listens. */
inline deal_with(what, round_) {
    B.on_wire[KEY(what, round_)] = false;
    if
    :: B.kept[KEY(what, round_)] == FRESH ->
        if
        :: take_effect(what, round_);
            if
            :: skip
            :: faults_left > 0 && round_ == 0 -> faults_left--; B.kept[KEY(what, round_)] = KEPT_ERROR /* done, and a 500 */
            fi
        :: faults_left > 0 && round_ == 0 -> faults_left--; B.kept[KEY(what, round_)] = KEPT_ERROR
        fi
    :: else -> skip
    fi;
    if
    :: is_awaited(what, round_) ->
        if
        :: tell_kept(what, round_)
        :: faults_left > 0 -> faults_left--; no_answer(UNKNOWN)
        fi
    :: else -> skip
    fi
}

/* 409 and 429. A 409 says that the key's first call still runs: it is not over. */
inline be_busy(what, round_) {
    faults_left--;
    no_answer(NOT_SENT);
#ifdef BUSY_ENDS_A_CALL
    B.answer_read = true;
#endif
    if
    :: B.kept[KEY(what, round_)] == FRESH /* the first still runs */
    :: B.on_wire[KEY(what, round_)] = false
    fi
}

inline carry(what, round_) {
    if
    :: deal_with(what, round_)
    :: is_awaited(what, round_) && faults_left > 0 -> be_busy(what, round_)
    /* The cashier's patience is at an end; the call may arrive yet. */
    :: is_awaited(what, round_) && faults_left > 0 -> faults_left--; no_answer(UNKNOWN)
    :: !is_awaited(what, round_) -> B.on_wire[KEY(what, round_)] = false /* it never arrives */
    fi
}

inline answer_question() {
    if
    :: faults_left > 0 -> faults_left--; B.doing = ANSWERED; B.answer = UNKNOWN
    :: B.doing = ANSWERED;
        B.already_refunded = B.given_back;
        if
        :: INTENT == DECLINED -> B.answer = UNPAID
        :: else -> B.answer = INTENT
        fi
    fi
}

/* A webhook. One that comes while the saga is at something else is not lost: it is looked into when that is over. */
inline give_hint() {
#ifdef HINT_IS_DROPPED
    B.hint = B.hint || B.doing == IDLE
#else
    B.hint = true
#endif
}

proctype gateway(byte b) {
    byte what, round_;
end:
    do
    :: atomic {
        if
        :: B.on_wire[KEY(CREATE, 0)] -> what = CREATE
        :: B.on_wire[KEY(CREATE, 1)] -> what = CREATE; round_ = 1
        :: B.on_wire[KEY(CONFIRM, 0)] -> what = CONFIRM
        :: B.on_wire[KEY(CONFIRM, 1)] -> what = CONFIRM; round_ = 1
        :: B.on_wire[KEY(CAPTURE, 0)] -> what = CAPTURE
        :: B.on_wire[KEY(CAPTURE, 1)] -> what = CAPTURE; round_ = 1
        :: B.on_wire[KEY(CANCEL, 0)] -> what = CANCEL
        :: B.on_wire[KEY(CANCEL, 1)] -> what = CANCEL; round_ = 1
        :: B.on_wire[KEY(REFUND, 0)] -> what = REFUND
        :: B.on_wire[KEY(REFUND, 1)] -> what = REFUND; round_ = 1
        fi;
        carry(what, round_);
        what = 0;
        round_ = 0
    }
    :: atomic { B.doing == CALLING && B.call == RETRIEVE -> answer_question() }
    /* A card that was refused comes through after all; somebody captures by hand; an authorization ends by itself; a
     * webhook is sent for nothing, or twice. */
    :: atomic { faults_left > 0 && B.intent != 0 && INTENT == DECLINED -> faults_left--; INTENT = AUTHORIZED; B.is_late = true; B.came_late = true; give_hint() }
    :: atomic { faults_left > 0 && B.intent != 0 && INTENT == AUTHORIZED -> faults_left--; INTENT = CAPTURED; give_hint() }
    :: atomic { faults_left > 0 && B.intent != 0 && INTENT == AUTHORIZED -> faults_left--; INTENT = VOIDED; give_hint() }
    :: atomic { faults_left > 0 && B.intent != 0 && !B.hint -> faults_left--; give_hint() }
    od
}

/* ---- fans, the clock, the operator ---- */

proctype fan(byte b) {
end:
    do
    /* The fans are alike: who comes first is called 0. */
    :: atomic {
        !B.has_held && (b == 0 || booking[0].has_held) && holder == NOBODY && ticket == NOBODY ->
        B.has_held = true;
        holder = ME
    }
    :: atomic { holder == ME && !is_paying -> holder = NOBODY } /* lets go, or is too late */
    od
}

/* The store's deadline. */
proctype clock(byte b) {
end:
    do
    :: atomic { holder == ME && is_paying && !B.deadline_passed && (B.row == OPENED || B.row == CONFIRMING) -> B.deadline_passed = true }
#ifdef RELEASE_BY_CLOCK
    :: atomic { holder == ME && is_paying ->
        assert(!payment_is_open);
        holder = NOBODY;
        is_paying = false
    }
#endif
    od
}

proctype operator(byte b) {
end:
    do
    :: atomic {
        refund_calls_left > 0 && B.row == DONE && B.doing == IDLE ->
        refund_calls_left--;
        if
        :: B.next_refunded = 1; write(REFUNDING)
        :: B.next_refunded = PRICE; write(REFUNDING)
        :: skip
        fi
    }
    od
}

/* ---- the crash ---- */

inline forget(b) {
    assert(!B.is_acknowledged || B.is_told || B.row == CAPTURING || B.row == DONE || B.row == REFUNDING || B.row == REFUNDED);
    B.has_token = false;
    B.deadline_passed = false;
    B.answer_read = false;
    B.round = 0;
    B.already_refunded = 0;
    B.made = 0;
    B.next_refunded = 0;
    B.call = 0;
    B.target = UNOPENED;
    B.answer = UNOPENED;
    if
    :: is_end(B.row) -> B.doing = IDLE; B.hint = B.row == CANCELLED && B.intent != 0 /* the reconciler looks again */
#ifdef NOTHING_IS_RESUMED
    :: else -> B.doing = IDLE
#else
    :: else -> B.doing = RESUMED
#endif
    fi
}

/* A booking whose payment is open has its seat pinned again, unless somebody else has it. */
inline adopt(b) {
    if
    :: !is_end(B.row) && !B.is_confirmed && B.row != REFUNDING && ticket == NOBODY && (holder == NOBODY || holder == ME) ->
        holder = ME;
        is_paying = true
    :: else -> skip
    fi
}

proctype crash() {
end:
    do
    :: atomic {
        crashes_left > 0 ->
        crashes_left--;
        forget(0);
        forget(1);
        is_paying = false;
        /* The journal has forgotten the hold, or brings back one that there was, even if it had ended. */
        if
        :: holder = NOBODY
        :: ticket == NOBODY && booking[0].has_held -> holder = 1
        :: ticket == NOBODY && booking[1].has_held -> holder = 2
        fi;
        adopt(0);
        adopt(1)
    }
    od
}

/* ---- the end ---- */

#define holds_money(b, i) (B.intents[i] == AUTHORIZED)
#define took_money(b, i) (B.intents[i] == CAPTURED)

inline judge_booking(b) {
    assert(is_end(B.row) && B.doing == IDLE);
    assert(!holds_money(b, 0) && !holds_money(b, 1));
    /* Money taken is a confirmed booking, or was given back; and the other way round. */
    assert(!(took_money(b, 0) && took_money(b, 1)));
    assert((took_money(b, 0) || took_money(b, 1)) == (B.row == DONE || (B.row == REFUNDED && B.given_back == PRICE)));
    assert(B.given_back == B.refunded || B.row == CANCELLED);
    assert(B.is_confirmed == (B.row == DONE));
    assert(B.is_confirmed == (ticket == ME));
    assert(!B.is_acknowledged || B.is_told || B.row == DONE || B.row == REFUNDED)
}

/* What must be possible, so that a promise is not kept by doing nothing. */
#define A_SALE booking[1].row == DONE
#define A_PART_GIVEN_BACK booking[0].row == DONE && booking[0].given_back == 1
#define A_CAPTURE_REFUSED booking[0].is_told
#define A_LATE_PAYMENT_THAT_GETS_ITS_SEAT booking[0].row == DONE && booking[0].came_late
#define A_LATE_PAYMENT_UNDONE booking[0].intents[0] == VOIDED && booking[0].came_late && booking[1].row == DONE
#define TWO_PAY_FOR_ONE_SEAT booking[0].intents[0] == VOIDED && !booking[0].came_late && booking[1].row == DONE
#define MONEY_FOR_NO_SEAT_GIVEN_BACK booking[0].row == REFUNDED && !booking[0].is_acknowledged && booking[1].row == DONE

proctype judge() {
    atomic {
        timeout ->
        judge_booking(0);
        judge_booking(1);
        assert(!is_paying);
#ifdef NEVER
        assert(!(NEVER)); /* asked the other way round: it must be possible */
#endif
        is_settled = true
    }
}

init {
    atomic {
        do
        :: crashes_left < CRASHES_AT_MOST -> crashes_left++; faults_left--
        :: break
        od;
        run cashier(0);
        run cashier(1);
        run gateway(0);
        run gateway(1);
        run fan(0);
        run fan(1);
        run clock(0);
        run clock(1);
        run operator(0);
        run operator(1);
        run crash();
        run judge()
    }
}

#ifdef CHECK_ENDING
ltl every_saga_ends { <> is_settled }
#endif
