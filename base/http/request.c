#include <stdlib.h>
#include <string.h>

#include "base/http/internal.h"

static void set_id(struct http_request *request)
{
    static const char digits[] = "0123456789abcdef";
    struct http_server *server = request->server;
    uint64_t prefix = server->id_prefix, number = ++server->id_next;
    char *at = request->id + HTTP_ID_SIZE - 1;

    *at = '\0';
    for (int i = 0; i < 10; i++, number >>= 4)
        *--at = digits[number & 15];
    for (int i = 0; i < 16; i++, prefix >>= 4)
        *--at = digits[prefix & 15];
    memcpy(request->id, "req_", 4);
}

static struct http_request *take_spare(struct http_server *server)
{
    struct http_request *request = STAILQ_FIRST(&server->spare_requests);

    if (request == NULL) {
        request = xcalloc(1, sizeof(*request));
        request->server = server;
        http_message_init(&request->message);
        text_init(&request->fields, server->options.limits.head_bytes_max);
        return request;
    }
    STAILQ_REMOVE_HEAD(&server->spare_requests, link);
    server->spare_request_count--;
    return request;
}

struct http_request *http_request_create(struct http_server *server,
                                         struct http_connection *connection)
{
    struct http_request *request = take_spare(server);

    request->connection = connection;
    request->stage = HTTP_REQUEST_RECEIVING;
    request->target = (struct http_target){.raw_path = "", .query = NULL};
    request->path = "";
    request->match.route = NULL;
    request->match.path_exists = false;
    request->match.param_count = 0;
    request->received_ns = uv_hrtime();
    request->status = 0;
    request->is_last = request->is_unchunked = request->is_aborted = false;
    request->is_being_lost = false;
    request->ending = HTTP_END_GENTLY;
    request->on_gone = NULL;
    set_id(request);
    server->requests_alive++;
    return request;
}

void http_request_destroy(struct http_request *request)
{
    struct http_server *server = request->server;

    arena_finish(&request->arena);
    http_server_give_text(server, &request->answer);
    server->requests_alive--;
    if (server->is_over || server->spare_request_count >= HTTP_SPARES_MAX) {
        http_message_finish(&request->message);
        text_finish(&request->fields);
        free(request);
        http_server_release(server);
        return;
    }
    http_message_clear(&request->message);
    text_clear(&request->fields);
    STAILQ_INSERT_HEAD(&server->spare_requests, request, link);
    server->spare_request_count++;
}

/* Words an answer where the owner of the server does not. */
static void answer_plainly(struct http_request *request, int status, const char *code,
                           const char *detail)
{
    const char *body = arena_print(&request->arena, "%s: %s\n", code, detail);

    http_reply(request, status, "text/plain; charset=utf-8", body, strlen(body));
}

static void answer_error(struct http_request *request, int status, const char *code,
                         const char *detail)
{
    if (request->server->options.on_error != NULL)
        request->server->options.on_error(request, status, code, detail);
    else
        answer_plainly(request, status, code, detail);
}

static bool split_target(struct http_request *request)
{
    struct http_target *target = &request->target;
    char *head = request->message.head.bytes;

    if (!http_target_split(request->message.target, target))
        return false;
    if (target->query != NULL)
        head[target->query - 1 - head] = '\0';
    request->path = target->raw_path;
    if (memchr(target->raw_path, '%', target->raw_path_length) != NULL)
        request->path =
            http_target_decode(&request->arena, target->raw_path, target->raw_path_length, false);
    return true;
}

void http_request_refuse(struct http_request *request, const struct http_refusal *refusal)
{
    request->is_last = true;
    /* Where the head is complete, on_error sees what was asked for. */
    if (refusal->status == 413 || refusal->status == 503)
        (void)split_target(request);
    answer_error(request, refusal->status, refusal->code, refusal->detail);
}

/* "OPTIONS *" asks about the server as a whole, which has nothing to say. */
static void answer_options(struct http_request *request)
{
    if (request->match.path_exists)
        http_reply_header(request, "Allow", "%s", http_methods(request));
    http_reply(request, 204, NULL, NULL, 0);
}

