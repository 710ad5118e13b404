/* Replay runs: made, listed, shown, paused, resumed, canceled, paced.  The relay executes them
 * (queue/replay.h). */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/dead_query.h"
#include "api/admin/names.h"
#include "queue/replay_rule.h"
#include "schema/json_fields.h"
#include "schema/statements.h"

enum {
    RUNS_OPEN_MAX = 50,
    LIST_MAX = 100,
    IDS_MAX = 1000,
    RATE_MAX = 100000,
    RAMP_MAX = 20,
    STEP_MAX = 1000000
};
enum { RATE_DEFAULT = 100, STOP_DEFAULT = 20 };
enum { WAS_DONE, STATE_BEFORE, JSON };

static const int32_t ramp_default[] = {1, 5, 20, 100, 500, 2000};

struct run_wish {
    const char *filter;
    const json_t *ids, *ramp;
    int64_t rate, stop_at;
    bool all;
};

#define AT(field) offsetof(struct run_wish, field)

static const struct json_field run_fields[] = {
    {"filter", FIELD_TEXT, false, 0, DEAD_FILTER_TEXT_MAX, NULL, NULL, AT(filter)},
    {"ids", FIELD_LIST, false, 1, IDS_MAX, NULL, NULL, AT(ids)},
    {"ramp", FIELD_LIST, false, 1, RAMP_MAX, NULL, NULL, AT(ramp)},
    {"rate", FIELD_INTEGER, false, 0, RATE_MAX, NULL, NULL, AT(rate)},
    {"stop_at", FIELD_INTEGER, false, 0, 100, NULL, NULL, AT(stop_at)},
    {"all", FIELD_FLAG, false, 0, 0, NULL, NULL, AT(all)},
    {.name = NULL},
};

static int64_t number_in(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool refuse(struct admin_errand *errand, const char *detail)
{
    problem_reply(errand->request, &(struct problem){.code = "invalid_query", .detail = detail});
    return false;
}

static bool are_numbers(const json_t *list, int64_t most)
{
    size_t index;
    const json_t *value;

    json_array_foreach(list, index, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 1 ||
            json_integer_value(value) > most)
            return false;
    }
    return true;
}

static void read_wish(const struct admin_errand *errand, struct run_wish *wish,
                      struct problem_items *problems)
{
    json_fields_read(errand->body, "", run_fields, wish, problems);
    if (problems->count == 0 && (wish->filter == NULL) == (wish->ids == NULL))
        problem_note(problems, "", "invalid_value", "a run has either a filter or ids");
    if (!are_numbers(wish->ids, INT64_MAX))
        problem_note(problems, "/ids", "out_of_range", "are numbers from 1 on");
    if (!are_numbers(wish->ramp, STEP_MAX))
        problem_note(problems, "/ramp", "out_of_range", "are numbers from 1 to %d", STEP_MAX);
}

/* What the run is to be of: $3 to $5. */
static bool add_members(struct admin_errand *errand, const struct run_wish *wish)
{
    struct pg_params *params = &errand->ticket.params;
    struct dead_filter filter;
    size_t index;
    const json_t *value;

    if (wish->filter) {
        if (!dead_query_read(errand->request, wish->filter, &filter))
            return false;
        if (filter.is_empty && !wish->all)
            return refuse(errand, "an empty filter is every dead letter; say `all` if it is meant");
        pg_add_text(params, wish->filter);
        dead_filter_bind(&filter, params);
        pg_add_text(params, NULL);
        return true;
    }
    pg_add_text(params, NULL);
    pg_add_text(params, NULL);
    pg_array_begin(params, PG_INT8);
    json_array_foreach(wish->ids, index, value) pg_array_i64(params, json_integer_value(value));
    pg_array_end(params);
    return true;
}

static void add_ramp(struct pg_params *params, const json_t *ramp)
{
    size_t index;
    const json_t *value;

    pg_array_begin(params, PG_INT4);
    for (size_t i = 0; ramp == NULL && i < ARRAY_SIZE(ramp_default); i++)
        pg_array_i32(params, ramp_default[i]);
    json_array_foreach(ramp, index, value) pg_array_i32(params, (int32_t)json_integer_value(value));
    pg_array_end(params);
}

static void on_made(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "overloaded",
                                        .detail = "too many runs are open; cancel one, or wait"});
    else
        admin_reply_json(errand->request, 200, pg_text(rows, 0, 0));
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    struct run_wish wish = {.rate = RATE_DEFAULT, .stop_at = STOP_DEFAULT};

    read_wish(errand, &wish, problems);
    if (problems->count > 0)
        return true;
    if (!add_members(errand, &wish))
        return false;
    pg_add_i32(&errand->ticket.params, (int32_t)wish.rate);
    add_ramp(&errand->ticket.params, wish.ramp);
    pg_add_i32(&errand->ticket.params, (int32_t)wish.stop_at);
    pg_add_i32(&errand->ticket.params, RUNS_OPEN_MAX);
    return true;
}

