/* tests/workers/life/books.h - what stands in Postgres, and who works on it */
#pragma once

#include <stddef.h>

#include "tests/workers/life/world.h"
#include "workers/steps.h"

enum {
    ATTEMPTS_MAX = 8,
    REFUNDS_MAX = 8,
    JOBS_MAX = 24,
    INBOX_MAX = 16,
    STOCK = 3,
    PIECES = 2,
    TOTAL = 7020
};

struct task {
    bool exists, is_unknown;
    enum task_state state;
    int32_t attempt, doubted, crashes, claims;
    int64_t due_ms, pass;
    struct job *holder; /* NULL: nobody, or somebody who is gone */
};

struct attempt {
    enum attempt_state state;
    char intent[INTENT_ID_SIZE];
    int16_t confirms;
    int64_t sent_ms, opened_ms, unknown_ms, ended_ms; /* -1: not yet, or not any more */
    bool is_captured, is_fenced, is_given_up;
    enum resolution resolution;
};

struct refund {
    enum refund_state state;
    int64_t amount, sent_ms; /* -1: not sent */
    int16_t keys;
};

struct book {
    struct order_id id;
    char public_id[ORDER_ID_TEXT_SIZE], reference[ORDER_ID_UUID_SIZE];
    int32_t version;
    enum order_status status, ended_as; /* 0: it has not ended */
    const char *reason;
    struct task tasks[STAGE_COUNT];
    struct attempt attempts[ATTEMPTS_MAX];
    int attempt_count;
    int64_t held, gone;          /* pieces */
    bool is_shipped, has_failed; /* was declined, out of stock or taken back, at some time */
    bool is_noted;               /* what it is about (order_print) */
    enum order_duplicate duplicate;
    enum undo undo;
    int64_t undo_ms;
    struct refund refunds[REFUNDS_MAX];
    int refund_count;
};

/* A row of webhook_inbox. */
struct event {
    int order, tries;
    enum stage stage;
    enum attempt_state says;
    char intent[INTENT_ID_SIZE];
};

struct job {
    int order;
    enum stage stage;
    bool began_given_up; /* as it knew when it began its last call */
    bool is_over, is_interrupted, has_call, has_lesson;
    int asked; /* the operation of the call that it began last; -1: none since it looked */
    struct order_facts facts;
    int64_t pass, claimed_ms;
    struct claim_order claimed;
    struct claim_line line;
    struct order_lesson lesson;
    max_align_t work[256];
};

extern struct world {
    int64_t now_ms;
    struct book books[WORLD_ORDERS];
    struct job jobs[JOBS_MAX];
    int64_t available;
    struct job *caller;
    bool is_outage, loses_write, pays_again, is_alike, was_always_alike;
    struct event inbox[INBOX_MAX];
    int inbox_count;
    uint32_t random;
    char wrong[256];
} world;

/* Claims and outcomes, as the statements of those names make them. */
void books_begin(void);
void books_take(struct job *job); /* the task is this job's (again), and its facts are fresh */
/* True: it is written, and its worker knows. */
bool books_commit(struct job *job, const struct order_change *change);
/* attempt_open.sql or attempt_give_up.sql, as order_pay_again says. */
bool books_pay_again(int order);
/* payment_resolve(), by what is true at the provider; what can be is canceled there first. */
void books_resolve(int order, bool says_declined);
/* order_cancel() and order_refund() (undo.c). */
void books_cancel(int order);
void books_refund(int order, int64_t amount);
void undo_read(const struct book *book, struct order_facts *facts);
void undo_write(struct book *book, const struct job *job, const struct order_change *change);
/* webhook_store.sql and webhook_apply.sql (events.c). */
void events_tell(unsigned which, unsigned how);
void events_hear(void);
/* twin_note.sql: true if it looks like another; twin_check.sql: true if this order is flagged by
 * it; order_release.sql (twins.c). */
bool twins_find(int order);
bool twins_check(int order);
void twins_release(int order);
/* What was promised, held against the books and the outside's, after each step (promises.c). */
void promises_check(void);
void promises_check_change(const struct job *job, const struct order_change *change);
/* Its task is still this job's, or nobody's: it may claim it again. */
bool books_have(const struct job *job);

extern const struct order_policy job_policy_of_all;
extern const struct step *const job_steps[STAGE_COUNT];
void job_begin(struct job *job);
void job_go_on(struct job *job);
void job_end(struct job *job);
