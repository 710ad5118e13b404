/* base/http/client_sockets.h - the sockets of one libcurl multi handle, watched by libuv
 *
 * A socket has one watcher from its opening to its closing.  Both are done here, at libcurl's
 * request, so that a descriptor is never closed (and its number given to somebody else) while
 * libuv still watches it; libcurl's own order of events does not promise that (traps.md §5).
 */
#pragma once

#include <curl/curl.h>
#include <uv.h>

struct http_socket;

struct http_sockets {
    uv_loop_t *loop;
    /* Something happened on a socket: flags are CURL_CSELECT_…; may end the owner. */
    void (*on_event)(void *owner, curl_socket_t fd, int flags);
    void *owner;

    struct http_socket **by_fd;
    int room;
};

void http_sockets_init(struct http_sockets *sockets, uv_loop_t *loop);
/* With all of them closed. */
void http_sockets_finish(struct http_sockets *sockets);

/* For CURLOPT_OPENSOCKETFUNCTION, CURLOPT_CLOSESOCKETFUNCTION and CURLMOPT_SOCKETFUNCTION, whose
 * data is the http_sockets. */
curl_socket_t http_sockets_open(void *data, curlsocktype purpose, struct curl_sockaddr *address);
int http_sockets_close(void *data, curl_socket_t fd);
int http_sockets_watch(CURL *easy, curl_socket_t fd, int what, void *data, void *unused);
