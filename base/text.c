#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void text_init(struct text *text, size_t length_max)
{
    *text = (struct text){.length_max = length_max};
}

void text_finish(struct text *text)
{
    free(text->bytes);
    text->bytes = NULL;
    text->length = text->room = 0;
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->cut = false;
    if (text->bytes)
        text->bytes[0] = '\0';
}

char *text_take(struct text *text, size_t *length)
{
    char *bytes = text->bytes ? text->bytes : xcalloc(1, 1);

    if (length)
        *length = text->length;
    text->bytes = NULL;
    text->length = text->room = 0;
    return bytes;
}

/* True if `more` bytes and a NUL fit now. */
static bool make_room(struct text *text, size_t more)
{
    size_t room = text->room ? text->room : 256;

    if (more > text->length_max - text->length) {
        text->cut = true;
        return false;
    }
    while (room < text->length + more + 1)
        room *= 2;
    if (room != text->room) {
        text->bytes = xrealloc(text->bytes, room);
        text->room = room;
    }
    return true;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    if (!make_room(text, length))
        return;
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_print(struct text *text, const char *format, ...)
{
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0 && make_room(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_add_json(struct text *text, const char *string)
{
    text_add(text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_print(text, "\\%c", *c);
        else if (*c < 0x20)
            text_print(text, "\\u%04x", *c);
        else
            text_add_bytes(text, c, 1);
    }
    text_add(text, "\"");
}

void text_add_hex(struct text *text, const void *bytes, size_t length)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < length; i++)
        text_print(text, "%02x", b[i]);
}

void text_add_urlencoded(struct text *text, const char *string)
{
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (isalnum(*c) || strchr("-._~", *c) != NULL)
            text_add_bytes(text, c, 1);
        else
            text_print(text, "%%%02X", *c);
    }
}
