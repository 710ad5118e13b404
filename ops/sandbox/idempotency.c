#include "ops/sandbox/idempotency.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void idempotency_init(struct idempotency *store, int64_t lifetime_us)
{
    *store = (struct idempotency){.lifetime_us = lifetime_us};
}

static struct idempotency_entry *entry_of(struct table_item *item)
{
    return item ? container_of(item, struct idempotency_entry, by_key) : NULL;
}

static void destroy_entry(struct idempotency_entry *entry)
{
    free(entry->key);
    free(entry->body);
    free(entry);
}

void idempotency_finish(struct idempotency *store)
{
    for (size_t i = 0; i < store->entries.slot_count; i++)
        while (store->entries.slots[i])
            idempotency_forget(store, entry_of(store->entries.slots[i]));
    table_finish(&store->entries);
}

void idempotency_print(char print[IDEMPOTENCY_PRINT_SIZE], const char *method, const char *path,
                       const char *parameters)
{
    unsigned char digest[32];
    CLEANUP(text_finish) struct text text;

    text_init(&text, SIZE_MAX / 2);
    text_print(&text, "%s %s\n", method, path);
    text_add(&text, parameters);
    EVP_Digest(text.bytes, text.length, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(print + 2 * i, 3, "%02x", digest[i]);
}

static struct idempotency_entry *add_entry(struct idempotency *store, const char *key,
                                           const char *print, int64_t begun_us)
{
    struct idempotency_entry *entry = xcalloc(1, sizeof(*entry));

    entry->key = xstrdup(key);
    entry->begun_us = begun_us;
    snprintf(entry->print, sizeof(entry->print), "%s", print);
    table_add(&store->entries, &entry->by_key, entry->key);
    return entry;
}

enum idempotency_verdict idempotency_begin(struct idempotency *store, const char *key,
                                           const char *print, int64_t now_us,
                                           struct idempotency_entry **entry)
{
    *entry = entry_of(table_find(&store->entries, key));
    if (*entry && (*entry)->status != 0 && now_us - (*entry)->begun_us >= store->lifetime_us) {
        idempotency_forget(store, *entry);
        *entry = NULL;
    }
    if (!*entry) {
        *entry = add_entry(store, key, print, now_us);
        return IDEMPOTENCY_BEGUN;
    }
    if (strcmp((*entry)->print, print) != 0)
        return IDEMPOTENCY_MISMATCHED;
    return (*entry)->status == 0 ? IDEMPOTENCY_IN_FLIGHT : IDEMPOTENCY_REPLAYED;
}

void idempotency_keep(struct idempotency_entry *entry, int status, const char *body, size_t length)
{
    entry->status = status;
    entry->body = xcalloc(1, length + 1);
    memcpy(entry->body, body, length);
    entry->body_length = length;
}

void idempotency_forget(struct idempotency *store, struct idempotency_entry *entry)
{
    table_remove(&store->entries, &entry->by_key);
    destroy_entry(entry);
}

void idempotency_journal(const struct idempotency_entry *entry, struct text *state)
{
    text_add(state, "\"answer\":{\"key\":");
    text_add_json(state, entry->key);
    text_print(state,
               ",\"print\":\"%s\",\"begun_us\":%" PRId64 ",\"status\":%d,\"body\":", entry->print,
               entry->begun_us, entry->status);
    text_add_json(state, entry->body);
    text_add(state, "}");
}

void idempotency_restore(struct idempotency *store, const json_t *answer)
{
    const char *key = json_string_value(json_object_get(answer, "key"));
    const char *print = json_string_value(json_object_get(answer, "print"));
    const json_t *body = json_object_get(answer, "body");
    struct idempotency_entry *old;

    if (!key || !print || !body)
        return;
    old = entry_of(table_find(&store->entries, key));
    if (old)
        idempotency_forget(store, old);
    idempotency_keep(
        add_entry(store, key, print, json_integer_value(json_object_get(answer, "begun_us"))),
        (int)json_integer_value(json_object_get(answer, "status")), json_string_value(body),
        json_string_length(body));
}
