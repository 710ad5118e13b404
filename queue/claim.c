#include "queue/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "queue/begin.h"
#include "schema/statements.h"

enum { US_A_MS = 1000 };
enum { ORDER_ID }; /* first of both statements' columns */

/* The columns of claim.sql. */
enum {
    VERSION = 1,
    STATUS,
    FENCE,
    ATTEMPT,
    CRASHES,
    TOTAL,
    CURRENCY,
    PAYMENT_METHOD,
    SHIPPING_METHOD,
    TRACE,
    PASS,
    IS_UNKNOWN,
    DOUBTED,
    UNDO,
    SINCE_UNDO,
    ACCOUNT,
};

/* The columns of claim_facts.sql. */
enum {
    ATTEMPT_NUMBER = 1,
    ATTEMPT_STATE,
    INTENT_ID,
    CONFIRMS,
    SENT_AT,
    OPENED_AT,
    HELD,
    IS_SHIPPED,
    SKUS,
    QUANTITIES,
    NAME,
    ADDRESS,
    HAS_LETTER,
    METHOD,
    IS_FENCED,
    UNKNOWN_SINCE,
    ENDED_AT,
    RESOLUTION,
    DUPLICATE,
    EMAIL,
    IS_GIVEN_UP,
    ASKED_AT,
};

/* The columns of claim_refunds.sql. */
enum {
    CAPTURED = 1,
    REFUNDED,
    REFUNDS,
    REFUNDS_OPEN,
    REFUND_NUMBER,
    REFUND_STATE,
    REFUND_AMOUNT,
    REFUND_KEYS,
    SINCE_REFUND_SENT,
    IS_CANCEL_OPEN,
};

enum statement { CLAIM, FACTS, REFUND_FACTS };

static struct claim_ticket *claim_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct claim_ticket, ticket);
}

static void add_ids(struct group_batch *batch, struct pg_params *params)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_UUID);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_uuid(params, claim_of(ticket)->order_id.bytes);
    pg_array_end(params);
}

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &claim_of(ticket)->order_id;
}

static void add_hops(struct group_batch *batch, struct pg_params *params)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_INT8);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_i64(params, claim_of(ticket)->message.from_us);
    pg_array_end(params);
    pg_array_begin(params, PG_INT8);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_i64(params, claim_of(ticket)->message.to_us);
    pg_array_end(params);
}

static bool send_batch(struct group_batch *batch)
{
    const struct claim_context *context = group_owner(batch);
    const struct order_span span = group_span(batch, id_of);
    struct group_ticket *ticket;
    struct pg_params params;
    char event[48];

    snprintf(event, sizeof(event), "%s_started", stage_name(context->stage));
    pg_params_init(&params);
    add_ids(batch, &params);
    pg_add_i16(&params, (int16_t)context->stage);
    pg_add_uuid(&params, worker_session_id(context->session));
    pg_add_text(&params, event);
    pg_add_text(&params, context->process);
    group_add_span(&params, &span);
    add_hops(batch, &params);
    group_send_month(batch, &sql_claim, &span, &params);

    pg_params_clear(&params);
    add_ids(batch, &params);
    pg_add_i16(&params, (int16_t)context->stage);
    group_add_span(&params, &span);
    group_send_month(batch, &sql_claim_facts, &span, &params);
    if (context->stage == STAGE_REFUND) {
        pg_params_clear(&params);
        add_ids(batch, &params);
        group_send(batch, &sql_claim_refunds, &params);
    }
    pg_params_finish(&params);

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct claim_ticket *claim = claim_of(ticket);

        claim->is_claimed = false;
        claim->epoch = worker_session_epoch(context->session);
        claim_order_finish(&claim->order); /* of a batch that was rolled back */
        begin_clear(claim);
    }
    return context->begin == NULL;
}

static struct claim_ticket *find(struct group_batch *batch, const PGresult *result, int row)
{
    struct group_ticket *ticket;
    size_t length;
    const uint8_t *id = pg_bytes(result, row, ORDER_ID, &length);

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (memcmp(claim_of(ticket)->order_id.bytes, id, ORDER_ID_BYTES) == 0)
            return claim_of(ticket);
    }
    return NULL;
}

static void read_claimed(struct claim_ticket *claim, const PGresult *result, int row)
{
    struct claim_order *order = &claim->order;

    claim->is_claimed = true;
    claim->pass = pg_i64(result, row, PASS);
    claim->facts = (struct order_facts){
        .id = claim->order_id,
        .version = pg_i32(result, row, VERSION),
        .status = (enum order_status)pg_i16(result, row, STATUS),
        .total = pg_i64(result, row, TOTAL),
        .attempt = pg_i32(result, row, ATTEMPT),
        .crashes = pg_i32(result, row, CRASHES),
        .claims = pg_i32(result, row, FENCE),
        .is_unknown = pg_bool(result, row, IS_UNKNOWN),
        .doubted = pg_i32(result, row, DOUBTED),
        .undo = (enum undo)pg_i16(result, row, UNDO),
        .since_undo_ms = pg_i64(result, row, SINCE_UNDO),
    };
    order->total = claim->facts.total;
    order->account = pg_i64(result, row, ACCOUNT);
    snprintf(order->currency, sizeof(order->currency), "%s", pg_text(result, row, CURRENCY));
    snprintf(order->payment_method, CLAIM_TEXT_SIZE, "%s", pg_text(result, row, PAYMENT_METHOD));
    snprintf(order->shipping_method, CLAIM_TEXT_SIZE, "%s", pg_text(result, row, SHIPPING_METHOD));
    snprintf(order->trace, CLAIM_TRACE_SIZE, "%s", pg_text(result, row, TRACE));
}

