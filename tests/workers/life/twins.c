/* Orders that no key shows to be the same (twin_check.sql, order_release.sql). */
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"

/* Its payment failed, or it is taken back, or about to be: it is no duplicate. */
static bool is_out(const struct book *book)
{
    static const enum order_status out[] = {ORDER_PAYMENT_FAILED, ORDER_OUT_OF_STOCK,
                                            ORDER_CANCELING,      ORDER_CANCELED,
                                            ORDER_REFUNDING,      ORDER_REFUNDED};

    for (size_t i = 0; i < ARRAY_SIZE(out); i++)
        if (book->status == out[i])
            return true;
    return false;
}

static bool is_unasked(const struct book *book)
{
    for (int i = 0; i < book->attempt_count; i++)
        if (book->attempts[i].state != ATTEMPT_CREATED)
            return false;
    return true;
}

bool twins_find(int order)
{
    world.books[order].is_noted = true;
    if (order == 1) /* the later one finds the earlier, if that is committed by then */
        world.books[0].is_noted |= world.random % 4 != 0;
    return world.books[!order].is_noted;
}

bool twins_check(int order)
{
    struct book *mine = &world.books[order], *other = &world.books[!order];
    struct book *later = &world.books[1], *flagged = later;

    if (!twins_find(order) || is_out(mine) || is_out(other) || later->duplicate != DUPLICATE_NONE)
        return false;
    if (mine != later && (order_status_is_final(later->status) || !is_unasked(later)))
        flagged = mine;
    if (flagged->duplicate != DUPLICATE_NONE)
        return false;
    flagged->duplicate = DUPLICATE_FLAGGED;
    flagged->version++;
    return flagged == mine;
}

void twins_release(int order)
{
    struct book *book = &world.books[order];
    struct task *task = &book->tasks[STAGE_PAYMENT];

    if (book->status != ORDER_ON_HOLD || book->duplicate != DUPLICATE_FLAGGED ||
        strcmp(book->reason, "possible_duplicate") != 0)
        return;
    world_see(SAW_TWIN_RELEASED);
    book->duplicate = DUPLICATE_RELEASED;
    book->version++;
    if (task->state == TASK_WAITING)
        task->state = TASK_READY;
}
