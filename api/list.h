/* api/list.h - a page of an account's orders (GET /v1/orders without a key) */
#pragma once

#include "api/api.h"

void list_open(struct api *api);
void list_close(struct api *api);
/* Answers a request whose principal may read all orders of its account. */
void list_begin(struct http_request *request, const struct principal *principal);
