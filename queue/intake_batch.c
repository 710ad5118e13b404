#include "queue/intake_batch.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_state.h"
#include "schema/statements.h"

enum { TICKETS_MAX = INTAKE_BATCH_MOST, MS_US = 1000, WAITING_MAX = 1000000 };

static struct intake_ticket *ticket_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct intake_ticket, group_ticket);
}

/* Columns: each adds one array, an element for each ticket of the batch. */
#define EACH(batch, ticket) TAILQ_FOREACH (ticket, &(batch)->tickets, next)

static void add_accounts(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_INT8);
    EACH(batch, ticket)
    pg_array_i64(params, ticket_of(ticket)->account_id);
    pg_array_end(params);
}

static void add_keys(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_TEXT);
    EACH(batch, ticket)
    pg_array_text(params, ticket_of(ticket)->key);
    pg_array_end(params);
}

static void add_carts(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_TEXT);
    EACH(batch, ticket)
    pg_array_text(params, ticket_of(ticket)->cart_id);
    pg_array_end(params);
}

static void add_made(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_UUID);
    EACH(batch, ticket)
    pg_array_uuid(params, ticket_of(ticket)->made.bytes);
    pg_array_end(params);
}

static void add_hashes(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_BYTEA);
    EACH(batch, ticket)
    pg_array_bytes(params, ticket_of(ticket)->hash, CONTENT_HASH_BYTES);
    pg_array_end(params);
}

static void add_order_texts(struct pg_params *params, const struct group_batch *batch,
                            const char *(*text)(const struct intake_ticket *ticket))
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_TEXT);
    EACH(batch, ticket)
    pg_array_text(params, text(ticket_of(ticket)));
    pg_array_end(params);
}

static void add_order_amounts(struct pg_params *params, const struct group_batch *batch,
                              int64_t (*amount)(const struct order *order))
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_INT8);
    EACH(batch, ticket)
    pg_array_i64(params, amount(ticket_of(ticket)->order));
    pg_array_end(params);
}

#define TEXT_OF(name, field)                                                                       \
    static const char *name(const struct intake_ticket *ticket)                                    \
    {                                                                                              \
        return ticket->field;                                                                      \
    }
TEXT_OF(currency_of, order->currency)
TEXT_OF(shipping_method_of, order->shipping_method)
TEXT_OF(payment_method_of, order->payment_method)
TEXT_OF(trace_of, trace)
TEXT_OF(metadata_of, order->metadata_json)
TEXT_OF(email_of, order->email)
TEXT_OF(name_of, order->name)
TEXT_OF(address_of, order->address_json)

static int64_t items_total_of(const struct order *order)
{
    return order->items_total;
}

static int64_t shipping_total_of(const struct order *order)
{
    return order->shipping_total;
}

/* One array of the batch's lines; `number` counts their orders from 1. */
static void add_lines(struct pg_params *params, const struct group_batch *batch, enum pg_oid type,
                      void (*add)(struct pg_params *params, const struct intake_ticket *ticket,
                                  int number, int i))
{
    struct group_ticket *ticket;
    int number = 0;

    pg_array_begin(params, type);
    EACH(batch, ticket)
    {
        number++;
        for (int i = 0; i < ticket_of(ticket)->order->line_count; i++)
            add(params, ticket_of(ticket), number, i);
    }
    pg_array_end(params);
}

#define LINE_COLUMN(name, put)                                                                     \
    static void name(struct pg_params *params, const struct intake_ticket *ticket, int number,     \
                     int i)                                                                        \
    {                                                                                              \
        const struct order_line *line = &ticket->order->lines[i];                                  \
                                                                                                   \
        (void)line, (void)number;                                                                  \
        put;                                                                                       \
    }
LINE_COLUMN(line_number, pg_array_i32(params, number))
LINE_COLUMN(line_position, pg_array_i16(params, (int16_t)(i + 1)))
LINE_COLUMN(line_sku, pg_array_text(params, line->sku))
LINE_COLUMN(line_name, pg_array_text(params, line->name))
LINE_COLUMN(line_quantity, pg_array_i32(params, (int32_t)line->quantity))
LINE_COLUMN(line_price, pg_array_i64(params, line->price))

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &ticket_of(ticket)->made;
}

