#include "queue/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "queue/intake_batch.h"
#include "schema/order_state.h"

enum { LINKS = 2, BUCKETS = 16384, TICK_MS = 50 };

TAILQ_HEAD(follower_list, intake_ticket);
LIST_HEAD(bucket, intake_ticket);

struct intake {
    struct intake_batches batches;
    struct group_work accept_work; /* as intake_accept_work, with the batch that was asked for */
    struct group *accepts, *look_ups, *abandons;
    int waiting_max, follower_count;
    struct follower_list followers; /* of all leaders */
    struct bucket *listed;          /* tickets that will bind their key, by account and key */
    uint64_t seed;                  /* of the hash: keys are the clients' choice */
    uv_timer_t *tick;               /* runs while there is a follower */
};

static void on_group_settled(struct group_ticket *group_ticket);
static void on_group_released(struct group_ticket *group_ticket);
static void settle_follower(struct intake *intake, struct intake_ticket *ticket,
                            const struct intake_found *found, bool is_known);
static void on_tick(uv_timer_t *timer);

static struct bucket *bucket_of(struct intake *intake, int64_t account_id, const char *key)
{
    uint64_t hash = intake->seed ^ ((uint64_t)account_id * UINT64_C(0x9e3779b97f4a7c15));

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return &intake->listed[(hash ^ hash >> 32) % BUCKETS];
}

static struct intake_ticket *find_listed(struct intake *intake, const struct intake_ticket *ticket)
{
    struct intake_ticket *other;

    LIST_FOREACH (other, bucket_of(intake, ticket->account_id, ticket->key), next_listed) {
        if (other->account_id == ticket->account_id && strcmp(other->key, ticket->key) == 0)
            return other;
    }
    return NULL;
}

static void unlist(struct intake_ticket *ticket)
{
    if (ticket->is_listed)
        LIST_REMOVE(ticket, next_listed);
    ticket->is_listed = false;
}

static bool is_full(const struct intake *intake)
{
    return intake_waiting(intake) >= intake->waiting_max;
}

static void join(struct intake *intake, struct intake_ticket *leader, struct intake_ticket *ticket)
{
    uint64_t until = clock_monotonic_ms() + INTAKE_JOIN_MS;

    ticket->leader = leader;
    ticket->joined_until_ms = until < ticket->deadline_ms ? until : ticket->deadline_ms;
    leader->follower_count++;
    TAILQ_INSERT_TAIL(&intake->followers, ticket, next_follower);
    intake->follower_count++;
    if (!uv_is_active((uv_handle_t *)intake->tick))
        uv_timer_start(intake->tick, on_tick, TICK_MS, TICK_MS);
}

static void leave(struct intake *intake, struct intake_ticket *ticket)
{
    ticket->leader->follower_count--;
    ticket->leader = NULL;
    TAILQ_REMOVE(&intake->followers, ticket, next_follower);
    intake->follower_count--;
}

static bool submit(struct group *group, struct intake_ticket *ticket)
{
    ticket->group_ticket = (struct group_ticket){
        .on_settled = on_group_settled,
        .on_released = on_group_released,
        .deadline_ms = ticket->deadline_ms,
    };
    return group_submit(group, &ticket->group_ticket);
}

static void begin(struct intake *intake, struct intake_ticket *ticket,
                  bool (*submit_again)(struct intake *intake, struct intake_ticket *ticket))
{
    ticket->intake = intake;
    ticket->submit = submit_again;
    ticket->found = (struct intake_found){.has_key = false};
    ticket->follower_count = 0;
    ticket->is_passed_over = ticket->is_listed = false;
}

bool intake_accept(struct intake *intake, struct intake_ticket *ticket)
{
    struct intake_ticket *leader = find_listed(intake, ticket);

    if (is_full(intake))
        return false;
    begin(intake, ticket, intake_accept);
    if (leader) {
        join(intake, leader, ticket);
        return true;
    }
    if (!submit(intake->accepts, ticket))
        return false;
    LIST_INSERT_HEAD(bucket_of(intake, ticket->account_id, ticket->key), ticket, next_listed);
    ticket->is_listed = true;
    return true;
}

bool intake_look_up(struct intake *intake, struct intake_ticket *ticket)
{
    struct intake_ticket *leader = find_listed(intake, ticket);

    if (is_full(intake))
        return false;
    begin(intake, ticket, intake_look_up);
    if (leader) {
        join(intake, leader, ticket);
        return true;
    }
    return submit(intake->look_ups, ticket);
}

