/* Incidents: dead letters with one fingerprint, counted without counting (migration 0006). */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/dead_advice.h"
#include "api/admin/dead_query.h"
#include "api/admin/names.h"
#include "schema/statements.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 500, SAMPLES = 5 };

static void on_list(struct admin_errand *errand, const PGresult *rows)
{
    json_t *answer = json_loads(pg_text(rows, 0, 0), 0, NULL), *incident;
    size_t index;

    json_array_foreach(json_object_get(answer, "incidents"), index, incident)
        dead_advice_add(incident);
    admin_reply_value(errand->request, answer);
}

/* Counters exist by what a fingerprint is made of. */
static bool is_counted(struct http_request *request, const struct dead_filter *filter)
{
    static const char *const counted[] = {"states", "stages", "kinds", "codes", "incidents"};
    CLEANUP(json_release) json_t *json = json_loads(filter->json, 0, NULL);

    for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
        json_object_del(json, counted[i]);
    if (json_object_size(json) == 0)
        return true;
    problem_reply(request, &(struct problem){.code = "invalid_query",
                                             .detail = "incidents are found by stage, fault, code, "
                                                       "incident and state; by the rest, letters "
                                                       "are (GET /admin/dead, --rows)"});
    return false;
}

static bool add_sort(struct admin_errand *errand)
{
    const char *sort = http_query(errand->request, "sort");

    if (sort && strcmp(sort, "at_risk") != 0 && strcmp(sort, "last") != 0) {
        problem_reply(errand->request, &(struct problem){.code = "invalid_query",
                                                         .detail = "sort is at_risk or last"});
        return false;
    }
    pg_add_text(&errand->ticket.params, sort ? sort : "at_risk");
    return true;
}

void admin_incidents_list(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_incident_list, on_list);
    struct dead_filter filter;
    int64_t limit = LIST_DEFAULT;

    if (errand == NULL)
        return;
    if (!dead_query_read(request, http_query(request, "filter"), &filter) ||
        !is_counted(request, &filter)) {
        admin_errand_free(errand);
        return;
    }
    dead_filter_bind(&filter, &errand->ticket.params);
    if (!add_sort(errand) || !admin_query_number(errand, "limit", 1, LIST_MAX, &limit)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i32(&errand->ticket.params, (int32_t)limit);
    admin_errand_send(errand, api_of(request)->operators);
}

static void on_incident(struct admin_errand *errand, const PGresult *rows)
{
    json_t *incident;

    if (PQntuples(rows) == 0) {
        problem_reply(errand->request, &(struct problem){.code = "not_found",
                                                         .detail = "there is no such incident"});
        return;
    }
    incident = json_loads(pg_text(rows, 0, 0), 0, NULL);
    dead_advice_add(incident);
    admin_reply_value(errand->request, incident);
}

void admin_incident_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_incident_show, on_incident);
    struct dead_filter filter;
    const char *text;

    if (errand == NULL)
        return;
    text = arena_print(&errand->arena, "incident:%.40s state:all", http_param(request, "id"));
    if (!dead_query_read(request, text, &filter)) {
        admin_errand_free(errand);
        return;
    }
    dead_filter_bind(&filter, &errand->ticket.params);
    pg_add_i32(&errand->ticket.params, SAMPLES);
    admin_errand_send(errand, api_of(request)->operators);
}
