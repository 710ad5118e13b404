#include "base/http/deadline.h"

#include "base/memory.h"

static void on_timer(uv_timer_t *timer);

void http_deadlines_init(struct http_deadlines *deadlines, uv_loop_t *loop)
{
    deadlines->armed_ms = 0;
    uv_timer_init(loop, &deadlines->timer);
}

void http_deadlines_close(struct http_deadlines *deadlines, uv_close_cb on_closed)
{
    uv_close((uv_handle_t *)&deadlines->timer, on_closed);
}

void http_deadline_list_init(struct http_deadlines *deadlines, int list, uint64_t after_ms,
                             void (*on_expired)(struct http_deadline *deadline))
{
    struct http_deadline_list *made = &deadlines->lists[list];

    TAILQ_INIT(&made->waiting);
    made->after_ms = after_ms;
    made->on_expired = on_expired;
}

static void arm(struct http_deadlines *deadlines, uint64_t due_ms)
{
    uint64_t now = uv_now(deadlines->timer.loop);

    deadlines->armed_ms = due_ms;
    uv_timer_start(&deadlines->timer, on_timer, due_ms > now ? due_ms - now : 0, 0);
}

void http_deadline_start(struct http_deadlines *deadlines, int list, struct http_deadline *deadline)
{
    struct http_deadline_list *to = &deadlines->lists[list];

    http_deadline_stop(deadline);
    deadline->list = to;
    deadline->due_ms = uv_now(deadlines->timer.loop) + to->after_ms;
    TAILQ_INSERT_TAIL(&to->waiting, deadline, link);
    if (deadlines->armed_ms == 0 || deadline->due_ms < deadlines->armed_ms)
        arm(deadlines, deadline->due_ms);
}

void http_deadline_stop(struct http_deadline *deadline)
{
    if (deadline->list == NULL)
        return;
    TAILQ_REMOVE(&deadline->list->waiting, deadline, link);
    deadline->list = NULL;
}

static void expire(struct http_deadline_list *list, uint64_t now)
{
    struct http_deadline *first;

    while ((first = TAILQ_FIRST(&list->waiting)) != NULL && first->due_ms <= now) {
        http_deadline_stop(first);
        list->on_expired(first);
    }
}

/* Deadlines that were stopped or moved meanwhile make it ring too early: it looks and waits on. */
static void on_timer(uv_timer_t *timer)
{
    struct http_deadlines *deadlines = container_of(timer, struct http_deadlines, timer);
    uint64_t now = uv_now(timer->loop), next = 0;

    deadlines->armed_ms = 0;
    for (int i = 0; i < HTTP_DEADLINE_LISTS_MAX; i++)
        expire(&deadlines->lists[i], now);
    for (int i = 0; i < HTTP_DEADLINE_LISTS_MAX; i++) {
        struct http_deadline *first = TAILQ_FIRST(&deadlines->lists[i].waiting);

        if (first != NULL && (next == 0 || first->due_ms < next))
            next = first->due_ms;
    }
    if (next != 0)
        arm(deadlines, next);
}
