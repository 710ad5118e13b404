/* workers/outside_call.h - one request to a provider or carrier, on its way: what all of them share
 *
 *     begin ─► url, body, key ─► send ┄┄ (network) ┄┄► end ─► evidence, fault
 *
 * What cannot be asked (a key that is unsound, a body that does not fit) goes to no URL: it comes
 * back unsent, and not from inside the call that sends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/http/client.h"
#include "base/text.h"
#include "queue/breaker_rule.h"

enum { OUTSIDE_KEY_LENGTH_MAX = 255 };

/* Where the outside is, and who we are there. */
struct outside_endpoint {
    struct http_client *client;
    char *base_url, *authorization;
    uint64_t connect_ms, total_ms;
};

/* The client outlives it.  A slash at the end of base_url is dropped. */
void outside_endpoint_init(struct outside_endpoint *endpoint, struct http_client *client,
                           const char *base_url, const char *key);
void outside_endpoint_finish(struct outside_endpoint *endpoint); /* wipes the key */

struct outside_call {
    struct http_call http; /* method, headers, point, may_send, on_done: the caller's */
    struct text url, body;
    char key_header[sizeof("Idempotency-Key: ") + OUTSIDE_KEY_LENGTH_MAX];

    /* Valid from outside_call_end on. */
    enum breaker_evidence evidence;
    int status; /* HTTP; 0: no answer */
};

void outside_call_begin(struct outside_call *call, const struct outside_endpoint *endpoint,
                        size_t body_bytes_max);
/* Makes it a POST of the body.  False, and the fault says what is wrong with `what`. */
bool outside_call_add_post(struct outside_call *call, const char *type, const char *key,
                           const char *what, struct fault *fault)
    __attribute__((warn_unused_result));
bool outside_call_fits(const struct outside_call *call, const char *what, struct fault *fault)
    __attribute__((warn_unused_result));
void outside_call_send(struct outside_call *call, const struct outside_endpoint *endpoint,
                       bool is_sound);
/* In on_done, once the answer was read. */
void outside_call_end(struct outside_call *call);

/* No whole answer came: what the evidence of the network says.  A fault that is there already (the
 * call was unsound) stays; a read is never UNKNOWN, since it changes nothing. */
void outside_call_fault(const struct outside_call *call, bool is_read, struct fault *fault);

/* What a call has shown of the other side's health (pure). */
enum breaker_evidence outside_evidence(enum http_call_outcome outcome, int status,
                                       const struct fault *fault);
