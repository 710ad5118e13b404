#include "api/feeds.h"

#include <stdlib.h>
#include <string.h>

#include "api/order_view.h"
#include "api/sse.h"
#include "base/clock.h"

enum { BUCKETS = 4096, UNSEEN = INT32_MAX - 1, EVENT_BYTES_MAX = 2 * VIEW_BYTES_MAX };

LIST_HEAD(followers, follower);
LIST_HEAD(feed_bucket, feed);

/* One order that is followed.  Lives until nobody follows it and the reader has let go of it. */
struct feed {
    struct feeds *feeds;
    struct followers followers;
    int count;
    struct waiter waiter; /* always waits; its version is the newest that was given out */
    struct reading reading;
    bool is_waiting, is_held; /* by the reader */
    bool is_stale;            /* something happened since the read under way was begun */
    LIST_ENTRY(feed) next;
};

struct feeds {
    struct feeds_options options;
    struct feed_bucket buckets[BUCKETS];
    bool is_stopping;
};

/* In the order they happen. */
static bool look(struct feed *feed);
static void on_read(struct reading *reading);
static void give_out(struct feed *feed);
static void on_released(struct reading *reading);
static void on_woken(struct waiter *waiter, bool is_late);

static struct feed_bucket *bucket_of(struct feeds *feeds, const struct order_id *id)
{
    return &feeds->buckets[order_id_hash(id) % BUCKETS];
}

static struct feed *find(struct feeds *feeds, const struct order_id *id)
{
    struct feed *feed;

    LIST_FOREACH (feed, bucket_of(feeds, id), next) {
        if (memcmp(feed->reading.id.bytes, id->bytes, ORDER_ID_BYTES) == 0)
            return feed;
    }
    return NULL;
}

/* How many feeds there are is bounded by the number of streams. */
static void await(struct feed *feed)
{
    feed->waiter.until_ms = UINT64_MAX;
    feed->waiter.on_woken = on_woken;
    waiters_add_uncounted(feed->feeds->options.waiters, &feed->waiter);
    feed->is_waiting = true;
}

static struct feed *feed_create(struct feeds *feeds, const struct order_id *id)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));

    feed->feeds = feeds;
    LIST_INIT(&feed->followers);
    feed->reading.id = feed->waiter.id = *id;
    feed->reading.on_settled = on_read;
    feed->reading.on_released = on_released;
    feed->waiter.version = UNSEEN; /* only a hint is news before the first read */
    LIST_INSERT_HEAD(bucket_of(feeds, id), feed, next);
    await(feed);
    return feed;
}

static void free_if_over(struct feed *feed)
{
    if (feed->is_held || feed->count > 0)
        return;
    if (feed->is_waiting)
        waiters_remove(feed->feeds->options.waiters, &feed->waiter);
    LIST_REMOVE(feed, next);
    free(feed);
}

enum feeds_answer feeds_follow(struct feeds *feeds, struct follower *follower)
{
    struct feed *feed = find(feeds, &follower->id);

    if (feed == NULL)
        feed = feed_create(feeds, &follower->id);
    if (feed->count >= FOLLOWERS_OF_ONE_ORDER_MAX)
        return FEEDS_ORDER_FULL;
    follower->feed = feed;
    follower->is_asked = follower->follows = false;
    LIST_INSERT_HEAD(&feed->followers, follower, next);
    feed->count++;
    if (feed->is_held) {
        feed->is_stale = true;
    } else if (!look(feed)) {
        feeds_leave(follower);
        return FEEDS_BUSY;
    }
    return FEEDS_TAKEN;
}

static void leave_out(struct follower *follower)
{
    LIST_REMOVE(follower, next);
    follower->feed->count--;
    follower->feed = NULL;
}

void feeds_leave(struct follower *follower)
{
    struct feed *feed = follower->feed;

    leave_out(follower);
    free_if_over(feed);
}

/* Everything that happened up to now is covered by this read. */
static bool look(struct feed *feed)
{
    struct reading *reading = &feed->reading;
    struct follower *follower;

    feed->is_stale = false;
    reading->known_version = INT32_MAX;
    LIST_FOREACH (follower, &feed->followers, next) {
        if (follower->version >= 0 && follower->version < reading->known_version)
            reading->known_version = follower->version;
        follower->is_asked = true;
    }
    reading->wants_passed = reading->known_version != INT32_MAX;
    reading->deadline_ms = clock_monotonic_ms() + (uint64_t)feed->feeds->options.deadline_ms;
    feed->is_held = reader_submit(feed->feeds->options.reader, reading);
    return feed->is_held;
}

