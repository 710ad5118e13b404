#include "tests/workers/life/refunds.h"

#include <stdio.h>
#include <string.h>

#include "tests/workers/life/inside.h"

enum { REFUNDS_MAX = 64, NAME_SIZE = 64 };

static struct {
    struct payment_refund refund;
    char intent[PROVIDER_ID_SIZE], ours[NAME_SIZE];
    int order;
} made[REFUNDS_MAX];
static int made_count;

/* The key that each was asked for under last. */
static struct {
    char ours[NAME_SIZE], key[NAME_SIZE];
    bool has_failed;
} asked[REFUNDS_MAX];
static int asked_count;

static bool is_given(int i)
{
    return made[i].refund.status == REFUND_SUCCEEDED || made[i].refund.status == REFUND_PENDING;
}

static int64_t given_of_intent(const char *intent)
{
    int64_t given = 0;

    for (int i = 0; i < made_count; i++)
        given += is_given(i) && strcmp(made[i].intent, intent) == 0 ? made[i].refund.amount : 0;
    return given;
}

int64_t refunds_given_back(int order)
{
    int64_t given = 0;

    for (int i = 0; i < made_count; i++)
        given += is_given(i) && made[i].order == order ? made[i].refund.amount : 0;
    return given;
}

int refunds_named(const char *ours)
{
    int count = 0;

    for (int i = 0; i < made_count; i++)
        count += is_given(i) && strcmp(made[i].ours, ours) == 0;
    return count;
}

bool refunds_failed(const char *ours)
{
    for (int i = 0; i < made_count; i++)
        if (made[i].refund.status == REFUND_FAILED && strcmp(made[i].ours, ours) == 0)
            return true;
    return false;
}

void refunds_note_key(const char *ours, const char *key)
{
    int at = 0;

    while (at < asked_count && strcmp(asked[at].ours, ours) != 0)
        at++;
    if (at == REFUNDS_MAX)
        return;
    if (at == asked_count)
        snprintf(asked[asked_count++].ours, NAME_SIZE, "%s", ours);
    else if (strcmp(asked[at].key, key) == 0)
        return;
    else if (!asked[at].has_failed)
        world_break("%s is asked for, and %s was never answered", key, asked[at].key);
    snprintf(asked[at].key, NAME_SIZE, "%s", key);
    asked[at].has_failed = false;
}

void refunds_note_failure(const char *key)
{
    for (int i = 0; i < asked_count; i++)
        if (strcmp(asked[i].key, key) == 0)
            asked[i].has_failed = true;
}

void refunds_make(const struct payment_intent *intent, int order, int64_t amount, const char *ours,
                  enum behaviour behaviour, struct payment_result *result)
{
    struct payment_refund *refund;

    *result = (struct payment_result){.verdict = PAYMENT_STATE, .retry_after_ms = -1};
    if (intent->status != INTENT_SUCCEEDED ||
        given_of_intent(intent->id) + amount > intent->amount_received) {
        result->verdict = PAYMENT_UNKNOWN;
        fail_as(&result->fault, FAULT_UNKNOWN, "charge_already_refunded", "look the refunds up");
        return;
    }
    if (made_count == REFUNDS_MAX) {
        world_break("more refunds than an order can need");
        made_count = 0;
    }
    made[made_count].order = order;
    snprintf(made[made_count].intent, PROVIDER_ID_SIZE, "%s", intent->id);
    snprintf(made[made_count].ours, NAME_SIZE, "%s", ours);
    refund = &made[made_count++].refund;
    *refund = (struct payment_refund){.status = behaviour == DECLINES ? REFUND_FAILED
                                                : behaviour == ASKS   ? REFUND_PENDING
                                                                      : REFUND_SUCCEEDED,
                                      .amount = amount};
    snprintf(refund->id, sizeof(refund->id), "re_%d", made_count);
    snprintf(refund->currency, sizeof(refund->currency), "%s", intent->currency);
    result->refund = *refund;
    if (behaviour == MISSTATES)
        result->refund.amount++;
}

/* What was pending is decided by the time that somebody looks. */
void refunds_list(const struct payment_intent *intent, const char *ours, enum behaviour behaviour,
                  struct payment_result *result)
{
    *result = (struct payment_result){.verdict = PAYMENT_STATE, .retry_after_ms = -1};
    for (int i = 0; i < made_count; i++) {
        if (strcmp(made[i].intent, intent->id) != 0)
            continue;
        if (made[i].refund.status == REFUND_PENDING && behaviour != ASKS)
            made[i].refund.status = behaviour == DECLINES ? REFUND_FAILED : REFUND_SUCCEEDED;
        if (strcmp(made[i].ours, ours) == 0)
            result->refund = made[i].refund;
    }
    result->refunded = given_of_intent(intent->id);
}

void refunds_begin(void)
{
    made_count = asked_count = 0;
}
