/* tests/flow/group_stage.h - a group over a real Postgres (DOCKET_TEST_PG), and what its tickets
 * were told
 *
 * Each ticket stores a thing: a key, once, and a number.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "queue/group.h"
#include "queue/pace.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { THINGS_MAX = 64, TURN_MS = 5, LONGEST_MS = 15000, KEY_SIZE = 16 };

/* What a ticket stores: a key, once; a number, which must not be negative. */
struct thing {
    struct group_ticket ticket;
    char key[KEY_SIZE];
    int32_t number;
    bool is_new; /* as the statement says */
    int settled, released;
};

extern uv_loop_t loop;
extern struct group *group;
extern PGconn *admin, *stranger;
extern struct thing things[THINGS_MAX];
extern int sends;                    /* batches that were sent */
extern struct group_work stage_work; /* of the groups that are opened from now on */

extern const struct pg_statement add_things;
/* Fails where the greatest number of a batch is -1, and answers nothing. */
extern const struct pg_statement check_things;
/* Instead of the statement that adds the things of a batch ($1 keys, $2 numbers), and who hears of
 * its answers; NULL: the usual one. */
extern void (*stage_send)(struct group_batch *batch, const struct pg_params *params);
extern void (*stage_note)(int nth, const PGresult *result);

int set_up(void **state);
int tear_down(void **state);
void run_sql(PGconn *link, const char *sql);
int count(const char *sql);
void set_standbys(const char *names);
/* A transaction of somebody else that is about to store the same key. */
void hold_key(int n);
int waiting_for_locks(void);

void open_group(void);
void open_group_at(const char *conninfo);
void submit(int n, int32_t number, uint64_t within_ms); /* 0: without a deadline */
/* So long after the first was submitted that its batch may be stuck, and the next go on another
 * link. */
bool may_be_stuck(void);
void on_settled(struct group_ticket *ticket); /* counted in its thing */
int told(enum group_outcome outcome);         /* how many things were */

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Says what is missing, or runs them. */
#define RUN_CASES(program, tests)                                                                  \
    (log_open(program, LOG_ERROR),                                                                 \
     getenv("DOCKET_TEST_PG") == NULL                                                              \
         ? (fprintf(stderr, "DOCKET_TEST_PG is not set: these cases need a Postgres\n"), 2)        \
         : cmocka_run_group_tests(tests, NULL, NULL))

/* Turns the loop until it is so; fails at the deadline. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until_ms = clock_monotonic_ms() + LONGEST_MS;                                     \
                                                                                                   \
        while (!(condition)) {                                                                     \
            uv_run(&loop, UV_RUN_ONCE);                                                            \
            if (clock_monotonic_ms() > until_ms)                                                   \
                fail_msg("still not: %s", #condition);                                             \
        }                                                                                          \
    } while (0)
