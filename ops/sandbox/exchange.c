#include "ops/sandbox/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

enum { BODY_BYTES_MAX = 16 * 1024 * 1024, DRIP_PIECES = 20 };

static bool choose_trouble(struct exchange *exchange);
static bool stops_at_the_door(struct exchange *exchange);
static bool take_key(struct exchange *exchange);
static void act(struct exchange *exchange);
static void settle(struct exchange *exchange);
static void on_durable(struct ledger_wait *wait);
static void answer(struct exchange *exchange);
static void end(struct exchange *exchange);

static void wait_ms(struct exchange *exchange, int64_t ms, void (*on_time)(struct exchange *));
static void hang(struct exchange *exchange);
static void on_left(struct http_request *request, void *data);
static void refuse(struct exchange *exchange, enum exchange_refusal refusal);

/* --- begin --------------------------------------------------------------------------------- */

struct exchange *exchange_create(struct exchanges *exchanges, struct http_request *request)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));

    exchange->all = exchanges;
    exchange->request = request;
    exchange->order = exchange->method = exchange->parameters = exchange->key = "";
    exchange->wait.on_durable = on_durable;
    text_init(&exchange->body, BODY_BYTES_MAX);
    uv_timer_init(exchanges->loop, &exchange->timer);
    if (++exchanges->open > exchanges->open_most)
        exchanges->open_most = exchanges->open;
    return exchange;
}

void exchange_begin(struct exchange *exchange)
{
    exchange->all->begun[exchange->op]++;
    if (!choose_trouble(exchange) || stops_at_the_door(exchange))
        return;
    if (!take_key(exchange)) {
        settle(exchange);
    } else if (exchange->trouble.kind == TROUBLE_FAIL_500) {
        refuse(exchange, REFUSAL_INTERNAL);
        exchange->executed = true;
        settle(exchange);
    } else if (exchange->trouble.kind == TROUBLE_DELAY) {
        wait_ms(exchange, exchange->trouble.ms, act);
    } else {
        act(exchange);
    }
}

/* False: the header could not be understood, and that was answered. */
static bool choose_trouble(struct exchange *exchange)
{
    const char *header = http_header(exchange->request, "Sandbox-Fault");
    struct fault fault;

    if (!header) {
        rules_take(exchange->all->rules, exchange->op, exchange->order, exchange->method,
                   &exchange->trouble);
        return true;
    }
    if (trouble_parse(header, exchange->op, &exchange->trouble, &fault))
        return true;
    text_add(&exchange->body, "{\"error\":{\"type\":\"sandbox_error\",\"message\":");
    text_add_json(&exchange->body, fault.text);
    text_add(&exchange->body, "}}");
    exchange->status = 400;
    exchange->trouble.kind = TROUBLE_NONE;
    answer(exchange);
    return false;
}

/* True: the call came no further, and nothing happened. */
static bool stops_at_the_door(struct exchange *exchange)
{
    enum trouble_kind kind = exchange->trouble.kind;

    if (kind == TROUBLE_RATE_LIMIT || kind == TROUBLE_UNAVAILABLE) {
        refuse(exchange, kind == TROUBLE_RATE_LIMIT ? REFUSAL_RATE_LIMIT : REFUSAL_UNAVAILABLE);
        exchange->retry_after_s = (exchange->trouble.ms + 999) / 1000;
        answer(exchange);
        return true;
    }
    if (kind == TROUBLE_HANG) {
        hang(exchange);
        return true;
    }
    if (kind == TROUBLE_RESET) {
        http_abort(exchange->request, NULL, 0, true);
        end(exchange);
        return true;
    }
    return false;
}

/* --- the key ------------------------------------------------------------------------------- */

static bool replay(struct exchange *exchange, const struct idempotency_entry *entry)
{
    exchange->replayed = true;
    exchange->status = entry->status;
    text_add_bytes(&exchange->body, entry->body, entry->body_length);
    return false;
}

