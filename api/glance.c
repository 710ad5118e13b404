#include "api/glance.h"

#include <stdlib.h>
#include <string.h>

#include "api/body_cache.h"
#include "api/fields.h"
#include "api/order_view.h"
#include "schema/statements.h"

enum { LINKS = 2, TICKETS_MAX = 400 };

/* The columns of order_face.sql. */
enum { ID, ACCOUNT, VERSION, STATUS, FINAL, TOKEN_KEY, ACCEPTED_AT };

struct glances {
    struct group_work work;
    struct pg_params params;
    struct group *group;
    struct reader *reader;
    struct body_cache *bodies;
};

static void on_face_settled(struct group_ticket *ticket);
static void on_face_released(struct group_ticket *ticket);
static void on_read(struct reading *reading);
static void on_read_released(struct reading *reading);

static struct metric from_memory = {
    .type = METRIC_COUNTER,
    .name = "docket_reads_total",
    .help = "Reads of one order, by where its body came from.",
    .labels = "body=\"memory\"",
};
static struct metric from_postgres = {
    .type = METRIC_COUNTER,
    .name = "docket_reads_total",
    .help = "Reads of one order, by where its body came from.",
    .labels = "body=\"postgres\"",
};
static struct metric unneeded = {
    .type = METRIC_COUNTER,
    .name = "docket_reads_total",
    .help = "Reads of one order, by where its body came from.",
    .labels = "body=\"unneeded\"",
};
static struct group_metrics metrics = GROUP_METRICS("face");

void glances_register_metrics(void)
{
    metric_register(&from_memory);
    metric_register(&from_postgres);
    metric_register(&unneeded);
    group_metrics_register(&metrics);
}

static struct glance *glance_of(struct group_ticket *ticket)
{
    return container_of(container_of(ticket, struct reading, group_ticket), struct glance, reading);
}

bool glances_submit(struct glances *glances, struct glance *glance)
{
    struct reading *reading = &glance->reading;

    glance->glances = glances;
    glance->goes_on = false;
    reading->is_read = reading->is_found = false;
    text_init(&reading->body, VIEW_BYTES_MAX);
    reading->group_ticket = (struct group_ticket){
        .on_settled = on_face_settled,
        .on_released = on_face_released,
        .deadline_ms = reading->deadline_ms,
    };
    return group_submit(glances->group, &reading->group_ticket);
}

static bool send_faces(struct group_batch *batch)
{
    struct glances *glances = group_owner(batch);

    reader_send(batch, &sql_order_face, &glances->params);
    return true;
}

static void read_face(struct reading *reading, const PGresult *result, int row)
{
    reading->is_found = true;
    reading->account_id = pg_i64(result, row, ACCOUNT);
    reading->version = pg_i32(result, row, VERSION);
    reading->status = pg_i16(result, row, STATUS);
    reading->is_final = pg_bool(result, row, FINAL);
    reading->token_key = pg_i16(result, row, TOKEN_KEY);
    reading->accepted_us = pg_time_us(result, row, ACCEPTED_AT);
}

static int compare(const void *left, const void *right)
{
    const struct reading *const *one = left, *const *other = right;

    return memcmp((*one)->id.bytes, (*other)->id.bytes, ORDER_ID_BYTES);
}

/* The readings of a batch, by their ids. */
static int gather(struct group_batch *batch, struct reading **readings)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        readings[count] = &glance_of(ticket)->reading;
        readings[count++]->is_found = false;
    }
    qsort(readings, (size_t)count, sizeof(struct reading *), compare);
    return count;
}

/* The first of the readings whose id is not less. */
static int find(struct reading *const *readings, int count, const uint8_t *id)
{
    int from = 0;

    while (from < count) {
        int middle = (from + count) / 2;

        if (memcmp(readings[middle]->id.bytes, id, ORDER_ID_BYTES) < 0)
            from = middle + 1;
        else
            count = middle;
    }
    return from;
}

/* A row is of all that read that order. */
static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct reading *readings[TICKETS_MAX];
    int count = gather(batch, readings);

    (void)nth;
    for (int row = 0; row < PQntuples(result); row++) {
        size_t length;
        const uint8_t *id = pg_bytes(result, row, ID, &length);

        for (int i = find(readings, count, id);
             i < count && memcmp(readings[i]->id.bytes, id, ORDER_ID_BYTES) == 0; i++)
            read_face(readings[i], result, row);
    }
}

/* Is what is known of it all that its answer needs? */
static bool is_enough(struct glance *glance)
{
    struct reading *reading = &glance->reading;

    if (!reading->is_found || (glance->etag && field_etag_is(glance->etag, reading->version))) {
        metric_add(&unneeded, 1);
        return true;
    }
    if (body_cache_find(glance->glances->bodies, &reading->id, reading->version, &reading->body)) {
        metric_add(&from_memory, 1);
        return true;
    }
    metric_add(&from_postgres, 1);
    return false;
}

static void on_face_settled(struct group_ticket *ticket)
{
    struct glance *glance = glance_of(ticket);

    glance->reading.is_read = ticket->outcome == GROUP_COMMITTED;
    glance->goes_on = glance->reading.is_read && !is_enough(glance);
    if (!glance->goes_on)
        glance->on_settled(glance);
}

static void release(struct glance *glance)
{
    text_finish(&glance->reading.body);
    glance->on_released(glance);
}

static void on_face_released(struct group_ticket *ticket)
{
    struct glance *glance = glance_of(ticket);

    if (!glance->goes_on) {
        release(glance);
        return;
    }
    glance->reading.wants_passed = false;
    glance->reading.on_settled = on_read;
    glance->reading.on_released = on_read_released;
    if (reader_submit(glance->glances->reader, &glance->reading))
        return;
    glance->reading.is_read = false;
    glance->on_settled(glance);
    release(glance);
}

static void on_read(struct reading *reading)
{
    struct glance *glance = container_of(reading, struct glance, reading);

    if (reading->is_read && reading->is_found)
        body_cache_put(glance->glances->bodies, &reading->id, reading->version, &reading->body);
    glance->on_settled(glance);
}

static void on_read_released(struct reading *reading)
{
    struct glance *glance = container_of(reading, struct glance, reading);

    glance->on_released(glance);
}

int glances_waiting(const struct glances *glances)
{
    return group_waiting(glances->group);
}

struct glances *glances_create(uv_loop_t *loop, struct database *database, struct reader *reader,
                               int waiting_max)
{
    static const struct pg_statement *const statements[] = {&sql_order_face.all, NULL};
    struct glances *glances = xcalloc(1, sizeof(*glances));
    const struct group_options options = {
        .server = &database->server,
        .links = LINKS,
        .owner = glances,
    };

    glances->reader = reader;
    glances->bodies = body_cache_create();
    glances->work = (struct group_work){
        .name = "face",
        .statements = statements,
        .tickets_max = TICKETS_MAX,
        .waiting_max = waiting_max,
        .is_followed = true,
        .send = send_faces,
        .on_rows = on_rows,
        .metrics = &metrics,
    };
    pg_params_init(&glances->params);
    glances->group = group_create(loop, &glances->work, &options);
    return glances;
}

void glances_destroy(struct glances *glances)
{
    if (glances == NULL)
        return;
    group_destroy(glances->group);
    pg_params_finish(&glances->params);
    body_cache_destroy(glances->bodies);
    free(glances);
}
