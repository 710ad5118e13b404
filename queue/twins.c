#include "queue/twins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "schema/statements.h"

enum { TICKETS_MAX = 200, ABOUT_MAX = 1 << 16 };
enum statement { LOCK, NOTE, CHECK };

static struct metric flagged =
    METRIC(METRIC_COUNTER, "docket_duplicates_total",
           "Orders that look like an earlier one of the same customer, by no key the same.");

static struct twins_ticket *ticket_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct twins_ticket, ticket);
}

/* By the bytes of the sku, then by pieces. */
static int compare_lines(const void *left, const void *right)
{
    const struct claim_line *const *a = left, *const *b = right;
    int by_sku = strcmp((*a)->sku, (*b)->sku);

    return by_sku != 0 ? by_sku
                       : ((*a)->quantity > (*b)->quantity) - ((*a)->quantity < (*b)->quantity);
}

static void add_lines(struct text *about, const struct claim_order *order)
{
    const struct claim_line *sorted[CLAIM_LINES_MAX];

    for (int i = 0; i < order->line_count; i++)
        sorted[i] = &order->lines[i];
    qsort(sorted, (size_t)order->line_count, sizeof(void *), compare_lines);
    for (int i = 0; i < order->line_count; i++)
        text_print(about, "\n%s %" PRId32, sorted[i]->sku, sorted[i]->quantity);
}

bool twins_print(const struct claim_order *order, uint8_t print[DIGEST_BYTES])
{
    struct text about;
    bool is_made;

    text_init(&about, ABOUT_MAX);
    text_print(&about, "%" PRId64 "\n%s\n%s\n%" PRId64, order->account, order->email,
               order->currency, order->total);
    add_lines(&about, order);
    is_made = order->email[0] != '\0' && !about.cut;
    if (is_made)
        digest_sha256(about.bytes, about.length, print);
    text_finish(&about);
    return is_made;
}

/* One column of those that have a print. */
static void add_column(struct pg_params *params, const struct group_batch *batch, enum pg_oid type)
{
    struct group_ticket *ticket;
    uint8_t print[DIGEST_BYTES];

    pg_array_begin(params, type);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (!twins_print(ticket_of(ticket)->order, print))
            continue;
        if (type == PG_UUID)
            pg_array_uuid(params, ticket_of(ticket)->order_id.bytes);
        else
            pg_array_bytes(params, print, sizeof(print));
    }
    pg_array_end(params);
}

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &ticket_of(ticket)->order_id;
}

/* Two statements: the second one's snapshot is taken when the locks are held.  Most look like no
 * other, and that is the end of it. */
static bool send_batch(struct group_batch *batch)
{
    const struct twins_context *context = group_owner(batch);
    struct order_span span = group_span(batch, id_of);
    struct order_id second_before;
    struct group_ticket *ticket;
    struct pg_params params;

    order_id_first(&second_before, order_id_unix_ms(&span.greatest) - 1000);
    pg_params_init(&params);
    add_column(&params, batch, PG_BYTEA);
    group_send(batch, &sql_twin_lock, &params);
    pg_params_clear(&params);
    add_column(&params, batch, PG_UUID);
    add_column(&params, batch, PG_BYTEA);
    pg_add_i64(&params, context->window_ms);
    group_add_span(&params, &span);
    pg_add_uuid(&params, second_before.bytes);
    order_span_add(&span, &second_before); /* orders of that second are read, too */
    group_send_month(batch, &sql_twin_note, &span, &params);
    pg_params_finish(&params);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct twins_ticket *twins = ticket_of(ticket);

        twins->is_alike = twins->is_flagged = twins->is_unsure = false;
        twins->flagged = 0;
    }
    return false;
}

static bool is_any_alike(struct group_batch *batch)
{
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (ticket_of(ticket)->is_alike)
            return true;
    }
    return false;
}

static bool send_check(struct group_batch *batch)
{
    const struct twins_context *context = group_owner(batch);
    struct pg_params params;

    if (!is_any_alike(batch))
        return true;
    pg_params_init(&params);
    add_column(&params, batch, PG_UUID);
    pg_add_i64(&params, context->window_ms);
    pg_add_bool(&params, context->holds);
    pg_add_text(&params, context->process);
    add_column(&params, batch, PG_BYTEA);
    group_send(batch, &sql_twin_check, &params);
    pg_params_finish(&params);
    return true;
}

/* NULL: an order of another batch. */
static struct twins_ticket *find(struct group_batch *batch, const PGresult *result, int row)
{
    struct group_ticket *ticket;
    size_t length;
    const uint8_t *id = pg_bytes(result, row, 0, &length);

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (memcmp(ticket_of(ticket)->order_id.bytes, id, ORDER_ID_BYTES) == 0)
            return ticket_of(ticket);
    }
    return NULL;
}

static void note_checked(struct group_batch *batch, const PGresult *result, int row)
{
    struct twins_ticket *twins = find(batch, result, row);
    bool is_unsure = pg_bool(result, row, 1);

    ticket_of(TAILQ_FIRST(&batch->tickets))->flagged += !is_unsure;
    if (twins == NULL)
        return;
    twins->is_unsure |= is_unsure;
    twins->is_flagged |= !is_unsure;
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    for (int row = 0; nth > LOCK && row < PQntuples(result); row++) {
        struct twins_ticket *twins = nth == NOTE ? find(batch, result, row) : NULL;

        if (nth == CHECK)
            note_checked(batch, result, row);
        else if (twins)
            twins->is_alike = true;
    }
}

void twins_note(const struct twins_ticket *ticket)
{
    metric_add(&flagged, ticket->flagged);
}

static const struct pg_statement *const statements[] = {&sql_twin_lock, &sql_twin_note.all,
                                                        &sql_twin_check, NULL};

static struct group_metrics metrics = GROUP_METRICS("twins");

void twins_register_metrics(void)
{
    metric_register(&flagged);
    group_metrics_register(&metrics);
}

const struct group_work twins_work = {
    .name = "twins",
    .statements = statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .send_more = send_check,
    .on_rows = on_rows,
    .metrics = &metrics,
};
