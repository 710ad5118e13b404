/* api/sse.h - the bytes of text/event-stream (HTML Living Standard §9.2) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Last-Event-ID: the version that our `id:` gave; false for anything else. */
bool sse_parse_id(const char *value, int32_t *version) __attribute__((warn_unused_result));

/* One event `order.updated`.  The body is JSON on one line. */
void sse_add_event(struct text *out, int32_t version, const char *body, size_t length);
/* How long a browser waits before it connects again. */
void sse_add_retry(struct text *out, int64_t pause_ms);

/* An event without an id, so that proxies and pages see that the stream lives (EventSource does not
 * show comments). */
extern const char sse_heartbeat[];
