/* GET /v1/orders: an account's orders, for its servers, newest first
 *
 *     admit ─► read the query ─► ask for ids ┄┄► look at each order, as GET /v1/orders/{id} does
 *                                                  └┄ all looked at ┄► 200, and where it goes on
 *
 * What a page costs is bounded (order_list.sql): one that found little may be short, and goes on.
 */
#include "api/list.h"

#include <stdlib.h>
#include <string.h>

#include "api/cursor.h"
#include "api/list_query.h"
#include "base/clock.h"
#include "schema/statements.h"

enum {
    LOOKS_MAX = 2000,             /* orders looked at for one page */
    LISTS_WAITING_MAX = 64,       /* pages that are being made; more are told to come later */
    LIST_BYTES_MAX = 1024 * 1024, /* of a page; what does not fit is on the next one */
    LIST_TAIL_BYTES = 64 * 1024   /* of which the rest of the answer may take */
};

/* The columns of order_list.sql. */
enum { ID, FITS, IS_LAST_LOOK };

struct look {
    struct reading reading;
    struct listing *listing;
    bool is_told, fits;
    char *body; /* NULL: there is none to show */
    size_t length;
};

/* Lives until it was answered, and until the readers and the ask have let go of it. */
struct listing {
    struct http_request *request;
    struct principal principal;
    struct list_query query;
    struct ask_ticket ticket;
    struct look looks[LIST_LIMIT_MAX];
    int count, settled, held; /* of looks; held: by readers and the ask */
    bool is_broken;           /* one could not be read */
    bool goes_on;
    struct order_id last;
};

static void on_ids(struct ask_ticket *ticket);
static void on_ids_released(struct ask_ticket *ticket);
static void on_looked(struct reading *reading);
static void on_look_released(struct reading *reading);
static void answer(struct listing *listing);

static void let_go(struct listing *listing)
{
    if (--listing->held > 0)
        return;
    for (int i = 0; i < listing->count; i++)
        free(listing->looks[i].body);
    free(listing);
}

static bool parameter(const void *owner, int index, const char **name, const char **value)
{
    const struct http_request *request = owner;

    *name = http_query_name(request, index);
    *value = *name ? http_query_value(request, index) : NULL;
    return *name != NULL;
}

static void refuse(struct http_request *request, const char *detail)
{
    problem_reply(request, &(struct problem){.code = "invalid_query", .detail = detail});
}

/* False: the request was answered. */
static bool read_query(struct http_request *request, const struct principal *principal,
                       struct list_query *query)
{
    const struct list_source source = {parameter, request};
    const char *wrong = list_query_read(query, &source, http_arena(request));

    if (wrong == NULL &&
        !list_query_go_on(query, &api_of(request)->token_keys, principal->account_id))
        wrong = "the cursor is not of this account and these filters: begin without one";
    if (wrong)
        refuse(request, wrong);
    return wrong == NULL;
}

/* One row more than fits tells that there is more. */
static void fill(struct listing *listing)
{
    struct pg_params *params = &listing->ticket.params;
    const struct list_query *query = &listing->query;

    pg_params_init(params);
    pg_add_i64(params, listing->principal.account_id);
    pg_add_uuid(params, query->below.bytes);
    pg_add_uuid(params, query->from.bytes);
    list_query_add_statuses(query, params);
    if (query->has_final)
        pg_add_bool(params, query->is_final);
    else
        pg_add_text(params, NULL);
    pg_add_text(params, query->sku);
    if (query->cart_id) {
        pg_add_text(params, query->cart_id);
    } else {
        pg_add_i64(params, query->limit + 1);
        pg_add_i64(params, LOOKS_MAX);
    }
}

static uint64_t deadline_ms(const struct listing *listing)
{
    const struct settings *settings = &api_of(listing->request)->service.settings;

    return clock_monotonic_ms() + (uint64_t)settings->accept_deadline_ms;
}

void list_begin(struct http_request *request, const struct principal *principal)
{
    struct listing *listing;
    struct list_query query;

    if (!read_query(request, principal, &query))
        return;
    listing = xcalloc(1, sizeof(*listing));
    listing->request = request;
    listing->principal = *principal;
    listing->query = query;
    listing->held = 1;
    listing->ticket.statement = query.cart_id ? &sql_order_list_cart : &sql_order_list;
    listing->ticket.on_settled = on_ids;
    listing->ticket.on_released = on_ids_released;
    listing->ticket.deadline_ms = deadline_ms(listing);
    fill(listing);
    if (ask_submit(api_of(request)->lists, &listing->ticket))
        return;
    problem_reply(request, &(struct problem){.code = "overloaded"});
    pg_params_finish(&listing->ticket.params);
    let_go(listing);
}

