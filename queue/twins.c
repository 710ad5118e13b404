#include "queue/twins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "schema/statements.h"

enum { ABOUT_MAX = 1 << 16 };

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

static void add_ids(struct pg_params *params, struct twins_look *const *looks, int count)
{
    pg_array_begin(params, PG_UUID);
    for (int i = 0; i < count; i++)
        pg_array_uuid(params, looks[i]->id->bytes);
    pg_array_end(params);
}

static void add_prints(struct pg_params *params, struct twins_look *const *looks, int count)
{
    pg_array_begin(params, PG_BYTEA);
    for (int i = 0; i < count; i++)
        pg_array_bytes(params, looks[i]->print, sizeof(looks[i]->print));
    pg_array_end(params);
}

/* The second statement's snapshot is taken when the locks are held. */
void twins_send_note(struct group_batch *batch, struct twins_look *const *looks, int count,
                     int64_t window_ms)
{
    struct order_span span = {*looks[0]->id, *looks[0]->id};
    struct order_id second_before;
    struct pg_params params;

    for (int i = 0; i < count; i++) {
        order_span_add(&span, looks[i]->id);
        looks[i]->is_alike = false;
    }
    order_id_first(&second_before, order_id_unix_ms(&span.greatest) - 1000);
    pg_params_init(&params);
    add_prints(&params, looks, count);
    group_send(batch, &sql_twin_lock, &params);
    pg_params_clear(&params);
    add_ids(&params, looks, count);
    add_prints(&params, looks, count);
    pg_add_i64(&params, window_ms);
    group_add_span(&params, &span);
    pg_add_uuid(&params, second_before.bytes);
    order_span_add(&span, &second_before); /* orders of that second are read, too */
    group_send_month(batch, &sql_twin_note, &span, &params);
    pg_params_finish(&params);
}

static bool is_of(const struct twins_look *look, const PGresult *result, int row)
{
    size_t length;

    return memcmp(look->id->bytes, pg_bytes(result, row, 0, &length), ORDER_ID_BYTES) == 0;
}

static void mark_each_other(struct twins_look *const *looks, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            if (memcmp(looks[i]->print, looks[j]->print, DIGEST_BYTES) == 0)
                looks[i]->is_alike = looks[j]->is_alike = true;
        }
    }
}

/* Postgres tells who is like an order that is not of the batch. */
void twins_read_note(struct twins_look *const *looks, int count, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < count; i++)
            looks[i]->is_alike |= is_of(looks[i], result, row);
    }
    mark_each_other(looks, count);
}

/* --- a transaction of its own ------------------------------------------------------------------
 */

/* Those that are noted, and look like another; or those that are to be noted. */
static int gather(struct group_batch *batch, struct twins_look **looks, bool is_noted)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct twins_ticket *twins = ticket_of(ticket);

        if (twins->is_noted == is_noted && (is_noted ? twins->look.is_alike : twins->has_print))
            looks[count++] = &twins->look;
    }
    return count;
}

static void send_check(struct group_batch *batch, struct twins_look *const *looks, int count)
{
    const struct twins_context *context = group_owner(batch);
    struct pg_params params;

    pg_params_init(&params);
    add_ids(&params, looks, count);
    pg_add_i64(&params, context->window_ms);
    pg_add_bool(&params, context->holds);
    pg_add_text(&params, context->process);
    add_prints(&params, looks, count);
    group_send(batch, &sql_twin_check, &params);
    pg_params_finish(&params);
}

/* Locks are taken in one order: orders (of a check), prints (of a note). */
static bool send_batch(struct group_batch *batch)
{
    const struct twins_context *context = group_owner(batch);
    struct twins_look *looks[TWINS_LOOKS_MAX];
    struct group_ticket *ticket;
    int count;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct twins_ticket *twins = ticket_of(ticket);

        twins->has_print = twins->is_noted || twins_print(twins->order, twins->look.print);
        twins->is_flagged = twins->is_unsure = false;
        twins->flagged = 0;
        if (!twins->is_noted)
            twins->look.is_alike = false;
    }
    if ((count = gather(batch, looks, true)) > 0)
        send_check(batch, looks, count);
    if ((count = gather(batch, looks, false)) > 0)
        twins_send_note(batch, looks, count, context->window_ms);
    return true;
}

/* Of this batch's orders, or of another's. */
static void note_checked(struct group_batch *batch, const PGresult *result, int row)
{
    bool is_unsure = pg_bool(result, row, 1);
    struct group_ticket *ticket;

    ticket_of(TAILQ_FIRST(&batch->tickets))->flagged += !is_unsure;
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct twins_ticket *twins = ticket_of(ticket);

        if (!is_of(&twins->look, result, row))
            continue;
        twins->is_unsure |= is_unsure;
        twins->is_flagged |= !is_unsure;
    }
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct twins_look *looks[TWINS_LOOKS_MAX];
    int checks = gather(batch, looks, true) > 0;

    for (int row = 0; nth < checks && row < PQntuples(result); row++)
        note_checked(batch, result, row);
    if (nth == checks + TWINS_NOTE_STATEMENTS - 1)
        twins_read_note(looks, gather(batch, looks, false), result);
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
    .tickets_max = TWINS_LOOKS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .on_rows = on_rows,
    .metrics = &metrics,
};
