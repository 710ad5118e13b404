/* Pausing a stage's queue, or the provider or carrier that it calls; and letting it go on. */
#include "api/admin/admin.h"
#include "schema/outsides.h"
#include "schema/statements.h"

static bool find(const char *name, enum stage *stage, bool *is_queue)
{
    const struct outside *outside = outside_named(name);

    *is_queue = outside == NULL;
    if (outside == NULL)
        return stage_parse(name, stage);
    *stage = outside->stage;
    return true;
}

static void refuse_name(struct http_request *request, struct arena *arena)
{
    const char *names = "";

    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++) {
        const struct outside *outside = outside_of((enum stage)stage);

        if (outside && outside->stage != (enum stage)stage)
            outside = NULL; /* named once, with the stage that leads */
        names = arena_print(arena, "%s%s%s%s%s", names, *names ? ", " : "",
                            stage_name((enum stage)stage), outside ? ", " : "",
                            outside ? outside->name : "");
    }
    problem_reply(request, &(struct problem){.code = "not_found",
                                             .detail = arena_print(arena, "there is: %s", names)});
}

static bool fill(struct admin_errand *errand, bool is_paused)
{
    const char *name = http_param(errand->request, "id");
    enum stage stage;
    bool is_queue;

    if (!find(name, &stage, &is_queue)) {
        refuse_name(errand->request, &errand->arena);
        return false;
    }
    pg_add_text(&errand->ticket.params, name);
    pg_add_i16(&errand->ticket.params, (int16_t)stage);
    pg_add_bool(&errand->ticket.params, is_queue);
    pg_add_bool(&errand->ticket.params, is_paused);
    return true;
}

static bool fill_pause(struct admin_errand *errand, struct problem_items *problems)
{
    (void)problems;
    return fill(errand, true);
}

static bool fill_resume(struct admin_errand *errand, struct problem_items *problems)
{
    (void)problems;
    return fill(errand, false);
}

void admin_pause(struct http_request *request)
{
    admin_act_begin(request, &(struct admin_act){&sql_breaker_hold, REASON_REQUIRED, fill_pause,
                                                 admin_on_json});
}

void admin_resume(struct http_request *request)
{
    admin_act_begin(request, &(struct admin_act){&sql_breaker_hold, REASON_REQUIRED, fill_resume,
                                                 admin_on_json});
}
