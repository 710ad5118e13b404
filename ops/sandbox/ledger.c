#include "ops/sandbox/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

struct line {
    uint64_t sequence;
    char *order, *text;
};

TAILQ_HEAD(ledger_waits, ledger_wait);

struct ledger {
    uv_loop_t *loop;
    int file; /* -1: in memory */
    char *path;
    uint64_t *sequence;
    struct line *lines; /* the facts only */
    size_t count, room;

    struct text gathering; /* lines that no sync carries yet */
    struct text syncing;   /* lines of the sync under way */
    bool busy;             /* a sync is under way */
    uv_work_t work;
    struct ledger_waits next;   /* for the sync after this one */
    struct ledger_waits riding; /* for the one under way */
};

static void sync_gathered(struct ledger *ledger);
static void write_and_sync(uv_work_t *work);
static void on_synced(uv_work_t *work, int status);

/* --- recording ----------------------------------------------------------------------------- */

static void add_line(struct ledger *ledger, uint64_t sequence, const char *order, const char *text)
{
    if (ledger->count == ledger->room) {
        ledger->room = ledger->room ? ledger->room * 2 : 1024;
        ledger->lines = xrealloc(ledger->lines, ledger->room * sizeof(*ledger->lines));
    }
    ledger->lines[ledger->count++] =
        (struct line){.sequence = sequence, .order = xstrdup(order), .text = xstrdup(text)};
}

static void add_member(struct text *text, const char *name, const char *value)
{
    text_print(text, ",\"%s\":", name);
    text_add_json(text, value ? value : "");
}

static void add_member_if_set(struct text *text, const char *name, const char *value)
{
    if (value)
        add_member(text, name, value);
}

static void begin_line(struct text *text, uint64_t sequence, const char *kind)
{
    char at[CLOCK_RFC3339_SIZE];

    clock_format(clock_wall_us(), at, sizeof(at));
    text_print(text, "{\"seq\":%" PRIu64 ",\"at\":\"%s\",\"kind\":\"%s\"", sequence, at, kind);
}

static void render_fact(struct text *text, uint64_t sequence, const struct ledger_fact *fact)
{
    begin_line(text, sequence, fact->kind);
    add_member(text, "order", fact->order);
    add_member(text, "intent", fact->intent);
    add_member(text, "key", fact->key);
    text_print(text, ",\"amount\":%" PRId64, fact->amount);
    add_member(text, "currency", fact->currency);
    add_member_if_set(text, "charge", fact->charge);
    add_member_if_set(text, "refund", fact->refund);
    add_member_if_set(text, "shipment", fact->shipment);
    add_member_if_set(text, "reference", fact->reference);
}

static void gather(struct ledger *ledger, const char *begun, const char *state)
{
    if (ledger->file < 0)
        return;
    text_add(&ledger->gathering, begun);
    text_print(&ledger->gathering, ",\"state\":{%s}}\n", state);
}

void ledger_record(struct ledger *ledger, const struct ledger_fact *fact, const char *state)
{
    uint64_t sequence = (*ledger->sequence)++;
    CLEANUP(text_finish) struct text text;

    text_init(&text, SIZE_MAX / 2);
    render_fact(&text, sequence, fact);
    gather(ledger, text.bytes, state);
    text_add(&text, "}\n");
    add_line(ledger, sequence, fact->order ? fact->order : "", text.bytes);
}

void ledger_record_state(struct ledger *ledger, const char *state)
{
    CLEANUP(text_finish) struct text text = {0};

    if (ledger->file < 0)
        return;
    text_init(&text, SIZE_MAX / 2);
    begin_line(&text, (*ledger->sequence)++, "state");
    gather(ledger, text.bytes, state);
}

/* --- syncing: what arrives during one sync forms the next ---------------------------------- */

bool ledger_wait(struct ledger *ledger, struct ledger_wait *wait)
{
    if (!ledger->busy && ledger->gathering.length == 0)
        return false;
    if (ledger->gathering.length == 0)
        TAILQ_INSERT_TAIL(&ledger->riding, wait, link);
    else
        TAILQ_INSERT_TAIL(&ledger->next, wait, link);
    if (!ledger->busy)
        sync_gathered(ledger);
    return true;
}

static void sync_gathered(struct ledger *ledger)
{
    struct text empty = ledger->syncing;

    ledger->syncing = ledger->gathering;
    ledger->gathering = empty;
    TAILQ_CONCAT(&ledger->riding, &ledger->next, link);
    ledger->busy = true;
    uv_queue_work(ledger->loop, &ledger->work, write_and_sync, on_synced);
}

static void give_up(const struct ledger *ledger, const char *what)
{
    log_error("ledger_lost", "%s %s: %s; the sandbox ends, because it could not testify", what,
              ledger->path, strerror(errno));
    _exit(1);
}

/* On the thread pool: touches nothing but `syncing` and the file. */
static void write_and_sync(uv_work_t *work)
{
    struct ledger *ledger = container_of(work, struct ledger, work);
    const char *bytes = ledger->syncing.bytes;
    size_t left = ledger->syncing.length;

    while (left > 0) {
        ssize_t written = write(ledger->file, bytes, left);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            give_up(ledger, "cannot write");
        bytes += written;
        left -= (size_t)written;
    }
    if (fdatasync(ledger->file) != 0)
        give_up(ledger, "cannot sync");
}

