#include "base/http/client_origin.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum { FRESH_MS = 30 * 1000, ADDRESSES_MAX = 8, RESOLVE_BYTES_MAX = 1024 };

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found);

static bool is_numeric(const char *host)
{
    struct in_addr address;

    return host[0] == '[' || inet_pton(AF_INET, host, &address) == 1;
}

static struct http_origin *find_or_add(struct http_origins *origins, const char *host, int port)
{
    struct http_origin *origin;

    SLIST_FOREACH (origin, &origins->list, entry)
        if (origin->port == port && strcmp(origin->host, host) == 0)
            return origin;
    origin = xcalloc(1, sizeof(*origin));
    origin->origins = origins;
    origin->host = xstrdup(host);
    origin->port = port;
    origin->is_numeric = is_numeric(host);
    TAILQ_INIT(&origin->waiting);
    SLIST_INSERT_HEAD(&origins->list, origin, entry);
    return origin;
}

struct http_origin *http_origin_of_url(struct http_origins *origins, const char *url)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    struct http_origin *origin = NULL;

    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        origin = find_or_add(origins, host, (int)strtol(port, NULL, 10));
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return origin;
}

static void look_up(struct http_origin *origin)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    /* Refused at once is a name that cannot be one: those who wait then meet their deadline. */
    origin->is_looking_up =
        origin->is_looking_up || uv_getaddrinfo(origin->origins->loop, &origin->request,
                                                on_looked_up, origin->host, NULL, &hints) == 0;
}

bool http_origin_is_known(struct http_origin *origin)
{
    if (origin->is_numeric)
        return true;
    if (origin->resolve == NULL || origin->is_stale ||
        clock_monotonic_ms() - origin->looked_up_ms > FRESH_MS)
        look_up(origin);
    return origin->resolve != NULL;
}

static void add_address(struct text *text, const struct addrinfo *found, const char *separator)
{
    char address[INET6_ADDRSTRLEN];

    if (getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0,
                    NI_NUMERICHOST) == 0)
        text_print(text, found->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", separator, address);
}

static void take(struct http_origin *origin, const struct addrinfo *found)
{
    struct text text;
    int count = 0;

    text_init(&text, RESOLVE_BYTES_MAX);
    text_print(&text, "%s:%d", origin->host, origin->port);
    for (; found && count < ADDRESSES_MAX; found = found->ai_next)
        add_address(&text, found, count++ == 0 ? ":" : ",");
    free(origin->resolve);
    origin->resolve = text_take(&text, NULL);
    origin->looked_up_ms = clock_monotonic_ms();
    origin->is_stale = false;
}

static void destroy(struct http_origin *origin)
{
    free(origin->host);
    free(origin->resolve);
    free(origin);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct http_origin *origin = container_of(request, struct http_origin, request);
    struct http_origins *origins = origin->origins;

    origin->is_looking_up = false;
    if (status == 0 && found)
        take(origin, found);
    uv_freeaddrinfo(found);
    if (origins == NULL)
        destroy(origin);
    else
        origins->on_looked_up(origins->owner, origin, origin->resolve ? NULL : uv_strerror(status));
}

void http_origins_init(struct http_origins *origins, uv_loop_t *loop)
{
    *origins = (struct http_origins){.loop = loop};
    SLIST_INIT(&origins->list);
}

void http_origins_finish(struct http_origins *origins)
{
    struct http_origin *origin;

    while ((origin = SLIST_FIRST(&origins->list)) != NULL) {
        SLIST_REMOVE_HEAD(&origins->list, entry);
        origin->origins = NULL;
        if (!origin->is_looking_up)
            destroy(origin);
        else
            uv_cancel((uv_req_t *)&origin->request); /* on_looked_up comes in any case */
    }
}
