/* api/pages.h - what docket-api serves of itself: the reference, and what each error means
 *
 * The same bytes for as long as the process runs; embedded by embed_pages.py.
 */
#pragma once

#include <stddef.h>

#include "base/http/server.h"

struct page {
    const char *etag;
    size_t length;
    const char *bytes;
};

extern const struct page page_openapi, page_errors;

void openapi_get(struct http_request *request);
void errors_get(struct http_request *request);
