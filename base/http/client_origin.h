/* base/http/client_origin.h - one host and port that calls go to: its addresses and its queue
 *
 * Names are looked up by uv_getaddrinfo and handed to libcurl, which never looks one up itself.
 * The first call waits for the name; later ones take the addresses that are there, and ask anew in
 * the background once these are older than 30 s or a connection to them failed.  A name that
 * cannot be found again keeps its addresses.
 *
 * Origins are few (they come from the configuration) and live as long as their client.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/http/client_transfer.h"

struct http_origin {
    SLIST_ENTRY(http_origin) entry;
    struct http_origins *origins; /* NULL: the client has gone */
    char *host;
    int port;
    bool is_numeric;
    char *resolve; /* "host:port:address,address" for CURLOPT_RESOLVE, or NULL */
    uint64_t looked_up_ms;
    bool is_stale, is_looking_up;
    uv_getaddrinfo_t request;

    /* The client's: at most connections_max run, the others wait (libcurl's own queue forgets
     * their deadlines, 7.88). */
    int running;
    struct http_transfers waiting;
};

struct http_origins {
    uv_loop_t *loop;
    /* The addresses are there, or (error not NULL) are not to be had. */
    void (*on_looked_up)(void *owner, struct http_origin *origin, const char *error);
    void *owner;
    SLIST_HEAD(, http_origin) list;
};

void http_origins_init(struct http_origins *origins, uv_loop_t *loop);
void http_origins_finish(struct http_origins *origins);

/* NULL if it is no http or https URL. */
struct http_origin *http_origin_of_url(struct http_origins *origins, const char *url);

/* True if a call may go now; otherwise on_looked_up follows, never from inside this call. */
bool http_origin_is_known(struct http_origin *origin);
