/* api/admin.h - what operators ask and do: one statement, and what it answers as JSON */
#pragma once

#include "api/api.h"

/* An operator's request on its way through an ask; keeps its own memory until both are done. */
struct errand {
    struct http_request *request;
    struct arena arena;
    struct ask_ticket ticket; /* params: fill after errand_create */
    int64_t key_id;           /* who acts */
    /* The rows came.  Must answer. */
    void (*on_rows)(struct errand *errand, const PGresult *rows);
    void *more;
};

/* NULL: the request was answered (no key with scope operator). */
struct errand *errand_create(struct http_request *request, const struct pg_statement *statement,
                             void (*on_rows)(struct errand *errand, const PGresult *rows));
void errand_send(struct errand *errand, struct ask *ask);
void errand_free(struct errand *errand); /* of one that was not sent */

/* The request's body as a JSON object in *body.  False: answered. */
bool admin_read_body(struct http_request *request, json_t **body)
    __attribute__((warn_unused_result));
void admin_reply_json(struct http_request *request, int status, const char *json);
void admin_refuse(struct http_request *request, const struct problem_items *items);
/* {id} as a number.  False: answered. */
bool admin_param_number(struct http_request *request, int64_t *number)
    __attribute__((warn_unused_result));