void admin_runs_post(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_replay_create, REASON_REQUIRED, fill, on_made});
}

void admin_runs_list(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_replay_list, admin_on_json);

    if (errand == NULL)
        return;
    pg_add_text(&errand->ticket.params, NULL);
    pg_add_i32(&errand->ticket.params, LIST_MAX);
    admin_errand_send(errand, api_of(request)->operators);
}

/* When it ends at the earliest: none of the rest fails, and outcomes come as they came so far. */
static int64_t ends_in_ms(const json_t *run)
{
    const json_t *ramp = json_object_get(run, "ramp");
    struct replay_sight sight = {
        .rate = (int32_t)number_in(run, "rate"),
        .stop_share = (int32_t)number_in(run, "stop_at"),
        .members = number_in(run, "members"),
        .released = number_in(run, "released"),
        .skipped = number_in(run, "skipped"),
        .ramp_at = (int32_t)number_in(run, "ramp_at"),
    };

    for (size_t i = 0; i < json_array_size(ramp) && i < REPLAY_RAMP_MAX; i++)
        sight.ramp[sight.ramp_count++] = (int32_t)json_integer_value(json_array_get(ramp, i));
    return replay_rule_least_ms(&sight, number_in(run, "outcome_ms"));
}

static void on_shown(struct admin_errand *errand, const PGresult *rows)
{
    CLEANUP(json_release) json_t *answer = json_loads(pg_text(rows, 0, 0), 0, NULL);
    json_t *run = json_array_get(json_object_get(answer, "runs"), 0);
    const char *state = json_string_value(json_object_get(run, "state"));

    if (run == NULL) {
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such run"});
        return;
    }
    if (state && (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0))
        json_object_set_new(run, "ends_in_ms", json_integer(ends_in_ms(run)));
    else
        json_object_set_new(run, "ends_in_ms", json_null());
    admin_reply_value(errand->request, json_incref(run));
}

void admin_run_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_replay_list, on_shown);
    int64_t id;

    if (errand == NULL)
        return;
    if (!admin_param_number(request, &id)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i64(&errand->ticket.params, id);
    pg_add_i32(&errand->ticket.params, 1);
    admin_errand_send(errand, api_of(request)->operators);
}

static void on_acted(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such run"});
    else if (pg_bool(rows, 0, WAS_DONE))
        admin_reply_json(errand->request, 200, pg_text(rows, 0, JSON));
    else
        problem_reply(errand->request,
                      &(struct problem){.code = "not_replayable",
                                        .detail = arena_print(&errand->arena,
                                                              "the run is %s; nothing was changed",
                                                              pg_text(rows, 0, STATE_BEFORE))});
}

static const struct json_field rate_fields[] = {
    {"rate", FIELD_INTEGER, true, 0, RATE_MAX, NULL, NULL, AT(rate)},
    {.name = NULL},
};
static const struct json_field no_fields[] = {{.name = NULL}};

static bool fill_act(struct admin_errand *errand, struct problem_items *problems, const char *act,
                     const struct json_field *fields)
{
    struct run_wish wish = {.rate = 0};

    if (!admin_fill_id(errand, problems))
        return false;
    json_fields_read(errand->body, "", fields, &wish, problems);
    pg_add_text(&errand->ticket.params, act);
    pg_add_i32(&errand->ticket.params, (int32_t)wish.rate);
    return true;
}

static bool fill_pause(struct admin_errand *errand, struct problem_items *problems)
{
    return fill_act(errand, problems, "pause", no_fields);
}

static bool fill_resume(struct admin_errand *errand, struct problem_items *problems)
{
    return fill_act(errand, problems, "resume", no_fields);
}

static bool fill_cancel(struct admin_errand *errand, struct problem_items *problems)
{
    return fill_act(errand, problems, "cancel", no_fields);
}

static bool fill_rate(struct admin_errand *errand, struct problem_items *problems)
{
    return fill_act(errand, problems, "rate", rate_fields);
}

static void act(struct http_request *request,
                bool (*fills)(struct admin_errand *errand, struct problem_items *problems))
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_replay_act, REASON_REQUIRED, fills, on_acted});
}

void admin_run_pause(struct http_request *request)
{
    act(request, fill_pause);
}

void admin_run_resume(struct http_request *request)
{
    act(request, fill_resume);
}

void admin_run_cancel(struct http_request *request)
{
    act(request, fill_cancel);
}

void admin_run_rate(struct http_request *request)
{
    act(request, fill_rate);
}