/* Joins nobody: whether the tombstone or the order comes first is for the constraint to say. */
bool intake_abandon(struct intake *intake, struct intake_ticket *ticket)
{
    begin(intake, ticket, intake_abandon);
    return !is_full(intake) && submit(intake->abandons, ticket);
}

static bool is_same(const struct order_id *a, const struct order_id *b)
{
    return memcmp(a->bytes, b->bytes, ORDER_ID_BYTES) == 0;
}

static bool has_content(const struct intake_ticket *ticket, const uint8_t *hash)
{
    return ticket->has_hash && memcmp(ticket->hash, hash, CONTENT_HASH_BYTES) == 0;
}

static enum intake_verdict judge_key(struct intake_ticket *ticket, const struct intake_found *found)
{
    ticket->id = found->key_order;
    if (found->is_abandoned)
        return INTAKE_KEY_ABANDONED;
    if (ticket->submit == intake_accept && is_same(&found->key_order, &ticket->made)) {
        ticket->renderer = ORDER_RENDERER;
        ticket->order_token_key = ticket->token_key;
        return INTAKE_ACCEPTED;
    }
    return ticket->submit == intake_abandon || has_content(ticket, found->key_hash)
               ? INTAKE_REPLAYED
               : INTAKE_KEY_REUSED;
}

static enum intake_verdict judge_cart(struct intake_ticket *ticket,
                                      const struct intake_found *found)
{
    ticket->id = found->cart_order;
    if (has_content(ticket, found->cart_hash))
        return INTAKE_CART_REPLAYED;
    return found->status == ORDER_CANCELED ? INTAKE_CART_CLOSED : INTAKE_CART_TAKEN;
}

static enum intake_verdict judge(struct intake_ticket *ticket, const struct intake_found *found)
{
    ticket->renderer = found->renderer;
    ticket->order_token_key = found->token_key;
    if (found->has_key)
        return judge_key(ticket, found);
    if (found->has_cart)
        return judge_cart(ticket, found);
    return ticket->submit == intake_look_up ? INTAKE_NOTHING : INTAKE_BROKEN;
}

/* One that was passed over may have been so by itself, sent on a link that was lost then: as long
 * as the look-up has not told, its outcome is not known. */
static enum intake_verdict judge_outcome(struct intake_ticket *ticket)
{
    if (ticket->is_passed_over && ticket->group_ticket.outcome != GROUP_COMMITTED)
        return INTAKE_UNKNOWN;
    switch (ticket->group_ticket.outcome) {
    case GROUP_COMMITTED:
        return judge(ticket, &ticket->found);
    case GROUP_REFUSED:
        return ticket->group_ticket.fault.kind == FAULT_TRANSIENT ? INTAKE_IN_FLIGHT
                                                                  : INTAKE_BROKEN;
    case GROUP_UNSENT:
        return INTAKE_UNSENT;
    case GROUP_UNKNOWN:
        return INTAKE_UNKNOWN;
    }
    return INTAKE_UNKNOWN;
}

/* By whom its key or its cart was taken is for a look-up to say, in a newer snapshot.  False: it is
 * not passed over, or was before. */
static bool is_to_look_up(const struct intake_ticket *ticket)
{
    return ticket->submit == intake_accept && !ticket->is_passed_over && !ticket->found.has_key &&
           ticket->group_ticket.outcome == GROUP_COMMITTED;
}

/* A ticket that is told "unknown" stays listed: its key is in flight until the batch is over. */
static void on_group_settled(struct group_ticket *group_ticket)
{
    struct intake_ticket *ticket = container_of(group_ticket, struct intake_ticket, group_ticket);

    if (is_to_look_up(ticket))
        return;
    ticket->verdict = judge_outcome(ticket);
    ticket->on_settled(ticket);
}

static void take_followers(struct intake *intake, struct intake_ticket *leader,
                           struct follower_list *taken)
{
    struct intake_ticket *ticket, *following;

    TAILQ_INIT(taken);
    if (leader->follower_count == 0)
        return;
    for (ticket = TAILQ_FIRST(&intake->followers); ticket; ticket = following) {
        following = TAILQ_NEXT(ticket, next_follower);
        if (ticket->leader == leader) {
            leave(intake, ticket);
            TAILQ_INSERT_TAIL(taken, ticket, next_follower);
        }
    }
}

/* False: it could not be, and was told so. */
static bool look_up_passed_over(struct intake *intake, struct intake_ticket *ticket)
{
    ticket->is_passed_over = true;
    if (submit(intake->look_ups, ticket))
        return true;
    ticket->group_ticket.outcome = GROUP_UNSENT;
    on_group_settled(&ticket->group_ticket);
    return false;
}

/* First unlisted and its followers taken, then told: who is told may submit, and free the leader.
 */
