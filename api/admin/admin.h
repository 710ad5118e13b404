/* api/admin/admin.h - what operators ask and do: one statement, and what it answers as JSON */
#pragma once

#include "api/api.h"

/* An operator's request on its way through an ask; keeps its own memory until both are done. */
struct admin_errand {
    struct http_request *request;
    struct arena arena;
    struct ask_ticket ticket; /* params: fill after admin_errand_create */
    const char *actor;        /* who asks, as the audit says it */
    json_t *body;             /* of an act: the request's, without the reason */
    /* The rows came.  Must answer. */
    void (*on_rows)(struct admin_errand *errand, const PGresult *rows);
    void *more;
};

/* NULL: the request was answered (no key with scope operator). */
struct admin_errand *admin_errand_create(struct http_request *request,
                                         const struct pg_statement *statement,
                                         void (*on_rows)(struct admin_errand *errand,
                                                         const PGresult *rows));
void admin_errand_send(struct admin_errand *errand, struct ask *ask);
void admin_errand_free(struct admin_errand *errand); /* of one that was not sent */

/* What changes something is an act, and its statement calls audit_append($1, act, target, $2, …)
 * where it changes it.  The request's body is read (errand->body: the object without its "reason"),
 * who ($1) and why ($2) are added, `fill` adds the rest, and it is sent.  What fill notes as a
 * problem is answered; it returns false if it has answered itself. */
enum admin_reason { REASON_REQUIRED, REASON_OPTIONAL };
struct admin_act {
    const struct pg_statement *statement;
    enum admin_reason reason;
    bool (*fill)(struct admin_errand *errand, struct problem_items *problems);
    void (*on_rows)(struct admin_errand *errand, const PGresult *rows);
};
void admin_act_begin(struct http_request *request, const struct admin_act *act);
/* A fill of what is about the row {id}, and nothing else. */
bool admin_fill_id(struct admin_errand *errand, struct problem_items *problems)
    __attribute__((warn_unused_result));

/* The request's body as a JSON object in *body.  False: answered. */
bool admin_read_body(struct http_request *request, json_t **body)
    __attribute__((warn_unused_result));
/* The answer is the JSON of the first column. */
void admin_on_json(struct admin_errand *errand, const PGresult *rows);
void admin_reply_json(struct http_request *request, int status, const char *json);
void admin_refuse(struct http_request *request, const struct problem_items *items);
/* {id} as an order, by its public id or its UUID.  False: answered. */
bool admin_param_order(struct http_request *request, struct order_id *id)
    __attribute__((warn_unused_result));
/* {id} as a number.  False: answered. */
bool admin_param_number(struct http_request *request, int64_t *number)
    __attribute__((warn_unused_result));

/* ?name= as a number, if it is there.  False: answered. */
bool admin_query_number(struct admin_errand *errand, const char *name, int64_t least, int64_t most,
                        int64_t *number) __attribute__((warn_unused_result));

/* The operators' listener (routes.c). */
extern const struct http_route admin_routes[];
void admin_open(struct api *api);
void admin_close(struct api *api);

/* Its handlers, one file a resource. */
void admin_status_get(struct http_request *request);   /* status.c */
void admin_accounts_get(struct http_request *request); /* accounts.c */
void admin_quota_put(struct http_request *request);
void admin_audit_list(struct http_request *request); /* audit.c */
void admin_audit_chain(struct http_request *request);
void admin_keys_get(struct http_request *request); /* keys.c */
void admin_keys_post(struct http_request *request);
void admin_key_revoke(struct http_request *request);
void admin_catalogue_put(struct http_request *request); /* catalogue.c */
void admin_pause(struct http_request *request);         /* pause.c */
void admin_resume(struct http_request *request);
void admin_catalogue_get(struct http_request *request); /* stock.c */
void admin_stock_post(struct http_request *request);
void admin_order_get(struct http_request *request);    /* orders.c */
void admin_orders_find(struct http_request *request);  /* orders_find.c */
void admin_order_cancel(struct http_request *request); /* undo.c */
void admin_order_release(struct http_request *request);
void admin_order_refund(struct http_request *request);
void admin_payment_resolve(struct http_request *request); /* resolve.c */
void admin_orphan_close(struct http_request *request);    /* orphans.c */
void admin_dead_list(struct http_request *request);       /* dead.c */
void admin_dead_get(struct http_request *request);
void admin_dead_count(struct http_request *request);
void admin_dead_plan(struct http_request *request);
void admin_dead_discard(struct http_request *request);
void admin_dead_replay(struct http_request *request);
void admin_incidents_list(struct http_request *request); /* incidents.c */
void admin_incident_get(struct http_request *request);
void admin_runs_list(struct http_request *request); /* runs.c */
void admin_run_get(struct http_request *request);
void admin_runs_post(struct http_request *request);
void admin_run_pause(struct http_request *request);
void admin_run_resume(struct http_request *request);
void admin_run_cancel(struct http_request *request);
void admin_run_rate(struct http_request *request);
