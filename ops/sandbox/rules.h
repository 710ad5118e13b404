/* ops/sandbox/rules.h - which call shall go wrong, and how
 *
 * A trouble is asked for by one call (header `Sandbox-Fault: hang` or `delay; ms=500`) or by a rule
 * (POST /sandbox/rules) that matches calls until its `times` are used up; the header wins, then the
 * oldest rule that matches.  In the order of a call:
 *
 *     reset, hang               before anything: nothing happens, and there is no answer
 *     rate_limit, unavailable   429, 503 before the key is looked at: nothing happens, nothing kept
 *     fail_500                  500 without acting, kept under the key
 *     delay                     the key is taken, the act and the answer come `ms` later, also when
 *                               the caller has left meanwhile
 *     decline                   the act is a refusal (402 of the provider, 422 of the carrier)
 *     wrong_amount              acts; the answer (and what the key keeps) shows an intent whose
 *                               amount is one minor unit more than it is
 *     act_then_500              acts; the answer, and what the key keeps, is a 500
 *     act_then_reset, act_then_hang, torn, drip
 *                               acts and keeps; the answer is a RST, silence, its first half and a
 *                               close, or comes in pieces over `ms`
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "base/text.h"

enum op {
    OP_CREATE,
    OP_CONFIRM,
    OP_RETRIEVE, /* also the lists of intents and refunds */
    OP_CANCEL,
    OP_CAPTURE,
    OP_REFUND,
    OP_SHIP,
    OP_LOOKUP,
    OP_COUNT,
};

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_DELAY,
    TROUBLE_DECLINE,
    TROUBLE_WRONG_AMOUNT,
    TROUBLE_ACT_THEN_HANG,
    TROUBLE_ACT_THEN_RESET,
    TROUBLE_ACT_THEN_500,
    TROUBLE_FAIL_500,
    TROUBLE_RATE_LIMIT,
    TROUBLE_UNAVAILABLE,
    TROUBLE_TORN,
    TROUBLE_DRIP,
    TROUBLE_HANG,
    TROUBLE_RESET,
};

struct trouble {
    enum trouble_kind kind;
    int64_t ms;    /* of a hang: then the connection is closed; 0: never */
    char code[64]; /* of a decline */
};

struct rules {
    TAILQ_HEAD(, rule) list; /* oldest first */
    int64_t last_id;
};

const char *op_name(enum op op);

void rules_init(struct rules *rules);
void rules_clear(struct rules *rules);
/* {"match"?:{"op"?,"order"?,"method"?},"fault","ms"?,"code"?,"times"?}; its id, or 0 and what is
 * wrong with it.  times: 1…, or -1 (the default) until the rules are deleted. */
int64_t rules_add(struct rules *rules, const json_t *json, struct fault *fault)
    __attribute__((warn_unused_result));
/* Uses up one of the matching rule's times.  order and method "" are unknown: match no rule that
 * names one. */
void rules_take(struct rules *rules, enum op op, const char *order, const char *method,
                struct trouble *trouble);
void rules_render(const struct rules *rules, struct text *json);

/* "NAME[; ms=N][; code=C]" */
bool trouble_parse(const char *header, enum op op, struct trouble *trouble, struct fault *fault)
    __attribute__((warn_unused_result));
