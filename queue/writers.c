#include "queue/writers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* With a comma on each side, so that a name is found whole. */
static char *framed(const char *list)
{
    size_t size = strlen(list) + 3;
    char *copy = xcalloc(size, 1);

    snprintf(copy, size, ",%s,", list);
    return copy;
}

/* Leaves those that are on the list, too; true: there are some. */
static bool keep_listed(char *marked, const char *list)
{
    char *kept = marked + 1, *name = marked + 1, *end;

    for (; (end = strchr(name, ',')) != NULL; name = end + 1) {
        size_t length = (size_t)(end - name) + 1; /* with the comma behind it */

        if (memmem(list, strlen(list), name - 1, length + 1) == NULL)
            continue;
        memmove(kept, name, length); /* never beyond `end`, whose comma is the next name's */
        kept += length;
    }
    *kept = '\0';
    return kept > marked + 1;
}

void writers_reset(struct writers *writers)
{
    free(writers->marked);
    *writers = (struct writers){0};
}

void writers_listed(struct writers *writers, int64_t poll, const char *list)
{
    char *now = framed(list);

    if (writers->marked && keep_listed(writers->marked, now)) {
        free(now);
        return;
    }
    if (writers->marked) {
        writers->settled = writers->marked_poll;
        free(writers->marked);
        writers->marked = NULL;
    }
    if (*list == '\0') {
        writers->settled = poll;
        free(now);
        return;
    }
    writers->marked = now;
    writers->marked_poll = poll;
}
