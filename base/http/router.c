#include "base/http/router.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static size_t segment_length(const char *at, const char *end)
{
    const char *slash = memchr(at, '/', (size_t)(end - at));

    return (size_t)((slash ? slash : end) - at);
}

static bool is_literal_equal(const char *wanted, size_t wanted_length, const char *raw,
                             size_t raw_length, struct arena *arena)
{
    const char *decoded = raw;

    if (memchr(raw, '%', raw_length) != NULL) {
        decoded = http_target_decode(arena, raw, raw_length, false);
        raw_length = strlen(decoded);
    }
    return wanted_length == raw_length && memcmp(wanted, decoded, raw_length) == 0;
}

static void keep_param(struct http_match *match, const char *pattern, size_t pattern_length,
                       const char *raw, size_t raw_length)
{
    assert(match->param_count < HTTP_PARAMS_MAX);
    match->params[match->param_count++] =
        (struct http_param){pattern + 1, pattern_length - 2, raw, raw_length};
}

static bool matches(const char *pattern, const struct http_target *target, struct arena *arena,
                    struct http_match *match)
{
    const char *pattern_end = pattern + strlen(pattern);
    const char *path = target->raw_path, *path_end = path + target->raw_path_length;

    match->param_count = 0;
    while (pattern < pattern_end && path < path_end && *pattern == *path) {
        size_t wanted, got;

        pattern++, path++; /* the slash (or the star) that both have */
        wanted = segment_length(pattern, pattern_end);
        got = segment_length(path, path_end);
        if (wanted > 0 && *pattern == '{') {
            if (got == 0)
                return false;
            keep_param(match, pattern, wanted, path, got);
        } else if (!is_literal_equal(pattern, wanted, path, got, arena)) {
            return false;
        }
        pattern += wanted;
        path += got;
    }
    return pattern == pattern_end && path == path_end;
}

static const struct http_route *find(const struct http_route *routes, const char *method,
                                     const struct http_target *target, struct arena *arena,
                                     struct http_match *match)
{
    for (const struct http_route *route = routes; route->method != NULL; route++) {
        bool is_method = strcmp(route->method, method) == 0;

        if ((!is_method && match->path_exists) || !matches(route->path, target, arena, match))
            continue;
        match->path_exists = true;
        if (is_method)
            return route;
    }
    return NULL;
}

void http_router_match(const struct http_route *routes, const char *method,
                       const struct http_target *target, struct arena *arena,
                       struct http_match *match)
{
    match->path_exists = false;
    match->route = find(routes, method, target, arena, match);
    if (match->route == NULL && strcmp(method, "HEAD") == 0)
        match->route = find(routes, "GET", target, arena, match);
    if (match->route == NULL)
        match->param_count = 0;
}

const char *http_router_methods(const struct http_route *routes, const struct http_target *target,
                                struct arena *arena)
{
    const char *methods = NULL;
    struct http_match match;

    for (const struct http_route *route = routes; route->method != NULL; route++) {
        const char *more = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;

        if (matches(route->path, target, arena, &match))
            methods = methods ? arena_print(arena, "%s, %s", methods, more) : more;
    }
    return methods ? methods : "";
}