static void on_group_released(struct group_ticket *group_ticket)
{
    struct intake_ticket *ticket = container_of(group_ticket, struct intake_ticket, group_ticket);
    struct intake *intake = ticket->intake;
    struct intake_found found;
    struct follower_list followers;
    bool is_known;

    if (is_to_look_up(ticket) && look_up_passed_over(intake, ticket))
        return;
    is_known = group_ticket->outcome == GROUP_COMMITTED;
    found = ticket->found;
    unlist(ticket);
    take_followers(intake, ticket, &followers);
    ticket->on_released(ticket);
    while ((ticket = TAILQ_FIRST(&followers)) != NULL) {
        TAILQ_REMOVE(&followers, ticket, next_follower);
        settle_follower(intake, ticket, &found, is_known);
    }
}

static void tell(struct intake_ticket *ticket, enum intake_verdict verdict)
{
    ticket->verdict = verdict;
    ticket->on_settled(ticket);
    ticket->on_released(ticket);
}

/* The leader's key is bound: to what, is an answer.  It is not (the leader lost by its cart): the
 * follower asks for itself. */
static void settle_follower(struct intake *intake, struct intake_ticket *ticket,
                            const struct intake_found *found, bool is_known)
{
    if (!is_known)
        tell(ticket, INTAKE_IN_FLIGHT);
    else if (found->has_key)
        tell(ticket, judge(ticket, found));
    else if (!ticket->submit(intake, ticket))
        tell(ticket, INTAKE_UNSENT);
}

static bool is_late(const struct intake_ticket *ticket, uint64_t now)
{
    return now >= ticket->joined_until_ms;
}

static void on_tick(uv_timer_t *timer)
{
    struct intake *intake = timer->data;
    struct follower_list late = TAILQ_HEAD_INITIALIZER(late);
    struct intake_ticket *ticket, *following;
    uint64_t now = clock_monotonic_ms();

    for (ticket = TAILQ_FIRST(&intake->followers); ticket; ticket = following) {
        following = TAILQ_NEXT(ticket, next_follower);
        if (is_late(ticket, now)) {
            leave(intake, ticket);
            TAILQ_INSERT_TAIL(&late, ticket, next_follower);
        }
    }
    while ((ticket = TAILQ_FIRST(&late)) != NULL) {
        TAILQ_REMOVE(&late, ticket, next_follower);
        tell(ticket, INTAKE_IN_FLIGHT);
    }
    if (intake->follower_count == 0)
        uv_timer_stop(timer);
}

bool intake_is_ready(const struct intake *intake)
{
    return group_is_ready(intake->accepts) && group_is_ready(intake->look_ups);
}

bool intake_is_idle(const struct intake *intake)
{
    return group_is_idle(intake->accepts) && group_is_idle(intake->look_ups) &&
           group_is_idle(intake->abandons) && intake->follower_count == 0;
}

int intake_waiting(const struct intake *intake)
{
    return group_waiting(intake->accepts) + group_waiting(intake->look_ups) +
           group_waiting(intake->abandons) + intake->follower_count;
}

int intake_accepts_waiting(const struct intake *intake)
{
    return group_waiting(intake->accepts);
}

struct intake *intake_create(uv_loop_t *loop, const struct intake_options *options)
{
    struct intake *intake = xcalloc(1, sizeof(*intake));
    struct group_options group_options = {
        .server = &options->database->server,
        .links = LINKS,
        .owner = &intake->batches,
    };

    intake->batches.database = options->database;
    pg_params_init(&intake->batches.params);
    intake->waiting_max = options->waiting_max;
    intake->seed = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
    TAILQ_INIT(&intake->followers);
    intake->listed = xcalloc(BUCKETS, sizeof(*intake->listed));
    intake->tick = xcalloc(1, sizeof(*intake->tick));
    intake->tick->data = intake;
    uv_timer_init(loop, intake->tick);
    intake->accept_work = intake_accept_work;
    intake->accept_work.tickets_max = options->batch_max;
    intake->look_ups = group_create(loop, &intake_look_up_work, &group_options);
    intake->abandons = group_create(loop, &intake_abandon_work, &group_options);
    group_options.watch = options->watch;
    intake->accepts = group_create(loop, &intake->accept_work, &group_options);
    return intake;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void intake_destroy(struct intake *intake)
{
    if (intake == NULL)
        return;
    group_destroy(intake->accepts);
    group_destroy(intake->look_ups);
    group_destroy(intake->abandons);
    pg_params_finish(&intake->batches.params);
    uv_close((uv_handle_t *)intake->tick, free_handle);
    free(intake->listed);
    free(intake);
}
