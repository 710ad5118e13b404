/* JSON that was answered, and words for what went wrong. */
#include <stdarg.h>
#include <stdio.h>

#include "ops/cli/command.h"

int refuse(const char *next, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "docket: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    if (next)
        fprintf(stderr, "%s\n", next);
    return EXIT_REFUSED;
}

bool command_settings(struct settings *settings, unsigned program)
{
    struct fault fault;

    if (config_load(settings_entries, settings_count, program, settings, &fault))
        return true;
    refuse(NULL, "%s", fault.text);
    return false;
}

void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("\n");
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}
