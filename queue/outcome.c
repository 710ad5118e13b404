#include "queue/outcome.h"

#include <stdlib.h>

#include "base/memory.h"
#include "schema/statements.h"

enum { ROWS_MAX = 200 };

static void put_flag(struct pg_params *params, struct outcome_row *const *rows, int count,
                     size_t field)
{
    pg_array_begin(params, PG_BOOL);
    for (int i = 0; i < count; i++)
        pg_array_bool(params, *(const bool *)((const char *)&rows[i]->change + field));
    pg_array_end(params);
}

static void put_text(struct pg_params *params, struct outcome_row *const *rows, int count,
                     size_t field)
{
    pg_array_begin(params, PG_TEXT);
    for (int i = 0; i < count; i++)
        pg_array_text(params, *(const char *const *)((const char *)&rows[i]->change + field));
    pg_array_end(params);
}

#define FIELD(name) offsetof(struct order_change, name)
#define PUT(params, type, add, expression)                                                         \
    do {                                                                                           \
        pg_array_begin(params, type);                                                              \
        for (int i = 0; i < count; i++) {                                                          \
            const struct order_change *change = &rows[i]->change;                                  \
                                                                                                   \
            (void)change;                                                                          \
            add(params, expression);                                                               \
        }                                                                                          \
        pg_array_end(params);                                                                      \
    } while (0)

/* $1 to $11: the order and its task. */
static void put_order(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_UUID, pg_array_uuid, rows[i]->facts->id.bytes);
    PUT(params, PG_INT4, pg_array_i32, rows[i]->facts->version);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)rows[i]->facts->stage);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->status);
    put_flag(params, rows, count, FIELD(is_final));
    put_text(params, rows, count, FIELD(reason));
    put_text(params, rows, count, FIELD(event));
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->task_state);
    PUT(params, PG_INT4, pg_array_i32, change->task_attempt);
    PUT(params, PG_INT8, pg_array_i64, change->due_ms);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->next);
}

static void put_faults(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_TEXT, pg_array_text, change->fault ? fault_kind_name(change->fault->kind) : "");
    PUT(params, PG_TEXT, pg_array_text, change->fault ? change->fault->code : "");
    PUT(params, PG_TEXT, pg_array_text, change->fault ? change->fault->text : "");
}

/* $12 to $26: money, goods and faults. */
static void put_effects(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_INT2, pg_array_i16, change->attempt_number);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->attempt_state);
    put_text(params, rows, count, FIELD(intent_id));
    PUT(params, PG_INT2, pg_array_i16, change->confirms);
    put_flag(params, rows, count, FIELD(is_sending));
    PUT(params, PG_TEXT, pg_array_text, change->decline ? change->decline->code : "");
    put_flag(params, rows, count, FIELD(is_captured));
    PUT(params, PG_TEXT, pg_array_text, change->writes_shipment ? change->carrier_id : NULL);
    PUT(params, PG_TEXT, pg_array_text, change->tracking ? change->tracking : "");
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->stock);
    put_faults(params, rows, count);
    put_flag(params, rows, count, FIELD(keeps_running));
    PUT(params, PG_INT4, pg_array_i32, change->task_doubted);
}

static bool has_letter(const struct outcome_row *row)
{
    return row->change.is_dead || (row->facts->has_letter && row->change.task_state == TASK_DONE);
}

static void put_letters(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_UUID, pg_array_uuid, rows[i]->facts->id.bytes);
    PUT(params, PG_INT4, pg_array_i32, rows[i]->facts->version);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)rows[i]->facts->stage);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->task_state);
    PUT(params, PG_INT4, pg_array_i32, change->task_attempt);
    put_flag(params, rows, count, FIELD(is_dead));
    put_faults(params, rows, count);
}

/* Mostly it was opened with the order's first claim. */
static bool is_opening(const struct outcome_row *row)
{
    return row->change.attempt_number != 0 &&
           (row->facts->attempt_state == ATTEMPT_NONE ||
            row->facts->attempt_number != row->change.attempt_number);
}

static void put_attempts(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_UUID, pg_array_uuid, rows[i]->facts->id.bytes);
    PUT(params, PG_INT4, pg_array_i32, rows[i]->facts->version);
    PUT(params, PG_INT2, pg_array_i16, change->attempt_number);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->attempt_state);
    put_text(params, rows, count, FIELD(intent_id));
    PUT(params, PG_INT2, pg_array_i16, change->confirms);
}

static bool is_returning(const struct outcome_row *row)
{
    return row->change.stock == STOCK_RETURNED;
}

static void put_returned(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_UUID, pg_array_uuid, rows[i]->facts->id.bytes);
    PUT(params, PG_INT4, pg_array_i32, rows[i]->facts->version);
}

static bool is_undoing(const struct outcome_row *row)
{
    const struct order_change *change = &row->change;

    return change->undo != UNDO_NONE || change->closes || change->refund_number != 0;
}