static void on_synced(uv_work_t *work, int status)
{
    struct ledger *ledger = container_of(work, struct ledger, work);
    struct ledger_waits told;
    struct ledger_wait *wait;

    (void)status; /* never canceled */
    TAILQ_INIT(&told);
    TAILQ_CONCAT(&told, &ledger->riding, link);
    text_clear(&ledger->syncing);
    ledger->busy = false;
    if (ledger->gathering.length > 0)
        sync_gathered(ledger);
    while ((wait = TAILQ_FIRST(&told))) {
        TAILQ_REMOVE(&told, wait, link);
        wait->on_durable(wait);
    }
}

/* --- reading ------------------------------------------------------------------------------- */

size_t ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}

uint64_t ledger_sequence(const struct ledger *ledger, size_t index)
{
    return ledger->lines[index].sequence;
}

const char *ledger_line(const struct ledger *ledger, size_t index, const char *order)
{
    const struct line *line = &ledger->lines[index];

    return order && strcmp(order, line->order) != 0 ? NULL : line->text;
}

/* --- restoring ----------------------------------------------------------------------------- */

static void keep_fact(struct ledger *ledger, json_t *fact, uint64_t sequence)
{
    const char *order = json_string_value(json_object_get(fact, "order"));
    char *shown;
    CLEANUP(text_finish) struct text text;

    json_object_del(fact, "state");
    shown = json_dumps(fact, JSON_COMPACT | JSON_PRESERVE_ORDER);
    text_init(&text, SIZE_MAX / 2);
    text_print(&text, "%s\n", shown);
    add_line(ledger, sequence, order ? order : "", text.bytes);
    free(shown);
}

static bool restore_line(struct ledger *ledger, const char *bytes, size_t length,
                         void (*restore)(void *owner, const json_t *state), void *owner)
{
    json_t *line = json_loadb(bytes, length, 0, NULL);
    const char *kind = json_string_value(json_object_get(line, "kind"));
    const json_t *state = json_object_get(line, "state");
    uint64_t sequence = (uint64_t)json_integer_value(json_object_get(line, "seq"));

    if (kind && state) {
        restore(owner, state);
        if (sequence >= *ledger->sequence)
            *ledger->sequence = sequence + 1;
        if (strcmp(kind, "state") != 0)
            keep_fact(ledger, line, sequence);
    }
    json_decref(line);
    return kind && state;
}

static bool restore_lines(struct ledger *ledger, FILE *file,
                          void (*restore)(void *owner, const json_t *state), void *owner,
                          struct fault *fault)
{
    char *line = NULL;
    size_t room = 0;
    off_t whole = 0;
    bool sound = true;

    for (int number = 1; sound; number++) {
        ssize_t length = getline(&line, &room, file);

        if (length <= 0 || line[length - 1] != '\n')
            break; /* the end, or a line that the last crash tore: nobody was told of it */
        if (!restore_line(ledger, line, (size_t)length, restore, owner))
            sound = fail(fault, FAULT_BROKEN, "%s line %d is no ledger line: move the file away",
                         ledger->path, number);
        whole += length;
    }
    free(line);
    if (sound && ftruncate(ledger->file, whole) != 0)
        return fail(fault, FAULT_BROKEN, "cannot cut %s: %s", ledger->path, strerror(errno));
    return sound;
}

bool ledger_restore(struct ledger *ledger, void (*restore)(void *owner, const json_t *state),
                    void *owner, struct fault *fault)
{
    FILE *file;
    bool restored;

    if (ledger->file < 0)
        return true;
    file = fopen(ledger->path, "re");
    if (!file)
        return fail(fault, FAULT_BROKEN, "cannot read %s: %s", ledger->path, strerror(errno));
    restored = restore_lines(ledger, file, restore, owner, fault);
    fclose(file);
    return restored;
}

/* --- opening ------------------------------------------------------------------------------- */

/* The name itself must survive too, so the directory is synced. */
static bool open_file(struct ledger *ledger, const char *directory, struct fault *fault)
{
    int parent;

    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return fail(fault, FAULT_REFUSED, "cannot make %s: %s", directory, strerror(errno));
    ledger->file = open(ledger->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (ledger->file < 0)
        return fail(fault, FAULT_REFUSED, "cannot open %s: %s", ledger->path, strerror(errno));
    if (flock(ledger->file, LOCK_EX | LOCK_NB) != 0)
        return fail(fault, FAULT_REFUSED, "%s is in use by another sandbox", ledger->path);
    parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) != 0)
        return fail(fault, FAULT_REFUSED, "cannot sync %s: %s", directory, strerror(errno));
    close(parent);
    return true;
}

struct ledger *ledger_open(uv_loop_t *loop, const char *directory, const char *name,
                           uint64_t *sequence, struct fault *fault)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));
    CLEANUP(text_finish) struct text path;

    ledger->loop = loop;
    ledger->file = -1;
    ledger->sequence = sequence;
    text_init(&ledger->gathering, SIZE_MAX / 2);
    text_init(&ledger->syncing, SIZE_MAX / 2);
    TAILQ_INIT(&ledger->next);
    TAILQ_INIT(&ledger->riding);
    text_init(&path, 4096);
    text_print(&path, "%s/%s", directory, name);
    ledger->path = text_take(&path, NULL);
    if (*directory && !open_file(ledger, directory, fault)) {
        ledger_close(ledger);
        return NULL;
    }
    return ledger;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->file >= 0)
        close(ledger->file);
    for (size_t i = 0; i < ledger->count; i++) {
        free(ledger->lines[i].order);
        free(ledger->lines[i].text);
    }
    text_finish(&ledger->gathering);
    text_finish(&ledger->syncing);
    free(ledger->lines);
    free(ledger->path);
    free(ledger);
}