/* False: the answer is there already, because of the key. */
static bool take_key(struct exchange *exchange)
{
    const char *key = http_header(exchange->request, "Idempotency-Key");
    char print[IDEMPOTENCY_PRINT_SIZE];
    struct idempotency_entry *entry;

    if (!key || !*key || strcmp(http_method(exchange->request), "POST") != 0)
        return true;
    exchange->key = key;
    if (strlen(key) > IDEMPOTENCY_KEY_MAX) {
        refuse(exchange, REFUSAL_KEY_TOO_LONG);
        return false;
    }
    idempotency_print(print, "POST", http_path(exchange->request), exchange->parameters);
    switch (idempotency_begin(&exchange->side->keys, key, print, clock_wall_us(), &entry)) {
    case IDEMPOTENCY_BEGUN:
        exchange->entry = entry;
        return true;
    case IDEMPOTENCY_REPLAYED:
        return replay(exchange, entry);
    case IDEMPOTENCY_IN_FLIGHT:
        refuse(exchange, REFUSAL_KEY_IN_USE);
        return false;
    case IDEMPOTENCY_MISMATCHED:
        refuse(exchange, REFUSAL_KEY_REUSED);
        return false;
    }
    return false;
}

/* --- act, keep, wait until it is durable --------------------------------------------------- */

static void act(struct exchange *exchange)
{
    exchange->act(exchange);
    if (exchange->trouble.kind == TROUBLE_ACT_THEN_500 && exchange->executed)
        refuse(exchange, REFUSAL_INTERNAL);
    settle(exchange);
}

static void keep_answer(struct exchange *exchange)
{
    CLEANUP(text_finish) struct text state;

    text_init(&state, SIZE_MAX / 2);
    idempotency_keep(exchange->entry, exchange->status, exchange->body.bytes,
                     exchange->body.length);
    idempotency_journal(exchange->entry, &state);
    ledger_record_state(exchange->side->ledger, state.bytes);
}

static void settle(struct exchange *exchange)
{
    if (exchange->entry && exchange->executed)
        keep_answer(exchange);
    else if (exchange->entry)
        idempotency_forget(&exchange->side->keys, exchange->entry);
    exchange->entry = NULL;
    if (!ledger_wait(exchange->side->ledger, &exchange->wait))
        answer(exchange);
}

static void on_durable(struct ledger_wait *wait)
{
    answer(container_of(wait, struct exchange, wait));
}

/* --- answer -------------------------------------------------------------------------------- */

static void reply(struct exchange *exchange)
{
    struct http_request *request = exchange->request;

    if (*exchange->key && strlen(exchange->key) <= IDEMPOTENCY_KEY_MAX)
        http_reply_header(request, "Idempotency-Key", "%s", exchange->key);
    if (exchange->replayed)
        http_reply_header(request, "Idempotent-Replayed", "true");
    if (exchange->retry_after_s)
        http_reply_header(request, "Retry-After", "%" PRId64, exchange->retry_after_s);
    if (exchange->status == 409 || exchange->status == 500)
        http_reply_header(request, "Stripe-Should-Retry",
                          exchange->status == 409 ? "true" : "false");
    http_reply(request, exchange->status, "application/json", exchange->body.bytes,
               exchange->body.length);
    end(exchange);
}