/* Those that already follow wait on: the second's question wakes the feed again. */
static void refuse_new(struct feed *feed)
{
    struct follower *follower = LIST_FIRST(&feed->followers), *following;

    for (; follower; follower = following) {
        following = LIST_NEXT(follower, next);
        if (follower->follows || !follower->is_asked)
            continue;
        leave_out(follower);
        (void)follower->on_look(follower, &feed->reading);
    }
}

static void on_read(struct reading *reading)
{
    struct feed *feed = container_of(reading, struct feed, reading);

    if (reading->is_read && reading->is_found)
        give_out(feed);
    else
        refuse_new(feed);
}

/* The versions that passed, then the newest; each is rendered once for all. */
struct news {
    int count;
    struct {
        int32_t version;
        struct text event;
    } events[PASSED_MAX + 1];
};

static void add_news(struct news *news, int32_t version, const struct text *body)
{
    struct text *event = &news->events[news->count].event;

    news->events[news->count++].version = version;
    text_init(event, EVENT_BYTES_MAX);
    sse_add_event(event, version, body->bytes, body->length);
}

static void gather_news(struct news *news, const struct reading *reading)
{
    struct text body;

    news->count = 0;
    text_init(&body, VIEW_BYTES_MAX);
    for (int i = 0; i < reading->passed_count; i++) {
        reader_render_passed(reading, &reading->passed[i], &body);
        add_news(news, reading->passed[i].version, &body);
    }
    text_finish(&body);
    add_news(news, reading->version, &reading->body);
}

static void forget_news(struct news *news)
{
    for (int i = 0; i < news->count; i++)
        text_finish(&news->events[i].event);
}

/* False: it is left out. */
static bool give(struct follower *follower, const struct news *news)
{
    int from = follower->version == FOLLOWER_HAS_NOTHING ? news->count - 1 : 0;

    for (int i = from; i < news->count; i++) {
        if (news->events[i].version <= follower->version)
            continue;
        if (!follower->on_event(follower, &news->events[i].event))
            return false;
        follower->version = news->events[i].version;
    }
    return true;
}

static bool begin(struct follower *follower, const struct reading *reading)
{
    if (follower->version > reading->version) /* no version of this order: it begins anew */
        follower->version = FOLLOWER_HAS_NOTHING;
    follower->follows = true;
    return follower->on_look(follower, reading);
}

static void give_out(struct feed *feed)
{
    const struct reading *reading = &feed->reading;
    bool is_over = reading->is_final || feed->feeds->is_stopping;
    struct follower *follower = LIST_FIRST(&feed->followers), *following;
    struct news news;

    feed->waiter.version = reading->version;
    gather_news(&news, reading);
    for (; follower; follower = following) {
        following = LIST_NEXT(follower, next);
        if (!follower->is_asked)
            continue;
        leave_out(follower); /* for as long as others may touch it */
        if ((!follower->follows && !begin(follower, reading)) || !give(follower, &news))
            continue;
        if (is_over) {
            follower->on_over(follower);
            continue;
        }
        follower->feed = feed;
        LIST_INSERT_HEAD(&feed->followers, follower, next);
        feed->count++;
    }
    forget_news(&news);
}

static void on_released(struct reading *reading)
{
    struct feed *feed = container_of(reading, struct feed, reading);

    feed->is_held = false;
    if (feed->count > 0 && feed->is_stale && !look(feed)) {
        reading->is_read = false;
        refuse_new(feed);
    }
    free_if_over(feed);
}

static void end_all(struct feed *feed)
{
    struct follower *follower = LIST_FIRST(&feed->followers), *following;

    for (; follower; follower = following) {
        following = LIST_NEXT(follower, next);
        if (!follower->follows)
            continue;
        leave_out(follower);
        follower->on_over(follower);
    }
}

/* Late is nobody but at the end of the process. */
static void on_woken(struct waiter *waiter, bool is_late)
{
    struct feed *feed = container_of(waiter, struct feed, waiter);

    feed->is_waiting = false;
    if (is_late) {
        end_all(feed);
        free_if_over(feed);
        return;
    }
    await(feed);
    feed->is_stale = true;
    if (!feed->is_held)
        (void)look(feed); /* too many are read: the second's question comes again */
}

void feeds_stop(struct feeds *feeds)
{
    feeds->is_stopping = true;
}

struct feeds *feeds_create(const struct feeds_options *options)
{
    struct feeds *feeds = xcalloc(1, sizeof(*feeds));

    feeds->options = *options;
    return feeds;
}

void feeds_destroy(struct feeds *feeds)
{
    free(feeds);
}
