/* tests/bench/load/options.h - what the command line asks for */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PHASES_MAX = 64 };

enum load_kind {
    LOAD_ORDERS, /* POST /v1/orders: a new key and a body of its own each time */
    LOAD_POLLS,  /* GET /v1/orders/{id} of known ids, in random order */
    LOAD_GET,    /* GET of one path */
};

struct load_phase {
    double rate; /* arrivals a second, whatever the server does; 0: each connection asks again as
                  * soon as it was answered */
    double seconds;
};

struct load_options {
    enum load_kind kind;
    int port, connections, phase_count;
    struct load_phase phases[PHASES_MAX];
    const char *authorization; /* the key, or NULL */
    const char *prefix;        /* of the idempotency keys */
    const char *path;          /* LOAD_GET */
    char *body;                /* LOAD_ORDERS; @@N@@ becomes a number */
    char **ids;                /* LOAD_POLLS */
    int id_count;
    bool is_random;      /* keys: not in the order of time */
    bool is_conditional; /* polls say which version they know */
    uint64_t timeout_ms; /* the client's patience, which it also tells; 0: for ever */
    uint64_t drain_ms;   /* how long answers are waited for in the end */
    int attempts_max;    /* of one order: after 429, 503 or no answer, with the same key */
    uint64_t seed;
    FILE *series;       /* a line a second, or NULL */
    const char *floors; /* LOAD_POLLS: a file with a version for each id, int32, kept up to date
                         * by whoever commits changes: what is read later must not be older */
};

/* Ends the process with an explanation where it is not right. */
void load_options_read_ids(struct load_options *options, const char *path); /* one a line */
void load_options_read(struct load_options *options, int count, char **arguments);
