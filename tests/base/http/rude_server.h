/* tests/base/http/rude_server.h - a server on the test's own loop that misbehaves as the path says
 *
 *   /ok /headers /redirect /unframed   answers (the last: its end is the connection's)
 *   /die /reset                        reads the request, then closes or resets
 *   /torn /drip /huge /junk            answers that are short, endless, too large, no HTTP
 *   /whole_then_reset                  a whole answer, then a reset
 *   /ok_then_close                     a whole answer, then closes the idle connection
 *   /hold                              answers when rude_release is called
 */
#pragma once

#include <uv.h>

struct rude_server {
    uv_tcp_t tcp;
    int port;
    int connections, requests; /* seen so far; a request counts when head and body are complete */
    int held;
    size_t bytes; /* received so far */
    char last[1024];
    void (*on_held)(struct rude_server *server);
    void *owner;
    struct rude_connection *first;
    bool silent; /* accept, and say nothing */
};

void rude_open(struct rude_server *server, uv_loop_t *loop);
void rude_release(struct rude_server *server);
void rude_close(struct rude_server *server); /* with all its connections */
