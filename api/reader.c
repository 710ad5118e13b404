#include "api/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/order_view.h"
#include "schema/order_state.h"
#include "schema/statements.h"

enum { LINKS = 2, TICKETS_MAX = 200 };

/* The columns of order_read.sql. */
enum {
    POSITION,
    ACCOUNT,
    VERSION,
    STATUS,
    FINAL,
    REASON,
    CURRENCY,
    ITEMS_TOTAL,
    SHIPPING_TOTAL,
    TOTAL,
    SHIPPING_METHOD,
    TOKEN_KEY,
    ACCEPTED_US,
    UPDATED_US,
    SKUS,
    NAMES,
    QUANTITIES,
    PRICES,
    TRACKING,
    ATTEMPT,
    ATTEMPT_STATE,
    DECLINE_REASON,
    RETRY_SAME_CARD,
    TRY_ANOTHER_CARD,
    NEXT_ACTION,
    FENCED,
    REFUNDED,
};

/* Those of order_passed.sql, after the position. */
enum { PASSED_VERSION = 1, PASSED_STATUS, PASSED_AT_US };

struct reader {
    struct group_work work;
    struct pg_params params;
    struct group *group;
    int64_t attempts_max;
};

static struct reading *reading_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct reading, group_ticket);
}

static void send_passed(struct group_batch *batch, struct reader *reader);

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &reading_of(ticket)->id;
}

void reader_send(struct group_batch *batch, const struct month_statement *statement,
                 struct pg_params *params)
{
    const struct order_span span = group_span(batch, id_of);
    struct group_ticket *ticket;

    pg_params_clear(params);
    pg_array_begin(params, PG_UUID);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_uuid(params, reading_of(ticket)->id.bytes);
    pg_array_end(params);
    group_add_span(params, &span);
    group_send_month(batch, statement, &span, params);
}

static bool send_reads(struct group_batch *batch)
{
    struct reader *reader = group_owner(batch);

    reader_send(batch, &sql_order_read, &reader->params);
    send_passed(batch, reader);
    return true;
}

/* After the orders, in a newer snapshot: nothing is missing between known and newest. */
static void send_passed(struct group_batch *batch, struct reader *reader)
{
    const struct order_span span = group_span(batch, id_of);
    struct group_ticket *ticket;
    int count = 0;

    pg_params_clear(&reader->params);
    pg_array_begin(&reader->params, PG_UUID);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (reading_of(ticket)->wants_passed) {
            pg_array_uuid(&reader->params, reading_of(ticket)->id.bytes);
            count++;
        }
    }
    pg_array_end(&reader->params);
    pg_array_begin(&reader->params, PG_INT4);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (reading_of(ticket)->wants_passed)
            pg_array_i32(&reader->params, reading_of(ticket)->known_version);
    }
    pg_array_end(&reader->params);
    group_add_span(&reader->params, &span);
    if (count > 0)
        group_send_month(batch, &sql_order_passed, &span, &reader->params);
}

static void add_text_element(struct text *body, const PGresult *result, int row, int column,
                             int index)
{
    size_t length;
    const uint8_t *bytes = pg_array_element(result, row, column, index, &length);
    struct text copy;

    text_init(&copy, VIEW_BYTES_MAX);
    text_add_bytes(&copy, bytes, length);
    text_add_json(body, copy.bytes);
    text_finish(&copy);
}

static int64_t number_element(const PGresult *result, int row, int column, int index)
{
    size_t length;
    const uint8_t *bytes = pg_array_element(result, row, column, index, &length);
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value; /* never below zero, so 4 bytes need no sign */
}

static void add_lines(struct text *body, const PGresult *result, int row)
{
    const char *currency = pg_text(result, row, CURRENCY);
    int count = pg_array_count(result, row, SKUS);

    text_add(body, ",\"lines\":[");
    for (int i = 0; i < count; i++) {
        text_add(body, i ? ",{\"sku\":" : "{\"sku\":");
        add_text_element(body, result, row, SKUS, i);
        text_add(body, ",\"name\":");
        add_text_element(body, result, row, NAMES, i);
        text_print(body, ",\"quantity\":%lld,\"price\":",
                   (long long)number_element(result, row, QUANTITIES, i));
        order_view_money(body, number_element(result, row, PRICES, i), currency);
        text_add(body, "}");
    }
    text_add(body, "]");
}

