/* Who asks: the key of a request, found in memory; one that is not there may have been made a
 * moment ago, so the keys are asked for once before it is refused. */
#include <string.h>
#include <strings.h>

#include "api/api.h"

static const char *presented_key(const struct http_request *request)
{
    const char *value = http_header(request, "Authorization");

    if (value && strncasecmp(value, "Bearer ", 7) == 0)
        return value + 7;
    return http_header(request, "X-Api-Key");
}

bool api_has_key(const struct http_request *request)
{
    return presented_key(request) != NULL;
}

/* Of an order, or of a further attempt to pay one. */
static bool takes_a_key(const char *path)
{
    static const char attempts[] = "/payment_attempts";
    size_t length = strlen(path);

    return strcmp(path, "/v1/orders") == 0 || strcmp(path, "/v1/orders/abandon") == 0 ||
           (length > sizeof(attempts) && strncmp(path, "/v1/orders/", 11) == 0 &&
            strcmp(path + length - (sizeof(attempts) - 1), attempts) == 0);
}

bool api_is_about_a_key(const struct http_request *request)
{
    const char *path = http_path(request);

    if (path[0] == '\0')
        return true;
    return strcmp(http_method(request), "POST") == 0 && takes_a_key(path);
}

static void refuse(struct http_request *request, const char *code, const char *detail)
{
    const struct problem problem = {
        .code = code,
        .detail = detail,
        .accepted = api_is_about_a_key(request) ? ACCEPTED_UNKNOWN : ACCEPTED_UNSAID,
        .stored_nothing = true,
    };

    problem_reply(request, &problem);
}

struct admission {
    struct pulse_wait wait;
    struct http_request *request;
};

static void on_round(struct pulse_wait *wait, bool is_fresh)
{
    struct http_request *request = container_of(wait, struct admission, wait)->request;

    if (is_fresh)
        http_route(request)->handle(request);
    else
        refuse(request, "temporarily_unavailable",
               "whether the API key is valid cannot be looked up now");
}

static void ask_for_keys(struct http_request *request)
{
    struct admission *admission = arena_alloc(http_arena(request), sizeof(*admission));

    admission->request = request;
    admission->wait.on_round = on_round;
    pulse_wait(api_of(request)->pulse, &admission->wait);
}

bool api_admit(struct http_request *request, unsigned scopes, struct principal *principal)
{
    struct api *api = api_of(request);
    const char *key = presented_key(request);

    if (key == NULL || strncmp(key, "dk_", 3) != 0) {
        refuse(request, "unauthorized", "send `Authorization: Bearer dk_…`");
        return false;
    }
    if (!keys_find(api->keys, key, principal)) {
        if (pulse_fresh_ns(api->pulse) > http_received_ns(request))
            refuse(request, "unauthorized", "this API key is not valid, or was revoked");
        else
            ask_for_keys(request);
        return false;
    }
    if ((principal->scopes & scopes) == 0) {
        refuse(request, "forbidden", "this API key lacks the scope for it");
        return false;
    }
    return true;
}

static void refuse_quota(struct http_request *request, const struct principal *principal,
                         enum quota policy, const char *detail)
{
    const struct quotas *quotas = api_of(request)->quotas;
    const struct problem problem = {
        .code = "quota_exceeded",
        .detail = detail,
        .accepted = api_is_about_a_key(request) ? ACCEPTED_UNKNOWN : ACCEPTED_UNSAID,
        .stored_nothing = true,
        .retry_after_s = quota_wait_s(quotas, principal, policy),
    };

    quota_headers(quotas, principal, policy, request);
    problem_reply(request, &problem);
}

bool api_admit_read(struct http_request *request, unsigned scopes, struct principal *principal)
{
    struct quotas *quotas = api_of(request)->quotas;

    if (!api_admit(request, scopes, principal))
        return false;
    if (!quota_take(quotas, principal, QUOTA_READS)) {
        refuse_quota(request, principal, QUOTA_READS,
                     "this account has read as often as it may for now");
        return false;
    }
    quota_headers(quotas, principal, QUOTA_READS, request);
    return true;
}

bool api_admit_post(struct http_request *request, const struct principal *principal)
{
    if (!quota_is_flooded(api_of(request)->quotas, principal))
        return true;
    refuse_quota(request, principal, QUOTA_ORDERS,
                 "far more requests than this account's quota: nothing was looked up or stored");
    return false;
}
