#include "base/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
enum { BLOCK_BYTES = 4096 - 64, SPARES_MAX = 0 }; /* what is used too late is to be found */
#else
enum { BLOCK_BYTES = 4096 - 64, SPARES_MAX = 256 };
#endif

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

static void check(const void *memory, size_t size)
{
    if (memory != NULL)
        return;
    fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);

    check(memory, count * size);
    return memory;
}

void *xrealloc(void *memory, size_t size)
{
    void *moved = realloc(memory, size ? size : 1);

    check(moved, size);
    return moved;
}

char *xstrdup(const char *string)
{
    size_t size = strlen(string) + 1;

    return memcpy(xcalloc(1, size), string, size);
}

/* Blocks of the usual size, a thread's own: each request takes one, and gives it back. */
static _Thread_local struct arena_block *spares;
static _Thread_local int spare_count;

static struct arena_block *take_block(size_t room)
{
    struct arena_block *block = spares;

    if (room == BLOCK_BYTES && block != NULL) {
        spares = block->next;
        spare_count--;
    } else {
        block = xrealloc(NULL, sizeof(*block) + room);
    }
    block->size = room;
    block->used = 0;
    return block;
}

static void give_block(struct arena_block *block)
{
    if (block->size != BLOCK_BYTES || spare_count >= SPARES_MAX) {
        free(block);
        return;
    }
    block->next = spares;
    spares = block;
    spare_count++;
}

void arena_init(struct arena *arena)
{
    arena->blocks = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t mask = alignof(max_align_t) - 1;
    struct arena_block *block = arena->blocks;
    void *piece;

    if (size > SIZE_MAX / 2)
        check(NULL, size);
    size = (size + mask) & ~mask;
    if (block == NULL || block->size - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

        block = take_block(room);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    piece = block->bytes + block->used;
    block->used += size;
    return memset(piece, 0, size);
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    char *printed = NULL, *copy;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&printed, format, args);
    va_end(args);
    check(length < 0 ? NULL : printed, 0);
    copy = arena_copy(arena, printed, (size_t)length);
    free(printed);
    return copy;
}

void arena_finish(struct arena *arena)
{
    struct arena_block *block;

    while ((block = arena->blocks) != NULL) {
        arena->blocks = block->next;
        give_block(block);
    }
}
