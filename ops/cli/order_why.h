/* ops/cli/order_why.h - why an order is not done, in one plain sentence (pure)
 *
 * What it waits for comes from the order's reason (or its status, where there is none), what
 * happens next and what the operator can do from the state of its open task.  A unit goes through
 * all that order_decide can leave behind and refuses a sentence that is missing.
 */
#pragma once

#include <stdbool.h>

struct why_facts {
    const char *status, *reason; /* of the order, as the API names them */
    const char *stage;           /* of its task that is not done; "": there is none */
    const char *task_state;
    const char *since; /* for people: since when it is so */
    const char *due;   /* for people, of a waiting task: "in 12 s" */
    long long letter;  /* its open dead letter; 0: none */
};

/* NULL: for these facts no sentence was written. */
const char *order_why_waits(const struct why_facts *facts);

/* The whole sentence into text.  False: there is none for these facts. */
bool order_why(const struct why_facts *facts, char *text, unsigned long size)
    __attribute__((warn_unused_result));
