#include "api/cors.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char scheme_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
static const char host_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

/* The item that begins at `at`, without blanks around it.  Returns where the next one begins, or
 * NULL. */
static const char *take_item(const char *at, const char **item, size_t *length)
{
    const char *end;

    at += strspn(at, " ");
    end = at + strcspn(at, ",");
    *item = at;
    *length = (size_t)(end - at);
    while (*length > 0 && at[*length - 1] == ' ')
        --*length;
    return *end == ',' ? end + 1 : NULL;
}

static bool is_empty(const char *origins)
{
    return origins[strspn(origins, " ")] == '\0';
}

static bool is_any(const char *item, size_t length)
{
    return length == 1 && *item == '*';
}

/* What is wrong with ":port" (or nothing, which is right); NULL: nothing. */
static const char *judge_port(const char *origin, const char *colon)
{
    size_t digits;
    long port;

    if (*colon == '\0')
        return NULL;
    if (*colon != ':')
        return "an origin ends after host and port: no path, no slash";
    digits = strspn(colon + 1, "0123456789");
    if (colon[1 + digits] != '\0')
        return "an origin ends after host and port: no path, no slash";
    port = digits > 0 && digits <= 5 && colon[1] != '0' ? strtol(colon + 1, NULL, 10) : 0;
    if (port < 1 || port > 65535)
        return "a port is a number from 1 to 65535";
    if ((port == 443 && strncmp(origin, "https:", 6) == 0) ||
        (port == 80 && strncmp(origin, "http:", 5) == 0))
        return "leave out the port that the scheme has anyway, as browsers do";
    return NULL;
}

/* NULL: it is written as a browser sends it. */
static const char *judge(const char *origin)
{
    size_t scheme = strspn(origin, scheme_chars), host;
    const char *at = origin + scheme;

    if (scheme == 0 || strchr(lower, *origin) == NULL || strncmp(at, "://", 3) != 0)
        return "write scheme://host[:port], the scheme in small letters";
    at += 3;
    if (*at == '[') {
        host = 1 + strspn(at + 1, "0123456789abcdef:.");
        host = host > 1 && at[host] == ']' ? host + 1 : 0;
    } else {
        host = strspn(at, host_chars);
    }
    if (host == 0 || (at[host] >= 'A' && at[host] <= 'Z') || (unsigned char)at[host] >= 0x80)
        return "write the host as browsers send it: in small letters, beyond ASCII as xn--…";
    return judge_port(origin, at + host);
}

bool cors_check(const char *origins, struct fault *fault)
{
    const char *at = is_empty(origins) ? NULL : origins, *item, *why;
    char origin[CORS_ORIGIN_LENGTH_MAX + 1];
    size_t length;

    for (int count = 1; at != NULL; count++) {
        at = take_item(at, &item, &length);
        if (count == 1 && at == NULL && is_any(item, length))
            return true;
        if (length > CORS_ORIGIN_LENGTH_MAX || count > CORS_ORIGINS_MAX)
            return fail(fault, FAULT_REFUSED,
                        "DOCKET_CORS_ORIGINS has more than %d origins, or one of more than %d "
                        "characters",
                        CORS_ORIGINS_MAX, CORS_ORIGIN_LENGTH_MAX);
        memcpy(origin, item, length);
        origin[length] = '\0';
        why = is_any(item, length) ? "* stands alone" : judge(origin);
        if (why != NULL)
            return fail(fault, FAULT_REFUSED, "DOCKET_CORS_ORIGINS: \"%s\" is no origin: %s",
                        origin, why);
    }
    return true;
}

const char *cors_allowed(const char *origins, const char *origin)
{
    const char *at = is_empty(origins) ? NULL : origins, *item;
    size_t length;

    while (at != NULL) {
        at = take_item(at, &item, &length);
        if (is_any(item, length))
            return "*";
        if (origin != NULL && strlen(origin) == length && memcmp(origin, item, length) == 0)
            return origin;
    }
    return NULL;
}

static bool is_preflight(struct http_request *request)
{
    return strcmp(http_method(request), "OPTIONS") == 0 &&
           http_header(request, "Access-Control-Request-Method") != NULL &&
           http_methods(request) != NULL;
}

static void answer_preflight(struct http_request *request)
{
    http_reply_header(request, "Access-Control-Allow-Methods", "%s", http_methods(request));
    http_reply_header(request, "Access-Control-Allow-Headers", "%s",
                      "Authorization, Client-Token, Content-Type, Idempotency-Key, If-None-Match, "
                      "Last-Event-ID, Request-Timeout-Ms, X-Api-Key, traceparent");
    http_reply_header(request, "Access-Control-Max-Age", "7200");
}

/* Vary goes to everybody, or a cache would give what it kept of one origin to another. */
void cors_on_answering(struct http_request *request)
{
    const char *origins = api_of(request)->service.settings.cors_origins, *allowed;

    if (is_empty(origins))
        return;
    http_reply_header(request, "Vary", "Origin");
    allowed = cors_allowed(origins, http_header_early(request, "Origin"));
    if (allowed == NULL)
        return;
    http_reply_header(request, "Access-Control-Allow-Origin", "%s", allowed);
    if (is_preflight(request))
        answer_preflight(request);
    else
        http_reply_header(request, "Access-Control-Expose-Headers", "%s",
                          "Allow, ETag, Idempotent-Replayed, Location, Poll-After-Ms, RateLimit, "
                          "RateLimit-Policy, Request-Id, Retry-After");
}
