/* ops/sandbox/control.h - what a test asks of the sandbox itself
 *
 *     GET    /ledger[?order=O]               all facts of both sides by `seq`, one a line
 *     POST   /sandbox/rules                  {"match"?,"fault","ms"?,"code"?,"times"?} → 201 {"id"}
 *     GET    /sandbox/rules                  what is still to go wrong
 *     DELETE /sandbox/rules                  nothing any more
 *     GET    /sandbox/settings, PUT          {"key_lifetime_s"?,"reference_unaware"?}
 *     GET    /sandbox/webhooks, PUT          {"urls"?,"secret"?,"copies"?,"delay_ms"?,"retry_ms"?,
 *                                            "reverse"?} (ops/sandbox/webhooks.h), and counts
 *     GET    /sandbox/calls                  {"open","open_most","begun":{"create":N,…}}
 *     POST   /sandbox/intents/{id}/finish    {"as":"succeeded"|"failed"}: what the customer or the
 *                                            bank decides about requires_action and processing
 *     GET    /livez, /readyz
 *
 * Rules and settings belong to the process: a restart forgets them.
 */
#pragma once

#include "base/http/server.h"

void control_on_ledger(struct http_request *request);
void control_on_add_rule(struct http_request *request);
void control_on_list_rules(struct http_request *request);
void control_on_clear_rules(struct http_request *request);
void control_on_get_settings(struct http_request *request);
void control_on_put_settings(struct http_request *request);
void control_on_get_webhooks(struct http_request *request);
void control_on_put_webhooks(struct http_request *request);
void control_on_calls(struct http_request *request);
void control_on_finish(struct http_request *request);
void control_on_health(struct http_request *request);
/* Words what the server itself refuses. */
void control_on_error(struct http_request *request, int status, const char *code,
                      const char *detail);
