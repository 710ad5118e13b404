/* api/shed.h - what is refused when more orders come than can be stored in time
 *
 *     a new order    ─► shed_rule: is there room?  no ─► a cheap 503, before its body is looked at
 *     a known key    ─► taken until DOCKET_ACCEPT_WAITING_MAX wait: only an answer ends its doubt
 *     a status read  ─► not concerned
 *     refusals make the loop late ─► who was refused is not read from for a moment, and new
 *                                    connections wait in the kernel
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/keys.h"
#include "queue/group.h"

struct api;
struct http_request;

struct shed *shed_create(uv_loop_t *loop, struct api *api);
void shed_destroy(struct shed *shed);
void shed_register_metrics(void);
struct group_watch shed_watch(struct shed *shed); /* for the intake */

/* Before the body is looked at.  False: the request was answered. */
bool shed_takes(struct http_request *request, const struct principal *principal, const char *key,
                uint64_t deadline_ms) __attribute__((warn_unused_result));
/* The key is on its way to be stored. */
void shed_note_key(struct shed *shed, const struct principal *principal, const char *key);
