/* api/pulse.h - what the API keeps in memory, asked for once a second and when told
 *
 * One connection asks a fixed list of questions in one round (keys, catalogue, versions waited
 * for), each second, and at once when somebody cannot wait (rounds are PULSE_MS_LEAST apart).  It
 * also listens for hints.  When Postgres is away, what is in memory stays.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/pg_link.h"
#include "queue/database.h"

enum { PULSE_MS = 1000, PULSE_MS_LEAST = 50, PULSE_WAIT_MS = 3000, PULSE_QUESTIONS_MAX = 8 };

struct pulse;

struct pulse_question {
    const struct pg_statement *statement;
    /* Adds the parameters; false: there is nothing to ask now. */
    bool (*ask)(void *owner, struct pg_params *params);
    void (*on_answer)(void *owner, const PGresult *result);
    void *owner;
};

struct pulse_options {
    const char *listen;
    struct database *database;
    struct pulse_question questions[PULSE_QUESTIONS_MAX]; /* statement NULL ends */
    void (*on_notify)(void *owner, const char *payload);
    void *owner; /* of on_notify */
};

/* Told once: true after a round that began later than the call, false if none came in time. */
struct pulse_wait {
    void (*on_round)(struct pulse_wait *wait, bool is_fresh);

    /* Private. */
    uint64_t since_ns, until_ms;
    TAILQ_ENTRY(pulse_wait) next;
};

struct pulse *pulse_create(uv_loop_t *loop, const struct pulse_options *options);
void pulse_destroy(struct pulse *pulse);
void pulse_wait(struct pulse *pulse, struct pulse_wait *wait);
/* When the last round that was answered began (monotonic); 0: none was. */
uint64_t pulse_fresh_ns(const struct pulse *pulse);
