#include "queue/begin.h"

#include <assert.h>

#include "base/memory.h"
#include "schema/statements.h"

static_assert(CLAIM_TICKETS_MAX <= (int)SHELF_WANTS_MAX, "a whole batch may want stock");

static struct claim_ticket *claim_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct claim_ticket, ticket);
}

static const struct begin_context *context_of(const struct group_batch *batch)
{
    return ((const struct claim_context *)group_owner(batch))->begin;
}

/* --- who -------------------------------------------------------------------------------------- */

static bool is_first(const struct claim_ticket *claim, const struct order_policy *policy)
{
    return claim->is_claimed && !claim->is_plain && claim->order.line_count > 0 &&
           order_is_new(&claim->facts, policy);
}

static void choose(struct group_batch *batch)
{
    const struct order_policy *policy = context_of(batch)->policy;
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct claim_ticket *claim = claim_of(ticket);

        claim->begin.is_chosen = true;
        claim->begin.is_first = is_first(claim, policy);
        claim->begin.is_noted = claim->begin.is_first &&
                                order_must_compare(&claim->facts, policy) &&
                                twins_print(&claim->order, claim->begin.look.print);
    }
}

static int gather_looks(struct group_batch *batch, struct twins_look **looks)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (claim_of(ticket)->begin.is_noted)
            looks[count++] = &claim_of(ticket)->begin.look;
    }
    return count;
}

/* Who turns out to be like another is none any more. */
static int gather_wants(struct group_batch *batch, struct shelf_want **wants)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (claim_of(ticket)->begin.is_first && !claim_of(ticket)->begin.look.is_alike)
            wants[count++] = &claim_of(ticket)->begin.want;
    }
    return count;
}

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &claim_of(ticket)->order_id;
}

/* --- what is sent ----------------------------------------------------------------------------- */

static bool send_locks(struct group_batch *batch)
{
    struct shelf_want *wants[CLAIM_TICKETS_MAX];
    struct twins_look *looks[CLAIM_TICKETS_MAX];
    int count;

    choose(batch);
    count = gather_looks(batch, looks);
    if (count > 0)
        twins_send_note(batch, looks, count, context_of(batch)->policy->duplicate_window_ms);
    count = gather_wants(batch, wants);
    if (count > 0)
        shelf_send_lock(batch, wants, count);
    return count == 0;
}

/* The change that a reservation of its own would write: all that the claim has not written of it is
 * the attempt. */
static void decide(const struct order_facts *facts, const struct order_policy *policy,
                   struct order_change *change)
{
    static const struct order_lesson reserved = {.verdict = VERDICT_RESERVED, .retry_after_ms = -1};

    order_decide(facts, &reserved, policy, 0, change);
}

static int gather_granted(struct group_batch *batch, const struct claim_ticket **granted)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (claim_of(ticket)->begin.want.is_granted)
            granted[count++] = claim_of(ticket);
    }
    return count;
}

#define PUT(type, add, expression)                                                                 \
    do {                                                                                           \
        pg_array_begin(&params, type);                                                             \
        for (int i = 0; i < count; i++)                                                            \
            add(&params, granted[i]->expression);                                                  \
        pg_array_end(&params);                                                                     \
    } while (0)

static void send_attempts(struct group_batch *batch, const struct claim_ticket *const *granted,
                          int count)
{
    const struct begin_context *context = context_of(batch);
    const struct order_span span = group_span(batch, id_of);
    struct order_change change;
    struct pg_params params;

    decide(&granted[0]->facts, context->policy, &change); /* the same for all */
    pg_params_init(&params);
    PUT(PG_UUID, pg_array_uuid, order_id.bytes);
    PUT(PG_TEXT, pg_array_text, order.payment_method);
    PUT(PG_INT8, pg_array_i64, order.total);
    PUT(PG_TEXT, pg_array_text, order.currency);
    pg_add_i16(&params, change.attempt_number);
    pg_add_i16(&params, (int16_t)change.attempt_state);
    pg_add_text(&params, context->provider);
    group_send_month(batch, &sql_attempt_begin, &span, &params);
    pg_params_finish(&params);
}

static void send_takings(struct group_batch *batch)
{
    const struct claim_ticket *granted[CLAIM_TICKETS_MAX];
    const struct order_span span = group_span(batch, id_of);
    struct shelf_want *wants[CLAIM_TICKETS_MAX];
    int count = gather_granted(batch, granted);

    if (count == 0)
        return;
    shelf_send_takings(batch, &span, wants, gather_wants(batch, wants));
    send_attempts(batch, granted, count);
}

bool begin_send(struct group_batch *batch)
{
    if (!claim_of(TAILQ_FIRST(&batch->tickets))->begin.is_chosen)
        return send_locks(batch);
    send_takings(batch);
    return true;
}

/* --- what is answered ------------------------------------------------------------------------- */

/* Notes are two answers, of which the second tells; the stock is one; what is held tells nothing.
 */
void begin_on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct shelf_want *wants[CLAIM_TICKETS_MAX];
    struct twins_look *looks[CLAIM_TICKETS_MAX];
    int look_count = gather_looks(batch, looks);
    int notes = look_count > 0 ? TWINS_NOTE_STATEMENTS : 0;

    if (notes > 0 && nth == notes - 1)
        twins_read_note(looks, look_count, result);
    else if (nth == notes)
        shelf_grant(wants, gather_wants(batch, wants), result);
}

void begin_take_effect(struct claim_ticket *claim, const struct order_policy *policy)
{
    int32_t version = claim->facts.version;
    struct order_change change;

    if (!claim->begin.want.is_granted)
        return;
    decide(&claim->facts, policy, &change);
    order_apply(&claim->facts, &change);
    claim->facts.version = version; /* it was written under the claim's own */
    claim->facts.held += claim_order_pieces(&claim->order);
}

void begin_clear(struct claim_ticket *claim)
{
    claim->begin = (struct claim_begin){
        .look = {.id = &claim->order_id},
        .want = {.id = &claim->order_id, .order = &claim->order},
    };
}