static void copy_id(const PGresult *rows, int row, struct order_id *id)
{
    size_t length;
    const uint8_t *bytes = pg_bytes(rows, row, ID, &length);

    if (length == ORDER_ID_BYTES)
        memcpy(id->bytes, bytes, length);
}

/* The page is the rows that fit; it goes on if a row follows, or where the look had to end. */
static void take_ids(struct listing *listing, const PGresult *rows)
{
    int count = PQntuples(rows), row = 0;

    for (; row < count && listing->count < listing->query.limit; row++) {
        copy_id(rows, row, &listing->last);
        listing->goes_on = pg_bool(rows, row, IS_LAST_LOOK);
        if (pg_bool(rows, row, FITS))
            listing->looks[listing->count++].reading.id = listing->last;
    }
    listing->goes_on |= row < count;
}

static void begin_looks(struct listing *listing)
{
    struct reader *reader = api_of(listing->request)->reader;

    for (int i = 0; i < listing->count; i++) {
        struct look *look = &listing->looks[i];

        look->listing = listing;
        look->reading.on_settled = on_looked;
        look->reading.on_released = on_look_released;
        look->reading.deadline_ms = deadline_ms(listing);
        if (reader_submit(reader, &look->reading)) {
            listing->held++;
        } else {
            listing->is_broken = true;
            listing->settled++;
        }
    }
    if (listing->settled == listing->count)
        answer(listing);
}

static void on_ids(struct ask_ticket *ticket)
{
    struct listing *listing = container_of(ticket, struct listing, ticket);

    if (ticket->group_ticket.outcome == GROUP_COMMITTED) {
        take_ids(listing, ticket->rows);
        begin_looks(listing);
    } else {
        problem_reply(listing->request, &(struct problem){.code = "temporarily_unavailable"});
    }
}

static void on_ids_released(struct ask_ticket *ticket)
{
    let_go(container_of(ticket, struct listing, ticket));
}

static void on_looked(struct reading *reading)
{
    struct look *look = container_of(reading, struct look, reading);
    struct listing *listing = look->listing;

    listing->is_broken |= !reading->is_read;
    if (reading->is_read && reading->is_found &&
        list_query_fits(&listing->query, reading->status, reading->is_final)) {
        look->length = reading->body.length;
        look->body = xrealloc(NULL, look->length);
        memcpy(look->body, reading->body.bytes, look->length);
    }
    if (++listing->settled == listing->count)
        answer(listing);
}

static void on_look_released(struct reading *reading)
{
    let_go(container_of(reading, struct look, reading)->listing);
}

/* As many as fit into an answer. */
static void add_orders(struct listing *listing, struct text *body)
{
    bool is_first = true;

    for (int i = 0; i < listing->count; i++) {
        const struct look *look = &listing->looks[i];

        if (look->body == NULL)
            continue;
        if (!is_first && body->length + look->length > LIST_BYTES_MAX - LIST_TAIL_BYTES) {
            listing->goes_on = true;
            listing->last = listing->looks[i - 1].reading.id;
            return;
        }
        text_add(body, is_first ? "" : ",");
        text_add_bytes(body, look->body, look->length);
        is_first = false;
    }
}

static void add_next(const struct listing *listing, struct text *body)
{
    const struct list_query *query = &listing->query;
    char cursor[CURSOR_SIZE];

    if (!listing->goes_on) {
        text_add(body, ",\"next_cursor\":null,\"links\":{}");
        return;
    }
    cursor_make(&api_of(listing->request)->token_keys, listing->principal.account_id,
                query->filters, &listing->last, cursor);
    text_print(body, ",\"next_cursor\":\"%s\",\"links\":{\"next\":\"/v1/orders?%s%s", cursor,
               query->filters, *query->filters ? "&" : "");
    text_print(body, "limit=%d&cursor=%s\"}", (int)query->limit, cursor);
}

static void answer(struct listing *listing)
{
    CLEANUP(text_finish) struct text body;

    text_init(&body, LIST_BYTES_MAX);
    if (listing->is_broken) {
        problem_reply(listing->request, &(struct problem){.code = "temporarily_unavailable"});
        return;
    }
    text_add(&body, "{\"orders\":[");
    add_orders(listing, &body);
    text_add(&body, "]");
    add_next(listing, &body);
    text_add(&body, "}");
    http_reply_header(listing->request, "Cache-Control", "private, no-store");
    http_reply(listing->request, 200, "application/json", body.bytes, body.length);
}

void list_open(struct api *api)
{
    static const struct pg_statement *const statements[] = {&sql_order_list, &sql_order_list_cart,
                                                            NULL};
    const struct ask_options options = {
        .name = "list",
        .database = &api->service.database,
        .statements = statements,
        .waiting_max = LISTS_WAITING_MAX,
    };

    api->lists = ask_create(&api->service.loop, &options);
}

void list_close(struct api *api)
{
    ask_destroy(api->lists);
}