static void add_totals(struct text *body, const PGresult *result, int row)
{
    const char *currency = pg_text(result, row, CURRENCY);

    text_add(body, ",\"items_total\":");
    order_view_money(body, pg_i64(result, row, ITEMS_TOTAL), currency);
    text_add(body, ",\"shipping_total\":");
    order_view_money(body, pg_i64(result, row, SHIPPING_TOTAL), currency);
    text_add(body, ",\"total\":");
    order_view_money(body, pg_i64(result, row, TOTAL), currency);
}

/* NULL: there is none. */
static const struct payment_face *read_payment(const PGresult *result, int row,
                                               struct payment_face *payment)
{
    if (pg_is_null(result, row, ATTEMPT))
        return NULL;
    *payment = (struct payment_face){
        .attempt = pg_i16(result, row, ATTEMPT),
        .state = (enum attempt_state)pg_i16(result, row, ATTEMPT_STATE),
        .decline_reason = pg_text(result, row, DECLINE_REASON),
        .retry_same_card = pg_bool(result, row, RETRY_SAME_CARD),
        .try_another_card = pg_bool(result, row, TRY_ANOTHER_CARD),
        .next_action = pg_text(result, row, NEXT_ACTION),
    };
    return payment;
}

static bool can_pay_again(const struct reading *reading, const PGresult *result, int row)
{
    const struct order_facts facts = {
        .status = (enum order_status)reading->status,
        .attempt_number =
            (int16_t)(pg_is_null(result, row, ATTEMPT) ? 0 : pg_i16(result, row, ATTEMPT)),
        .is_fenced = !pg_is_null(result, row, FENCED) && pg_bool(result, row, FENCED),
    };

    return order_pay_again(&facts, reading->attempts_max) == PAY_AGAIN_OPENS;
}

static void render(struct reading *reading, const PGresult *result, int row)
{
    struct text *body = &reading->body;
    struct payment_face payment;
    const struct order_face face = {
        .id = reading->id,
        .version = reading->version,
        .status = (enum order_status)pg_i16(result, row, STATUS),
        .is_final = reading->is_final,
        .reason = pg_text(result, row, REASON),
        .tracking = pg_is_null(result, row, TRACKING) ? NULL : pg_text(result, row, TRACKING),
        .refunded = pg_i64(result, row, REFUNDED),
        .currency = pg_text(result, row, CURRENCY),
        .payment = read_payment(result, row, &payment),
        .can_pay_again = can_pay_again(reading, result, row),
        .accepted_us = reading->accepted_us,
        .updated_us = pg_i64(result, row, UPDATED_US),
    };

    text_clear(body);
    order_view_head(body, &face);
    reading->head_length = body->length;
    add_totals(body, result, row);
    add_lines(body, result, row);
    text_add(body, ",\"shipping\":{\"method\":");
    text_add_json(body, pg_text(result, row, SHIPPING_METHOD));
    reading->tail_length = body->length;
    order_view_tail(body, &face);
    reading->tail_length = body->length - reading->tail_length;
}

void reader_render_passed(const struct reading *reading, const struct passed_version *passed,
                          struct text *body)
{
    const struct text *newest = &reading->body;
    const struct order_face face = {
        .id = reading->id,
        .version = passed->version,
        .status = (enum order_status)passed->status,
        .is_final = order_status_is_final((enum order_status)passed->status),
        .reason = "",
        .accepted_us = reading->accepted_us,
        .updated_us = passed->at_us,
    };

    text_clear(body);
    order_view_head(body, &face);
    text_add_bytes(body, newest->bytes + reading->head_length,
                   newest->length - reading->head_length - reading->tail_length);
    order_view_tail(body, &face);
}

static void read_row(struct reading *reading, const PGresult *result, int row)
{
    reading->is_found = true;
    reading->account_id = pg_i64(result, row, ACCOUNT);
    reading->version = pg_i32(result, row, VERSION);
    reading->status = pg_i16(result, row, STATUS);
    reading->is_final = pg_bool(result, row, FINAL);
    reading->token_key = pg_i16(result, row, TOKEN_KEY);
    reading->accepted_us = pg_i64(result, row, ACCEPTED_US);
    render(reading, result, row);
}