static void send_orders(struct group_batch *batch, struct pg_params *params)
{
    const struct order_span span = group_span(batch, id_of);

    pg_params_clear(params);
    add_accounts(params, batch);
    add_keys(params, batch);
    add_carts(params, batch);
    add_made(params, batch);
    add_hashes(params, batch);
    add_order_texts(params, batch, currency_of);
    add_order_amounts(params, batch, items_total_of);
    add_order_amounts(params, batch, shipping_total_of);
    add_order_texts(params, batch, shipping_method_of);
    add_order_texts(params, batch, payment_method_of);
    add_order_texts(params, batch, trace_of);
    add_order_texts(params, batch, metadata_of);
    add_order_texts(params, batch, email_of);
    add_order_texts(params, batch, name_of);
    add_order_texts(params, batch, address_of);
    add_lines(params, batch, PG_INT4, line_number);
    add_lines(params, batch, PG_INT2, line_position);
    add_lines(params, batch, PG_TEXT, line_sku);
    add_lines(params, batch, PG_TEXT, line_name);
    add_lines(params, batch, PG_INT4, line_quantity);
    add_lines(params, batch, PG_INT8, line_price);
    pg_add_i16(params, ORDER_RENDERER);
    pg_add_i16(params, ticket_of(TAILQ_FIRST(&batch->tickets))->token_key);
    group_send_month(batch, &sql_accept_orders, &span, params);
}

static void send_look_up(struct group_batch *batch, struct pg_params *params)
{
    pg_params_clear(params);
    add_accounts(params, batch);
    add_keys(params, batch);
    add_carts(params, batch);
    group_send(batch, &sql_intake_lookup, params);
    group_send(batch, &sql_commit_fence, NULL);
}

/* An id is made for each sending: one that is stored then was stored by this very transaction. */
static bool send_accept(struct group_batch *batch)
{
    struct intake_batches *batches = group_owner(batch);
    int64_t now_ms = database_now_us(batches->database) / MS_US;
    struct group_ticket *ticket;

    EACH(batch, ticket)
    {
        order_id_make(&ticket_of(ticket)->made, now_ms);
        ticket_of(ticket)->found = (struct intake_found){.has_key = false};
    }
    send_orders(batch, &batches->params);
    return true;
}

static bool send_only_look_up(struct group_batch *batch)
{
    struct intake_batches *batches = group_owner(batch);

    send_look_up(batch, &batches->params);
    return true;
}

static bool send_abandon(struct group_batch *batch)
{
    struct intake_batches *batches = group_owner(batch);

    pg_params_clear(&batches->params);
    add_accounts(&batches->params, batch);
    add_keys(&batches->params, batch);
    group_send(batch, &sql_abandon_keys, &batches->params);
    send_look_up(batch, &batches->params);
    return true;
}

static void copy_hash(const PGresult *result, int row, int column, uint8_t *hash)
{
    size_t length;
    const uint8_t *bytes = pg_bytes(result, row, column, &length);

    memset(hash, 0, CONTENT_HASH_BYTES);
    if (length == CONTENT_HASH_BYTES)
        memcpy(hash, bytes, length);
}

static void copy_id(const PGresult *result, int row, int column, struct order_id *id)
{
    size_t length;
    const uint8_t *bytes = pg_bytes(result, row, column, &length);

    if (length == ORDER_ID_BYTES)
        memcpy(id->bytes, bytes, length);
}

/* The columns of intake_lookup.sql. */
enum { POSITION, KEY_ORDER, KEY_HASH, CART_ORDER, CART_HASH, RENDERER, TOKEN_KEY, STATUS };

static void read_found(struct intake_found *found, const PGresult *result, int row)
{
    *found = (struct intake_found){
        .has_key = !pg_is_null(result, row, KEY_HASH),
        .has_cart = !pg_is_null(result, row, CART_HASH),
        .is_abandoned = !pg_is_null(result, row, KEY_HASH) && pg_is_null(result, row, KEY_ORDER),
        .renderer = pg_i16(result, row, RENDERER),
        .token_key = pg_i16(result, row, TOKEN_KEY),
        .status = pg_i16(result, row, STATUS),
    };
    copy_id(result, row, KEY_ORDER, &found->key_order);
    copy_hash(result, row, KEY_HASH, found->key_hash);
    copy_id(result, row, CART_ORDER, &found->cart_order);
    copy_hash(result, row, CART_HASH, found->cart_hash);
}