/* A head that promises the whole body, and half of it. */
static void tear(struct exchange *exchange)
{
    CLEANUP(text_finish) struct text torn;

    text_init(&torn, SIZE_MAX / 2);
    text_print(&torn,
               "HTTP/1.1 %d \r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               exchange->status, exchange->body.length);
    text_add_bytes(&torn, exchange->body.bytes, exchange->body.length / 2);
    http_abort(exchange->request, torn.bytes, torn.length, false);
    end(exchange);
}

static void drip(struct exchange *exchange)
{
    size_t left = exchange->body.length - exchange->dripped;
    size_t piece = exchange->body.length / DRIP_PIECES + 1;

    piece = piece < left ? piece : left;
    if (piece == 0 ||
        !http_stream_write(exchange->request, exchange->body.bytes + exchange->dripped, piece)) {
        http_stream_end(exchange->request);
        end(exchange);
        return;
    }
    exchange->dripped += piece;
    wait_ms(exchange, exchange->trouble.ms / DRIP_PIECES, drip);
}

static void begin_drip(struct exchange *exchange)
{
    http_stream_begin(exchange->request, exchange->status, "application/json");
    http_on_gone(exchange->request, on_left, exchange);
    drip(exchange);
}

static void answer(struct exchange *exchange)
{
    switch (exchange->trouble.kind) {
    case TROUBLE_ACT_THEN_HANG:
        hang(exchange);
        return;
    case TROUBLE_ACT_THEN_RESET:
        http_abort(exchange->request, NULL, 0, true);
        end(exchange);
        return;
    case TROUBLE_TORN:
        tear(exchange);
        return;
    case TROUBLE_DRIP:
        begin_drip(exchange);
        return;
    case TROUBLE_NONE:
    case TROUBLE_DELAY:
    case TROUBLE_DECLINE:
    case TROUBLE_WRONG_AMOUNT:
    case TROUBLE_ACT_THEN_500:
    case TROUBLE_FAIL_500:
    case TROUBLE_RATE_LIMIT:
    case TROUBLE_UNAVAILABLE:
    case TROUBLE_HANG:
    case TROUBLE_RESET:
        reply(exchange);
        return;
    }
}

static void refuse(struct exchange *exchange, enum exchange_refusal refusal)
{
    text_clear(&exchange->body);
    exchange->status = exchange->side->word(refusal, &exchange->body);
}

/* --- waiting ------------------------------------------------------------------------------- */

static void leave_timed(struct exchange *exchange)
{
    if (exchange->is_timed)
        TAILQ_REMOVE(&exchange->all->timed, exchange, link);
    exchange->is_timed = false;
}

static void join_timed(struct exchange *exchange)
{
    if (!exchange->is_timed)
        TAILQ_INSERT_TAIL(&exchange->all->timed, exchange, link);
    exchange->is_timed = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct exchange *exchange = container_of(timer, struct exchange, timer);

    leave_timed(exchange);
    exchange->on_time(exchange);
}

/* The connection ends here, whatever was waited for; what has not acted never will. */
static void drop(struct exchange *exchange)
{
    http_on_gone(exchange->request, NULL, NULL);
    http_abort(exchange->request, NULL, 0, exchange->all->closing);
    if (exchange->entry)
        idempotency_forget(&exchange->side->keys, exchange->entry);
    end(exchange);
}

static void wait_ms(struct exchange *exchange, int64_t ms, void (*on_time)(struct exchange *))
{
    if (exchange->all->closing) {
        drop(exchange);
        return;
    }
    exchange->on_time = on_time;
    join_timed(exchange);
    uv_timer_start(&exchange->timer, on_timer, (uint64_t)ms, 0);
}

static void on_left(struct http_request *request, void *data)
{
    (void)request;
    drop(data);
}

/* Silence, until the caller leaves or `ms` are over. */
static void hang(struct exchange *exchange)
{
    if (exchange->all->closing || http_is_gone(exchange->request)) {
        drop(exchange);
        return;
    }
    http_on_gone(exchange->request, on_left, exchange);
    join_timed(exchange);
    if (exchange->trouble.ms > 0)
        wait_ms(exchange, exchange->trouble.ms, drop);
}

/* --- the end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct exchange *exchange = container_of((uv_timer_t *)handle, struct exchange, timer);

    text_finish(&exchange->body);
    free(exchange);
}

/* The request has been replied to, and with it its arena is gone. */
static void end(struct exchange *exchange)
{
    leave_timed(exchange);
    exchange->all->open--;
    uv_close((uv_handle_t *)&exchange->timer, on_closed);
}

void exchanges_init(struct exchanges *exchanges, uv_loop_t *loop, struct rules *rules)
{
    *exchanges = (struct exchanges){.loop = loop, .rules = rules};
    TAILQ_INIT(&exchanges->timed);
}

void exchanges_close(struct exchanges *exchanges)
{
    struct exchange *exchange;

    exchanges->closing = true;
    while ((exchange = TAILQ_FIRST(&exchanges->timed)))
        drop(exchange);
}

const char *exchange_decline(const struct exchange *exchange)
{
    return exchange->trouble.kind == TROUBLE_DECLINE ? exchange->trouble.code : NULL;
}

bool exchange_misstates_amount(const struct exchange *exchange)
{
    return exchange->trouble.kind == TROUBLE_WRONG_AMOUNT;
}

const char *exchange_key(const struct exchange *exchange)
{
    return exchange->key;
}
