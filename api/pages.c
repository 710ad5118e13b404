#include "api/pages.h"

#include <string.h>

/* An ETag is quoted and 16 digits long: it stands in no other. */
static bool is_known(const struct http_request *request, const struct page *page)
{
    const char *etags = http_header(request, "If-None-Match");

    return etags && (strcmp(etags, "*") == 0 || strstr(etags, page->etag) != NULL);
}

static void reply(struct http_request *request, const struct page *page, const char *type)
{
    http_reply_header(request, "ETag", "%s", page->etag);
    http_reply_header(request, "Cache-Control", "public, max-age=300");
    if (is_known(request, page))
        http_reply(request, 304, NULL, NULL, 0);
    else
        http_reply(request, 200, type, page->bytes, page->length);
}

void openapi_get(struct http_request *request)
{
    reply(request, &page_openapi, "application/json");
}

void errors_get(struct http_request *request)
{
    reply(request, &page_errors, "text/markdown; charset=utf-8");
}