/* How long ago that was when it was asked; -1: it never was. */
static int64_t since_ms(const PGresult *result, int row, int column)
{
    if (pg_is_null(result, row, column))
        return -1;
    return (pg_time_us(result, row, ASKED_AT) - pg_time_us(result, row, column)) / US_A_MS;
}

static void read_facts(struct order_facts *facts, const PGresult *result, int row)
{
    facts->attempt_number = pg_i16(result, row, ATTEMPT_NUMBER);
    facts->attempt_state = (enum attempt_state)pg_i16(result, row, ATTEMPT_STATE);
    facts->confirms = pg_i16(result, row, CONFIRMS);
    facts->since_sent_ms = since_ms(result, row, SENT_AT);
    facts->since_opened_ms = since_ms(result, row, OPENED_AT);
    facts->held = pg_i64(result, row, HELD);
    facts->is_shipped = pg_bool(result, row, IS_SHIPPED);
    facts->has_letter = pg_bool(result, row, HAS_LETTER);
    facts->is_fenced = pg_bool(result, row, IS_FENCED);
    facts->since_unknown_ms = since_ms(result, row, UNKNOWN_SINCE);
    facts->since_ended_ms = since_ms(result, row, ENDED_AT);
    facts->resolution = (enum resolution)pg_i16(result, row, RESOLUTION);
    facts->is_given_up = pg_bool(result, row, IS_GIVEN_UP);
    facts->duplicate = (enum order_duplicate)pg_i16(result, row, DUPLICATE);
    snprintf(facts->intent_id, sizeof(facts->intent_id), "%s", pg_text(result, row, INTENT_ID));
}

static void read_refunds(struct order_facts *facts, const PGresult *result, int row)
{
    facts->captured = pg_i64(result, row, CAPTURED);
    facts->refunded = pg_i64(result, row, REFUNDED);
    facts->refunds = pg_i16(result, row, REFUNDS);
    facts->refunds_open = pg_i16(result, row, REFUNDS_OPEN);
    facts->refund_number = pg_i16(result, row, REFUND_NUMBER);
    facts->refund_state = (enum refund_state)pg_i16(result, row, REFUND_STATE);
    facts->refund_amount = pg_i64(result, row, REFUND_AMOUNT);
    facts->refund_keys = pg_i16(result, row, REFUND_KEYS);
    facts->since_refund_sent_ms = pg_i64(result, row, SINCE_REFUND_SENT);
    facts->is_cancel_open = pg_bool(result, row, IS_CANCEL_OPEN);
}

static void read_lines(struct claim_order *order, const PGresult *result, int row)
{
    size_t length;

    order->line_count = pg_array_count(result, row, SKUS);
    order->lines = xcalloc((size_t)order->line_count, sizeof(*order->lines));
    for (int i = 0; i < order->line_count; i++) {
        const uint8_t *sku = pg_array_element(result, row, SKUS, i, &length);
        const uint8_t *pieces;

        order->lines[i].sku = strndup((const char *)sku, length);
        pieces = pg_array_element(result, row, QUANTITIES, i, &length);
        order->lines[i].quantity = (int32_t)((uint32_t)pieces[0] << 24 | (uint32_t)pieces[1] << 16 |
                                             (uint32_t)pieces[2] << 8 | pieces[3]);
    }
}

static void read_more(struct claim_ticket *claim, const PGresult *result, int row)
{
    const char *method = pg_text(result, row, METHOD);

    read_facts(&claim->facts, result, row);
    if (*method != '\0') /* the attempt's own, in the place of the order's */
        snprintf(claim->order.payment_method, CLAIM_TEXT_SIZE, "%s", method);
    claim->order.name = xstrdup(pg_text(result, row, NAME));
    claim->order.address = xstrdup(pg_text(result, row, ADDRESS));
    claim->order.email = xstrdup(pg_text(result, row, EMAIL));
    read_lines(&claim->order, result, row);
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    const struct claim_context *context = group_owner(batch);

    if (context->begin && nth > FACTS) {
        begin_on_rows(batch, nth - FACTS - 1, result);
        return;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct claim_ticket *claim = find(batch, result, row);

        if (claim == NULL)
            continue;
        if (nth == CLAIM) {
            read_claimed(claim, result, row);
            claim->facts.stage = context->stage;
        } else if (claim->is_claimed && nth == FACTS) {
            read_more(claim, result, row);
        } else if (claim->is_claimed) {
            read_refunds(&claim->facts, result, row);
        }
    }
}

static const struct pg_statement *const statements[] = {
    &sql_claim.all,         &sql_claim_facts.all,
    &sql_claim_refunds,     &sql_twin_lock,
    &sql_twin_note.all,     &sql_stock_lock,
    &sql_stock_take,        &sql_reservation_add.all,
    &sql_attempt_begin.all, NULL,
};

static struct group_metrics metrics = GROUP_METRICS("claim");

void claim_register_metrics(void)
{
    group_metrics_register(&metrics);
}

const struct group_work claim_work = {
    .name = "claim",
    .statements = statements,
    .tickets_max = CLAIM_TICKETS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .send_more = begin_send,
    .on_rows = on_rows,
    .metrics = &metrics,
};
