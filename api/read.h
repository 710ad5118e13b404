/* api/read.h - showing one order to somebody who may see it */
#pragma once

#include "api/api.h"

/* Answers with the order, if this principal (with this client token, or NULL) may read it; 404
 * otherwise. */
void read_begin(struct http_request *request, const struct principal *principal,
                const struct order_id *id);
/* principal: NULL: whoever has the order's token, and no key. */
bool read_is_allowed(const struct http_request *request, const struct principal *principal,
                     const struct reading *reading);
/* What the client presents, or NULL. */
const char *read_client_token(const struct http_request *request);
