#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "queue/group_inside.h"

enum { NAME_SIZE = 64, BARRED_MS = 60000, MS_US = 1000 };

/* One statement on one month's tables, as one link knows it. */
struct group_monthly {
    const struct month_statement *statement;
    char month[MONTH_SIZE], name[NAME_SIZE];
    bool is_prepared; /* or is about to be: its answer is awaited */
    SLIST_ENTRY(group_monthly) next;
};

static struct group_monthly *find(struct group_line *line, const struct month_statement *statement,
                                  const char *month)
{
    struct group_monthly *monthly;

    SLIST_FOREACH (monthly, &line->monthlies, next) {
        if (monthly->statement == statement && strcmp(monthly->month, month) == 0)
            return monthly;
    }
    return NULL;
}

/* What the server says to something that the batch's own work knows nothing of. */
static void expect(struct group_batch *batch, struct group_monthly *monthly)
{
    batch->asides[batch->aside_count++] = (struct group_aside){monthly, batch->sent++};
}

static void forget(struct group_batch *batch, struct group_monthly *monthly)
{
    if (monthly->is_prepared) {
        pg_link_forget(batch->line->link, monthly->name);
        expect(batch, NULL);
    }
    SLIST_REMOVE(&batch->line->monthlies, monthly, group_monthly, next);
    free(monthly);
}

/* What is of a month that is over, in the server too; there are one or two. */
static void forget_past(struct group_batch *batch, const struct month_statement *statement,
                        const char *month)
{
    struct group_monthly *monthly, *following;

    for (monthly = SLIST_FIRST(&batch->line->monthlies); monthly; monthly = following) {
        following = SLIST_NEXT(monthly, next);
        if (monthly->statement == statement && !month_is_near(monthly->month, month))
            forget(batch, monthly);
    }
}

static struct group_monthly *add(struct group_batch *batch, const struct month_statement *statement,
                                 const char *month)
{
    struct group_monthly *monthly = xcalloc(1, sizeof(*monthly));

    forget_past(batch, statement, month);
    monthly->statement = statement;
    memcpy(monthly->month, month, MONTH_SIZE);
    snprintf(monthly->name, sizeof(monthly->name), "%s%s", statement->all.name, month);
    SLIST_INSERT_HEAD(&batch->line->monthlies, monthly, next);
    return monthly;
}

/* Right before it is sent for the first time, or again where that was rolled back before. */
static void prepare(struct group_batch *batch, struct group_monthly *monthly)
{
    char *sql = month_sql(monthly->statement, monthly->month);

    pg_link_prepare(batch->line->link, monthly->name, sql);
    free(sql);
    monthly->is_prepared = true;
    expect(batch, monthly);
}

void group_send_month(struct group_batch *batch, const struct month_statement *statement,
                      const struct order_span *span, const struct pg_params *params)
{
    struct group_line *line = batch->line;
    struct group_monthly *monthly;
    char month[MONTH_SIZE];

    if (clock_monotonic_ms() < batch->group->month_barred_until_ms ||
        batch->aside_count > GROUP_ASIDES_MAX - 3 ||
        !month_of_span(span, clock_wall_us() / MS_US, month)) {
        group_send(batch, &statement->all, params);
        return;
    }
    monthly = find(line, statement, month);
    if (monthly == NULL)
        monthly = add(batch, statement, month);
    if (!monthly->is_prepared)
        prepare(batch, monthly);
    batch->is_monthly = true;
    group_send(batch, &(struct pg_statement){.name = monthly->name}, params);
}

bool group_month_answered(struct group_batch *batch, const PGresult *result)
{
    for (int i = 0; i < batch->aside_count; i++) {
        struct group_monthly *monthly = batch->asides[i].monthly;

        if (batch->asides[i].place != batch->answered)
            continue;
        batch->asides_answered++;
        if (monthly)
            monthly->is_prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
        return true;
    }
    return false;
}

/* Class 42: no such table, no right to it.  Some are found when it is prepared, others when it
 * runs. */
void group_month_blame(struct group_batch *batch)
{
    if (!batch->is_monthly || strncmp(batch->sqlstate, "42", 2) != 0)
        return;
    log_warn("month_refused", "%s; for a minute statements on all months are sent instead",
             batch->fault.text);
    batch->group->month_barred_until_ms = clock_monotonic_ms() + BARRED_MS;
    batch->is_month_refused = true;
}

void group_month_forget(struct group_line *line)
{
    struct group_monthly *monthly;

    while ((monthly = SLIST_FIRST(&line->monthlies)) != NULL) {
        SLIST_REMOVE_HEAD(&line->monthlies, next);
        free(monthly);
    }
}

struct order_span group_span(const struct group_batch *batch,
                             const struct order_id *(*id_of)(struct group_ticket *ticket))
{
    const struct order_id *first = id_of(TAILQ_FIRST(&batch->tickets));
    struct order_span span = {*first, *first};
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next)
        order_span_add(&span, id_of(ticket));
    return span;
}

void group_add_span(struct pg_params *params, const struct order_span *span)
{
    pg_add_uuid(params, span->least.bytes);
    pg_add_uuid(params, span->greatest.bytes);
}