static void note_orders(struct reading **readings, int count, const PGresult *result)
{
    for (int i = 0; i < count; i++)
        readings[i]->is_found = false;
    for (int row = 0; row < PQntuples(result); row++) {
        int index = pg_i32(result, row, POSITION) - 1;

        assert(index >= 0 && index < count);
        read_row(readings[index], result, row);
    }
}

static void add_passed(struct reading *reading, const PGresult *result, int row)
{
    int32_t version = pg_i32(result, row, PASSED_VERSION);

    if (version >= reading->version || reading->passed_count == PASSED_MAX)
        return; /* the newest one is in the body, and what is newer yet is news for another read */
    if (reading->passed == NULL)
        reading->passed = xcalloc(PASSED_MAX, sizeof(*reading->passed));
    reading->passed[reading->passed_count++] = (struct passed_version){
        .version = version,
        .status = pg_i16(result, row, PASSED_STATUS),
        .at_us = pg_i64(result, row, PASSED_AT_US),
    };
}

static void note_passed(struct reading **readings, int count, const PGresult *result)
{
    for (int i = 0; i < count; i++)
        readings[i]->passed_count = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        int index = pg_i32(result, row, POSITION) - 1;

        assert(index >= 0 && index < count);
        add_passed(readings[index], result, row);
    }
}

/* The first statement is about all orders, the second about those whose past is wanted. */
static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct reading *readings[TICKETS_MAX];
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (nth == 0 || reading_of(ticket)->wants_passed)
            readings[count++] = reading_of(ticket);
    }
    if (nth == 0)
        note_orders(readings, count, result);
    else
        note_passed(readings, count, result);
}

static void on_settled(struct group_ticket *ticket)
{
    struct reading *reading = reading_of(ticket);

    reading->is_read = ticket->outcome == GROUP_COMMITTED;
    reading->on_settled(reading);
}

static void on_released(struct group_ticket *ticket)
{
    struct reading *reading = reading_of(ticket);

    text_finish(&reading->body);
    free(reading->passed);
    reading->passed = NULL;
    reading->on_released(reading);
}

bool reader_submit(struct reader *reader, struct reading *reading)
{
    reading->is_read = reading->is_found = false;
    reading->attempts_max = reader->attempts_max;
    reading->passed = NULL;
    reading->passed_count = 0;
    text_init(&reading->body, VIEW_BYTES_MAX);
    reading->group_ticket = (struct group_ticket){
        .on_settled = on_settled,
        .on_released = on_released,
        .deadline_ms = reading->deadline_ms,
    };
    return group_submit(reader->group, &reading->group_ticket);
}

int reader_waiting(const struct reader *reader)
{
    return group_waiting(reader->group);
}

bool reader_is_idle(const struct reader *reader)
{
    return group_is_idle(reader->group);
}

static struct group_metrics metrics = GROUP_METRICS("read");

void reader_register_metrics(void)
{
    group_metrics_register(&metrics);
}

struct reader *reader_create(uv_loop_t *loop, struct database *database, int waiting_max,
                             int64_t attempts_max)
{
    static const struct pg_statement *const statements[] = {&sql_order_read.all,
                                                            &sql_order_passed.all, NULL};
    struct reader *reader = xcalloc(1, sizeof(*reader));
    const struct group_options options = {
        .server = &database->server,
        .links = LINKS,
        .owner = reader,
    };

    reader->work = (struct group_work){
        .name = "read",
        .statements = statements,
        .tickets_max = TICKETS_MAX,
        .waiting_max = waiting_max,
        .send = send_reads,
        .on_rows = on_rows,
        .metrics = &metrics,
    };
    reader->attempts_max = attempts_max;
    pg_params_init(&reader->params);
    reader->group = group_create(loop, &reader->work, &options);
    return reader;
}

void reader_destroy(struct reader *reader)
{
    if (reader == NULL)
        return;
    group_destroy(reader->group);
    pg_params_finish(&reader->params);
    free(reader);
}