static void read_look_up(struct group_batch *batch, const PGresult *result)
{
    struct intake_ticket *tickets[TICKETS_MAX];
    struct group_ticket *ticket;
    int count = 0;

    EACH(batch, ticket)
    tickets[count++] = ticket_of(ticket);
    for (int row = 0; row < PQntuples(result); row++) {
        int index = pg_i32(result, row, POSITION) - 1;

        assert(index >= 0 && index < count);
        read_found(&tickets[index]->found, result, row);
    }
}

static void note_stored(struct intake_ticket *ticket)
{
    struct intake_found *found = &ticket->found;

    *found = (struct intake_found){
        .has_key = true,
        .has_cart = ticket->cart_id != NULL,
        .key_order = ticket->made,
        .cart_order = ticket->made,
        .renderer = ORDER_RENDERER,
        .token_key = ticket->token_key,
        .status = ORDER_ACCEPTED,
    };
    memcpy(found->key_hash, ticket->hash, CONTENT_HASH_BYTES);
    memcpy(found->cart_hash, ticket->hash, CONTENT_HASH_BYTES);
}

static struct group_ticket *following(const struct group_batch *batch, struct group_ticket *ticket)
{
    struct group_ticket *next = TAILQ_NEXT(ticket, next);

    return next ? next : TAILQ_FIRST(&batch->tickets);
}

/* Looks all round from `at`; returns where the next id is likely to be found. */
static struct group_ticket *find_stored(const struct group_batch *batch, struct group_ticket *at,
                                        const uint8_t *id)
{
    struct group_ticket *ticket = at;

    do {
        struct group_ticket *next = following(batch, ticket);

        if (memcmp(ticket_of(ticket)->made.bytes, id, ORDER_ID_BYTES) == 0) {
            note_stored(ticket_of(ticket));
            return next;
        }
        ticket = next;
    } while (ticket != at);
    return at;
}

/* One row a message of the outbox: the ids of its orders, which follow each other as in the batch.
 */
static void on_accept_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct group_ticket *at = TAILQ_FIRST(&batch->tickets);
    size_t length;

    (void)nth;
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < pg_array_count(result, row, 0); i++)
            at = find_stored(batch, at, pg_array_element(result, row, 0, i, &length));
    }
}

static void on_look_up_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    if (nth == 0)
        read_look_up(batch, result);
}

static void on_abandon_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    if (nth == 1)
        read_look_up(batch, result);
}

static const struct pg_statement *const accept_statements[] = {&sql_accept_orders.all, NULL};
static const struct pg_statement *const look_up_statements[] = {&sql_intake_lookup,
                                                                &sql_commit_fence, NULL};
static const struct pg_statement *const abandon_statements[] = {
    &sql_abandon_keys, &sql_intake_lookup, &sql_commit_fence, NULL};

static struct group_metrics accept_metrics = GROUP_METRICS("accept");
static struct group_metrics look_up_metrics = GROUP_METRICS("lookup");
static struct group_metrics abandon_metrics = GROUP_METRICS("abandon");

void intake_register_metrics(void)
{
    group_metrics_register(&accept_metrics);
    group_metrics_register(&look_up_metrics);
    group_metrics_register(&abandon_metrics);
}

/* How many may wait is the intake's to say. */
const struct group_work intake_accept_work = {
    .name = "accept",
    .statements = accept_statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = WAITING_MAX,
    .is_followed = true,
    .lock_timeouts_max = 1, /* another process commits this key: 409, soon */
    .send = send_accept,
    .on_rows = on_accept_rows,
    .metrics = &accept_metrics,
};
const struct group_work intake_look_up_work = {
    .name = "lookup",
    .statements = look_up_statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = WAITING_MAX,
    .send = send_only_look_up,
    .on_rows = on_look_up_rows,
    .metrics = &look_up_metrics,
};
const struct group_work intake_abandon_work = {
    .name = "abandon",
    .statements = abandon_statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = WAITING_MAX,
    .lock_timeouts_max = 1,
    .send = send_abandon,
    .on_rows = on_abandon_rows,
    .metrics = &abandon_metrics,
};
