/* ops/sandbox/webhooks.h - events to whoever wants to hear them, as Stripe sends them
 *
 *     tell ─► DURABLE? ─► WAITING ─► SENT ──2xx──► delivered
 *                            ▲         └─ else ─┐
 *                            └── with back-off ◄┴─ given up after WEBHOOK_TRIES
 *
 *     POST url, Stripe-Signature: t=NOW,v1=HMAC-SHA256(secret, "t.body")
 *
 * An event shows the object as it was when it happened, and has one id however often it is sent. It
 * is told only once its fact is durable, and knows nothing of the call that made it: the rules drip
 * and delay, or a hanging call, make it come before the answer.  Nothing is kept over a restart, as
 * nobody may rely on an event.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/fault.h"
#include "base/http/client.h"
#include "base/text.h"
#include "ops/sandbox/ledger.h"

enum { WEBHOOK_URLS_MAX = 4, WEBHOOK_TRIES = 10 };

struct webhooks {
    uv_loop_t *loop;
    struct ledger *ledger;
    struct http_client *client; /* NULL: at the end */
    TAILQ_HEAD(, webhook) open;
    int waiting; /* of them, for their time */
    bool is_closing;

    /* Knobs. */
    char *urls[WEBHOOK_URLS_MAX], *secret;
    int url_count;
    int64_t copies;   /* of each event to each URL */
    int64_t delay_ms; /* before the first try */
    int64_t retry_ms; /* before the second; doubles */
    bool reverse;     /* what happens while an event waits overtakes it: needs delay_ms */

    int64_t told, delivered, refused, given_up; /* refused: tries without a 2xx */
};

/* urls: separated by spaces; "": nobody wants to hear. */
bool webhooks_open(struct webhooks *webhooks, uv_loop_t *loop, struct ledger *ledger,
                   const char *urls, const char *secret, struct fault *fault)
    __attribute__((warn_unused_result));
void webhooks_stop(struct webhooks *webhooks); /* forgets what was not delivered */
void webhooks_close(struct webhooks *webhooks);

bool webhooks_are_wanted(const struct webhooks *webhooks);
/* object: JSON, with its member `object`. */
void webhooks_tell(struct webhooks *webhooks, const char *type, const char *object);

bool webhooks_set(struct webhooks *webhooks, const json_t *knobs, struct fault *fault)
    __attribute__((warn_unused_result));
void webhooks_render(const struct webhooks *webhooks, struct text *json);
