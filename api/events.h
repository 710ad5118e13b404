/* api/events.h - GET /v1/orders/{id}/events: the versions of one order as a stream (SSE)
 *
 * Who may follow: whoever may read the order; its client_token is enough, since a browser's
 * EventSource can send no API key.  A client that left is forgotten at once; one that reads too
 * slowly is ended, and goes on where it was by Last-Event-ID.
 */
#pragma once

#include "base/http/server.h"

struct api;
struct events;

struct events *events_create(struct api *api);
/* Each stream is ended; its client connects again, elsewhere. */
void events_stop(struct events *events);
void events_destroy(struct events *events);

void order_events_get(struct http_request *request);
void events_register_metrics(void);
void events_refresh_metrics(const struct events *events);
