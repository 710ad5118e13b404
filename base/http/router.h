/* base/http/router.h - which route a method and a path belong to
 *
 * Segments are compared after decoding, so that %2F never makes two segments of one.  Nothing is
 * normalised: "/a/../b", "//a" and "/a/" are other paths than "/b" and "/a".  The first route that
 * matches is taken; HEAD takes GET's where it has none of its own (RFC 9110 §9.3.2).
 */
#pragma once

#include <stddef.h>

#include "base/http/server.h"
#include "base/http/target.h"

enum { HTTP_PARAMS_MAX = 8 };

struct http_param {
    const char *name; /* in the route's path, up to its '}' */
    size_t name_length;
    const char *raw; /* in the target */
    size_t raw_length;
};

struct http_match {
    const struct http_route *route; /* NULL: none */
    bool path_exists;               /* with another method */
    struct http_param params[HTTP_PARAMS_MAX];
    int param_count;
};

void http_router_match(const struct http_route *routes, const char *method,
                       const struct http_target *target, struct arena *arena,
                       struct http_match *match);

/* "GET, HEAD, POST": the methods of that path, for Allow. */
const char *http_router_methods(const struct http_route *routes, const struct http_target *target,
                                struct arena *arena);
