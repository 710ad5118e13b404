/* api/admin/names.h - numbers of the tables become the names that people know */
#pragma once

#include <jansson.h>

#include "base/http/server.h"

/* Answers 200 with this JSON, in which each number under "status", "stage", "state" of a task and
 * "state" of an attempt has become its name, and each uuid under "order" an order's public id. */
void admin_reply_named(struct http_request *request, const char *json);
/* The same with a value, which it takes over. */
void admin_reply_value(struct http_request *request, json_t *value);
