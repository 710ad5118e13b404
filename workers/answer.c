#include "workers/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/http/client.h"
#include "base/log.h"

enum { KEY_LENGTH_MAX = 255 };

json_t *answer_parse(const char *body, size_t length)
{
    json_t *json;

    if (body == NULL || length > HTTP_CALL_ANSWER_BYTES_MAX)
        return NULL;
    json = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static bool take(const json_t *object, const char *name, char *buffer, size_t size,
                 bool (*is_allowed)(unsigned char))
{
    const json_t *member = json_object_get(object, name);
    size_t length = json_string_length(member); /* 0 if it is no text */
    const char *text = json_string_value(member);

    buffer[0] = '\0';
    if (length == 0 || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_allowed((unsigned char)text[i]))
            return false;
    memcpy(buffer, text, length + 1);
    return true;
}

static bool is_printable(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

static bool is_of_code(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool answer_text(const json_t *object, const char *name, char *buffer, size_t size)
{
    return take(object, name, buffer, size, is_printable);
}

bool answer_code(const json_t *object, const char *name, char *buffer, size_t size)
{
    return take(object, name, buffer, size, is_of_code);
}

void answer_message(const json_t *object, const char *name, char *buffer, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));

    snprintf(buffer, size, "%s", text ? text : "no reason given");
    log_redact(buffer);
    for (char *c = buffer; *c; c++)
        if (!is_printable((unsigned char)*c))
            *c = '?';
}

bool answer_key_is_sound(const char *key)
{
    size_t length = key ? strlen(key) : 0;

    if (length == 0 || length > KEY_LENGTH_MAX)
        return false;
    for (const char *c = key; *c; c++)
        if (!isgraph((unsigned char)*c))
            return false;
    return true;
}
