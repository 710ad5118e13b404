/* base/fault.h - what went wrong, and what the caller may do about it
 *
 * Every call that can fail returns bool and takes a `struct fault *` last.  The kind is for code
 * (retry? which HTTP status? dead letter?), the code is a short stable name for grouping and for
 * clients, the text is for people and says what happened, to what, and what to do next.  A function
 * that fills a fault does not log it; the one that decides what happens next does, once.
 */
#pragma once

#include <stdbool.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_REFUSED,   /* no, and no again: the input is wrong */
    FAULT_TRANSIENT, /* nothing happened: the same call may succeed later */
    FAULT_UNKNOWN,   /* perhaps it happened: only evidence or an idempotent repetition settles it */
    FAULT_BROKEN,    /* our own bug or set-up: a person has to look */
};

struct fault {
    enum fault_kind kind;
    char code[48];  /* snake_case, "" where nobody needs to tell it apart */
    char text[400]; /* cut short rather than overrun */
};

/* Fills *fault (its code empty) and returns false, so that a failing function ends in
 * `return fail(...)`. */
bool fail(struct fault *fault, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a code. */
bool fail_as(struct fault *fault, enum fault_kind kind, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

const char *fault_kind_name(enum fault_kind kind); /* "refused", "transient", ... */