static bool is_options(const struct http_request *request)
{
    return strcmp(request->message.method, "OPTIONS") == 0 &&
           (request->match.path_exists || strcmp(request->path, "*") == 0);
}

void http_request_dispatch(struct http_request *request)
{
    static const struct http_refusal bad_target = {400, "malformed_request",
                                                   "The request target is not a path."};
    const struct http_route *routes = request->server->options.routes;

    if (!split_target(request)) {
        http_request_refuse(request, &bad_target);
        return;
    }
    http_router_match(routes, request->message.method, &request->target, &request->arena,
                      &request->match);
    if (request->match.route != NULL) {
        request->match.route->handle(request);
    } else if (is_options(request)) {
        answer_options(request);
    } else if (request->match.path_exists) {
        http_reply_header(request, "Allow", "%s", http_methods(request));
        answer_error(request, 405, "method_not_allowed", "This path has other methods.");
    } else {
        answer_error(request, 404, "not_found", "There is nothing at this path.");
    }
}

void *http_owner(const struct http_request *request)
{
    return request->server->options.owner;
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

const char *http_method(const struct http_request *request)
{
    return request->message.method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_methods(struct http_request *request)
{
    struct arena *arena = &request->arena;

    if (!request->match.path_exists)
        return NULL;
    return arena_print(
        arena, "%s, OPTIONS",
        http_router_methods(request->server->options.routes, &request->target, arena));
}

const struct http_route *http_route(const struct http_request *request)
{
    return request->match.route;
}

/* The accessors take a const request; what they decode is kept in its arena all the same. */
static struct arena *scratch(const struct http_request *request)
{
    return (struct arena *)(uintptr_t)&request->arena;
}

const char *http_param(const struct http_request *request, const char *name)
{
    for (int i = 0; i < request->match.param_count; i++) {
        const struct http_param *param = &request->match.params[i];

        if (strlen(name) == param->name_length &&
            memcmp(name, param->name, param->name_length) == 0)
            return http_target_decode(scratch(request), param->raw, param->raw_length, false);
    }
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name)
{
    return http_target_query(scratch(request), request->target.query, name);
}

const char *http_query_name(const struct http_request *request, int index)
{
    const char *name, *value;

    return http_target_parameter(scratch(request), request->target.query, index, &name, &value)
               ? name
               : NULL;
}

const char *http_query_value(const struct http_request *request, int index)
{
    const char *name, *value;

    return http_target_parameter(scratch(request), request->target.query, index, &name, &value)
               ? value
               : NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    const struct http_field *field = http_message_field(&request->message, name);

    return field ? field->value : NULL;
}

const char *http_header_early(struct http_request *request, const char *name)
{
    const struct text *head = &request->message.head;
    const char *found, *end;

    if (request->message.field_count > 0 || head->length == 0)
        return http_header(request, name);
    found = strcasestr(head->bytes, arena_print(&request->arena, "\r\n%s:", name));
    if (found == NULL)
        return NULL;
    found += strlen(name) + 3;
    found += strspn(found, " \t");
    end = strchr(found, '\r');
    return end ? arena_print(&request->arena, "%.*s", (int)(end - found), found) : NULL;
}

int http_header_count(const struct http_request *request, const char *name)
{
    return http_message_count(&request->message, name);
}

const char *http_body(const struct http_request *request, size_t *length)
{
    const struct text *body = &request->message.body;

    if (length != NULL)
        *length = body->length;
    return body->bytes ? body->bytes : "";
}

const char *http_id(const struct http_request *request)
{
    return request->id;
}

uint64_t http_received_ns(const struct http_request *request)
{
    return request->received_ns;
}

bool http_is_gone(const struct http_request *request)
{
    return request->connection == NULL || request->connection->is_broken;
}

void http_on_gone(struct http_request *request,
                  void (*on_gone)(struct http_request *request, void *data), void *data)
{
    request->on_gone = on_gone;
    request->on_gone_data = data;
    if (on_gone != NULL && request->connection != NULL && request->connection->peer_ended)
        http_connection_wake(request->connection);
}
