#include "tests/bench/load/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of the field in the line, or NULL. */
static const char *field(const char *line, const char *name)
{
    size_t length = strlen(name);

    return strncasecmp(line, name, length) == 0 ? line + length : NULL;
}

static void read_line(const char *line, struct answer *answer, size_t *body_length)
{
    const char *value;

    if ((value = field(line, "Content-Length: ")) != NULL)
        *body_length = strtoul(value, NULL, 10);
    else if ((value = field(line, "Retry-After: ")) != NULL)
        answer->retry_after_s = (int)strtol(value, NULL, 10);
    else if ((value = field(line, "ETag: \"")) != NULL)
        answer->version = (int)strtol(value, NULL, 10);
    else if ((value = field(line, "Connection: ")) != NULL)
        answer->closes = strncasecmp(value, "close", 5) == 0;
}

size_t answer_read(const char *bytes, size_t length, struct answer *answer)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4), *line = bytes;
    size_t body_length = 0, head_length;

    if (end == NULL)
        return 0;
    head_length = (size_t)(end - bytes) + 4;
    *answer = (struct answer){
        .status = (int)strtol(bytes + 9, NULL, 10), .retry_after_s = -1, .version = -1};
    while (line < end) {
        read_line(line, answer, &body_length);
        line = (const char *)memchr(line, '\n', head_length - (size_t)(line - bytes)) + 1;
    }
    return length >= head_length + body_length ? head_length + body_length : 0;
}
