/* api/api.h - what the handlers of one API process share */
#pragma once

#include "api/catalogue.h"
#include "api/events.h"
#include "api/glance.h"
#include "api/keys.h"
#include "api/pace.h"
#include "api/problem.h"
#include "api/pulse.h"
#include "api/quota.h"
#include "api/reader.h"
#include "api/shed.h"
#include "api/waiters.h"
#include "api/webhook_signature.h"
#include "base/http/server.h"
#include "queue/ask.h"
#include "queue/hint.h"
#include "queue/inbox.h"
#include "queue/intake.h"
#include "queue/service.h"
#include "schema/client_token.h"

struct api {
    struct service service; /* loop, settings, database, signals */
    struct token_keys token_keys;
    struct webhook_secrets webhook_secrets; /* none: there is no POST /v1/webhooks/stripe */
    struct intake *intake;
    struct shed *shed;
    struct group *inbox; /* the provider's events */
    struct reader *reader;
    struct glances *glances;
    struct ask *operators, *acts; /* operators' reads; what they do, one after the other */
    struct ask *lists;            /* pages of orders */
    struct ask *attempts;         /* to pay again */
    struct ask *cancels;          /* what customers and shops take back */
    struct pulse *pulse;
    struct keys *keys;
    struct quotas *quotas;
    struct catalogue *catalogue;
    struct waiters *waiters;
    struct events *events;
    struct hint *hint;    /* to the relay: there is work */
    struct http_tls *tls; /* NULL: none is configured */
    struct http_server *public_server, *operator_server;
};

static inline struct api *api_of(const struct http_request *request)
{
    return (struct api *)http_owner(request);
}

/* Who asks, if he may: a key with one of the scopes.  False: the request was answered, or its
 * handler will be called again once the keys are fresh. */
bool api_admit(struct http_request *request, unsigned scopes, struct principal *principal)
    __attribute__((warn_unused_result));

bool api_has_key(const struct http_request *request); /* presents one, valid or not */
/* The same for a read, which costs a token of the account's quota. */
bool api_admit_read(struct http_request *request, unsigned scopes, struct principal *principal)
    __attribute__((warn_unused_result));
/* For a POST about a key, once it was admitted.  False: there were so many that it was answered
 * without a look-up. */
bool api_admit_post(struct http_request *request, const struct principal *principal)
    __attribute__((warn_unused_result));

/* Whether what is asked may concern the key of an order, so that a refusal says what is known of it
 * (DESIGN.md §1.3).  So may a request that could not be read. */
bool api_is_about_a_key(const struct http_request *request);

/* The routes, one file a resource. */
void orders_post(struct http_request *request); /* accept.c */
void orders_post_too_large(struct http_request *request, const char *detail);
void orders_abandon(struct http_request *request); /* abandon.c */
void orders_get(struct http_request *request);     /* read.c */
void orders_cancel(struct http_request *request);  /* cancel.c */
void cancel_open(struct api *api);
void cancel_close(struct api *api);
void payment_attempts_post(struct http_request *request); /* attempts.c */
void attempts_open(struct api *api);
void attempts_close(struct api *api);
void orders_find(struct http_request *request);         /* find.c */
void quotes_post(struct http_request *request);         /* quote.c */
void stripe_webhook_post(struct http_request *request); /* stripe_webhook.c */
void stripe_webhook_register_metrics(void);
void livez_get(struct http_request *request); /* health.c */
void readyz_get(struct http_request *request);
void metrics_get(struct http_request *request);
bool api_is_ready(const void *owner, struct text *reason); /* health.c */

/* Orders accepted, replayed; commit latency. */
void stats_register(void);                              /* stats.c */
const char *stats_outcome(enum intake_verdict verdict); /* "accepted", "replayed", … */
void stats_note_accept(enum intake_verdict verdict, uint64_t microseconds);
struct load stats_load(const struct api *api);
void stats_watch(struct api *api); /* gauges, before they are read */
