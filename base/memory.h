/* base/memory.h - allocation that does not fail, arenas, and cleanup at the end of a scope
 *
 * Running out of memory ends the process: every promise is already in Postgres, so a restart loses
 * nothing, and no caller carries an error path that is never tested.  Sizes that a client chooses
 * are bounded before they get here.
 */
#pragma once

#include <stddef.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define container_of(member_pointer, type, member)                                                 \
    ((type *)(void *)((char *)(member_pointer)-offsetof(type, member)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

void *xcalloc(size_t count, size_t size)
    __attribute__((malloc, alloc_size(1, 2), returns_nonnull, warn_unused_result));
void *xrealloc(void *memory, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *string) __attribute__((malloc, returns_nonnull, warn_unused_result));

/* Many small pieces that die together: one per request. */
struct arena {
    struct arena_block *blocks;
};

void arena_init(struct arena *arena);
void arena_finish(struct arena *arena); /* frees every piece; the arena may be used again */
void *arena_alloc(struct arena *arena, size_t size) /* zeroed, aligned for anything */
    __attribute__((malloc, alloc_size(2), returns_nonnull, warn_unused_result));
char *arena_copy(struct arena *arena, const char *bytes, size_t length) /* NUL-terminated */
    __attribute__((malloc, returns_nonnull, warn_unused_result));
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), malloc, returns_nonnull, warn_unused_result));
