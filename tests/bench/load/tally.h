/* tests/bench/load/tally.h - what became of the requests, by phase and by second */
#pragma once

#include "tests/bench/load/histogram.h"
#include "tests/bench/load/options.h"

enum { SECONDS_MAX = 3600 };

enum load_fate {
    FATE_GOOD,    /* 200, 202, 304 */
    FATE_REFUSED, /* 409 in flight, 429, 503: perhaps later */
    FATE_FAILED,  /* any other answer */
    FATE_LATE,    /* the client's patience ended while it waited for the answer */
    FATE_LOST,    /* the connection ended without an answer */
    FATE_UNSENT,  /* its patience ended before there was a connection to send it on */
    FATES,
};

struct tally_phase {
    uint64_t offered; /* first attempts that were due */
    uint64_t sent;    /* attempts */
    uint64_t fates[FATES];
    uint64_t stale;
    struct histogram good, refused; /* from when the attempt was due to its answer */
    struct histogram whole;         /* from when the first attempt was due to a good answer */
    struct histogram sent_after;    /* from when the attempt was due to its sending */
};

struct tally {
    struct tally_phase phases[PHASES_MAX];
    struct tally_second {
        uint64_t offered, good, refused, failed;
    } seconds[SECONDS_MAX];
    uint64_t statuses[600];
    uint64_t connects, left; /* left: orders that were given up on, or unresolved in the end */
};

struct tally_second *tally_second(struct tally *tally, uint64_t since_begin_ns);
void tally_print(const struct tally *tally, const struct load_options *options, FILE *out);
void tally_print_series(const struct tally *tally, FILE *out);
