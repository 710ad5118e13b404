/* base/http/deadline.h - many deadlines of few lengths on one timer
 *
 * All deadlines of a list have the same length, so the list is always in the order of expiry and
 * starting, moving and stopping one is O(1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct http_deadline {
    TAILQ_ENTRY(http_deadline) link;
    struct http_deadline_list *list; /* NULL: not waiting */
    uint64_t due_ms;
};

struct http_deadline_list {
    TAILQ_HEAD(, http_deadline) waiting;
    uint64_t after_ms;
    void (*on_expired)(struct http_deadline *deadline); /* it is stopped when this is called */
};

enum { HTTP_DEADLINE_LISTS_MAX = 6 };

struct http_deadlines {
    uv_timer_t timer;
    struct http_deadline_list lists[HTTP_DEADLINE_LISTS_MAX];
    uint64_t armed_ms; /* 0: not armed */
};

void http_deadlines_init(struct http_deadlines *deadlines, uv_loop_t *loop);
void http_deadlines_close(struct http_deadlines *deadlines, uv_close_cb on_closed);

void http_deadline_list_init(struct http_deadlines *deadlines, int list, uint64_t after_ms,
                             void (*on_expired)(struct http_deadline *deadline));
/* Restarts one that is waiting, in whichever list. */
void http_deadline_start(struct http_deadlines *deadlines, int list,
                         struct http_deadline *deadline);
void http_deadline_stop(struct http_deadline *deadline);