static void put_undo(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_UUID, pg_array_uuid, rows[i]->facts->id.bytes);
    PUT(params, PG_INT4, pg_array_i32, rows[i]->facts->version);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)rows[i]->facts->stage);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->undo);
    put_flag(params, rows, count, FIELD(closes));
    PUT(params, PG_INT2, pg_array_i16, change->refund_number);
    PUT(params, PG_INT8, pg_array_i64, change->refund_amount);
    PUT(params, PG_INT2, pg_array_i16, (int16_t)change->refund_state);
    PUT(params, PG_INT2, pg_array_i16, change->refund_keys);
    put_flag(params, rows, count, FIELD(is_refund_sending));
    put_text(params, rows, count, FIELD(refund_id));
}

static struct order_span span_of(struct outcome_row *const *rows, int count)
{
    struct order_span span = {0}; /* of no row: nothing is in it */

    if (count > 0)
        span = (struct order_span){rows[0]->facts->id, rows[0]->facts->id};
    for (int i = 0; i < count; i++)
        order_span_add(&span, &rows[i]->facts->id);
    return span;
}

/* $30 to $34: what the customer is told of the payment, and whether it is surely over. */
static void put_payment(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_TEXT, pg_array_text, change->decline ? change->decline->reason : "");
    PUT(params, PG_BOOL, pg_array_bool, change->decline && change->decline->retry_same_card);
    PUT(params, PG_BOOL, pg_array_bool, change->decline && change->decline->try_another_card);
    PUT(params, PG_TEXT, pg_array_text, change->next_action ? change->next_action : "");
    put_flag(params, rows, count, FIELD(is_fenced));
}

/* $35 and $36. */
static void put_calls(struct pg_params *params, struct outcome_row *const *rows, int count)
{
    PUT(params, PG_INT8, pg_array_i64, rows[i]->calls.from_us);
    PUT(params, PG_INT8, pg_array_i64, rows[i]->calls.to_us);
}

static int choose(struct outcome_row **chosen, struct outcome_row *const *rows, int count,
                  bool (*is_of)(const struct outcome_row *row))
{
    int chosen_count = 0;

    for (int i = 0; i < count; i++) {
        if (is_of(rows[i]))
            chosen[chosen_count++] = rows[i];
    }
    return chosen_count;
}

/* Right behind what they belong to, in the same transaction; seldom needed. */
static void send_rare(struct group_batch *batch, struct outcome_row *const *rows, int count,
                      const struct outcome_context *context)
{
    struct outcome_row *chosen[ROWS_MAX];
    struct pg_params params;
    int chosen_count = choose(chosen, rows, count, is_opening);

    pg_params_init(&params);
    if (chosen_count > 0) {
        put_attempts(&params, chosen, chosen_count);
        pg_add_text(&params, context->provider);
        group_send(batch, &sql_outcome_attempts, &params);
        pg_params_clear(&params);
    }
    chosen_count = choose(chosen, rows, count, is_returning);
    if (chosen_count > 0) {
        put_returned(&params, chosen, chosen_count);
        group_send(batch, &sql_outcome_restock, &params);
        pg_params_clear(&params);
    }
    chosen_count = choose(chosen, rows, count, has_letter);
    if (chosen_count > 0) {
        put_letters(&params, chosen, chosen_count);
        group_send(batch, &sql_outcome_letters, &params);
        pg_params_clear(&params);
    }
    chosen_count = choose(chosen, rows, count, is_undoing);
    if (chosen_count > 0) {
        put_undo(&params, chosen, chosen_count);
        pg_add_text(&params, context->process);
        group_send(batch, &sql_outcome_undo, &params);
    }
    pg_params_finish(&params);
}

void outcome_send(struct group_batch *batch, struct outcome_row *const *rows, int count,
                  const struct outcome_context *context)
{
    const struct order_span span = span_of(rows, count);
    struct pg_params params;

    pg_params_init(&params);
    put_order(&params, rows, count);
    put_effects(&params, rows, count);
    pg_add_text(&params, context->process);
    group_add_span(&params, &span);
    put_payment(&params, rows, count);
    put_calls(&params, rows, count);
    group_send_month(batch, &sql_outcome, &span, &params);
    pg_params_finish(&params);
    send_rare(batch, rows, count, context);
    for (int i = 0; i < count; i++)
        rows[i]->is_written = false;
}

void outcome_read(struct outcome_row *const *rows, int count, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        int n = pg_i32(result, row, 0) - 1;

        if (n >= 0 && n < count)
            rows[n]->is_written = true;
    }
}

static int gather(struct group_batch *batch, struct outcome_row **rows)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next)
        rows[count++] = &container_of(ticket, struct outcome_ticket, ticket)->row;
    return count;
}

static bool send_batch(struct group_batch *batch)
{
    struct outcome_row *rows[ROWS_MAX];

    outcome_send(batch, rows, gather(batch, rows), group_owner(batch));
    return true;
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct outcome_row *rows[ROWS_MAX];

    if (nth > 0) /* what is rare */
        return;
    outcome_read(rows, gather(batch, rows), result);
}

static const struct pg_statement *const statements[] = {
    &sql_outcome.all,     &sql_outcome_attempts, &sql_outcome_restock,
    &sql_outcome_letters, &sql_outcome_undo,     NULL,
};

static struct group_metrics metrics = GROUP_METRICS("outcome");

void outcome_register_metrics(void)
{
    group_metrics_register(&metrics);
}

const struct group_work outcome_work = {
    .name = "outcome",
    .statements = statements,
    .tickets_max = ROWS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .on_rows = on_rows,
    .metrics = &metrics,
};
