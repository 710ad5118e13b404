#include "base/http/guard.h"

#include <stdint.h>

enum byte_class { BYTE_PLAIN, BYTE_BLANK, BYTE_COLON, BYTE_CR, BYTE_LF, BYTE_CONTROL };

/* 0x80 and above (obs-text) are plain here: fields may carry them, targets are checked apart. */
static enum byte_class classify(unsigned char byte)
{
    if (byte > ' ' && byte != ':' && byte != 0x7f)
        return BYTE_PLAIN;
    switch (byte) {
    case ' ':
    case '\t':
        return BYTE_BLANK;
    case ':':
        return BYTE_COLON;
    case '\r':
        return BYTE_CR;
    case '\n':
        return BYTE_LF;
    default:
        return BYTE_CONTROL;
    }
}

void http_guard_init(struct http_guard *guard)
{
    *guard = (struct http_guard){.line_bytes_max = SIZE_MAX, .in_name = true};
}

/* The byte after a CR: NULL if it ends the line. */
static const char *end_line(struct http_guard *guard, enum byte_class class, bool *empty)
{
    if (class != BYTE_LF)
        return "a CR that is not followed by LF";
    *empty = guard->line_bytes == 0;
    if (!*empty)
        guard->lines++;
    guard->after_cr = guard->after_blank = false;
    guard->line_bytes = 0;
    guard->in_name = true;
    return NULL;
}

/* A byte that is not plain, and not after a CR: NULL if it may stand here. */
static const char *look_at(struct http_guard *guard, enum byte_class class)
{
    switch (class) {
    case BYTE_PLAIN:
        break;
    case BYTE_CR:
        guard->after_cr = true;
        return NULL;
    case BYTE_LF:
        return "an LF without a CR before it";
    case BYTE_CONTROL:
        return "a control character";
    case BYTE_BLANK:
        if (guard->line_bytes == 0)
            return "a line that begins with a space or tab";
        guard->after_blank = true;
        break;
    case BYTE_COLON:
        if (guard->line_bytes == 0)
            return "a field without a name";
        if (guard->in_name && guard->after_blank && guard->lines > 0)
            return "a space before the colon";
        guard->in_name = false;
        break;
    }
    guard->line_bytes++;
    return NULL;
}

/* Most bytes are plain: passes over a run of them at once. */
static size_t skip_plain(struct http_guard *guard, const unsigned char *bytes, size_t length)
{
    size_t run = 0;

    while (run < length && classify(bytes[run]) == BYTE_PLAIN)
        run++;
    if (run > 0) {
        guard->line_bytes += run;
        guard->after_blank = false;
    }
    return run;
}

enum http_guard_verdict http_guard_scan(struct http_guard *guard, const char *bytes, size_t length,
                                        size_t *used, const char **detail)
{
    const unsigned char *at = (const unsigned char *)bytes;
    bool empty = false;
    size_t i = 0;

    *detail = NULL;
    while (i < length && !empty && *detail == NULL) {
        if (guard->after_cr)
            *detail = end_line(guard, classify(at[i++]), &empty);
        else if (classify(at[i]) != BYTE_PLAIN)
            *detail = look_at(guard, classify(at[i++]));
        else
            i += skip_plain(guard, at + i, length - i);
        if (guard->line_bytes > guard->line_bytes_max)
            *detail = "a line that is too long";
    }
    *used = i;
    if (*detail != NULL)
        return HTTP_GUARD_BAD;
    return empty ? HTTP_GUARD_EMPTY_LINE : HTTP_GUARD_MORE;
}
