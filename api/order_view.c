#include "api/order_view.h"

#include "base/clock.h"
#include "base/memory.h"

static void render_1(struct text *body, const char *id, const char *token)
{
    text_print(body,
               "{\"id\":\"%s\",\"accepted\":\"yes\",\"status\":\"accepted\",\"final\":false,"
               "\"version\":1,\"poll_after_ms\":1000,\"client_token\":\"%s\","
               "\"links\":{\"self\":\"/v1/orders/%s\"}}",
               id, token, id);
}

static void (*const renderers[])(struct text *body, const char *id, const char *token) = {
    [1] = render_1,
};

bool order_view_receipt(struct text *body, const struct order_id *id, int16_t renderer,
                        int16_t token_key, const struct token_keys *keys)
{
    char public_id[ORDER_ID_TEXT_SIZE], token[CLIENT_TOKEN_SIZE];

    if (renderer < 1 || (size_t)renderer >= ARRAY_SIZE(renderers) ||
        !client_token_make(keys, token_key, id, token))
        return false;
    order_id_format(id, public_id);
    renderers[renderer](body, public_id, token);
    return true;
}

void order_view_money(struct text *body, int64_t amount, const char *currency)
{
    text_print(body, "{\"amount\":%lld,\"currency\":\"%s\"}", (long long)amount, currency);
}

void order_view_time(struct text *body, int64_t unix_us)
{
    char stamp[CLOCK_RFC3339_SIZE];

    clock_format(unix_us, stamp, sizeof(stamp));
    text_print(body, "\"%s\"", stamp);
}
