#include "tests/bench/load/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char usage[] =
    "generator kind=orders|polls|get port=N connections=N phases=RATE:SECONDS,… [NAME=VALUE …]\n"
    "  authorization=KEY prefix=TEXT body=FILE ids=FILE path=PATH conditional=1 random=1\n"
    "  timeout_ms=N drain_ms=N attempts=N seed=N series=FILE floors=FILE\n"
    "RATE 0: closed loop. Prints {\"began\":k} at each phase, and a report in the end.\n";

static void give_up(const char *why)
{
    fprintf(stderr, "generator: %s\n%s", why, usage);
    exit(2);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *bytes;
    long length;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
        give_up(path);
    rewind(file);
    bytes = xcalloc((size_t)length + 1, 1);
    if (fread(bytes, 1, (size_t)length, file) != (size_t)length)
        give_up(path);
    fclose(file);
    return bytes;
}

void load_options_read_ids(struct load_options *options, const char *path)
{
    char *rest = read_file(path), *line;
    int room = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] == '\0')
            continue;
        if (options->id_count == room) {
            room = room ? room * 2 : 1024;
            options->ids = xrealloc(options->ids, (size_t)room * sizeof(*options->ids));
        }
        options->ids[options->id_count++] = line;
    }
}

static void read_phases(struct load_options *options, const char *value)
{
    char *rest = xstrdup(value), *whole = rest, *part;

    while ((part = strsep(&rest, ",")) != NULL) {
        struct load_phase *phase = &options->phases[options->phase_count];

        if (options->phase_count == PHASES_MAX)
            give_up("too many phases");
        phase->rate = strtod(part, &part);
        if (*part != ':')
            give_up("phases=RATE:SECONDS,…");
        phase->seconds = strtod(part + 1, NULL);
        options->phase_count++;
    }
    free(whole);
}

static enum load_kind read_kind(const char *value)
{
    static const char *const names[] = {"orders", "polls", "get"};

    for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]) == 0)
            return (enum load_kind)i;
    }
    give_up("kind=orders|polls|get");
    return LOAD_GET;
}

static bool read_number(struct load_options *options, const char *name, const char *value)
{
    unsigned long long number = strtoull(value, NULL, 10);

    if (strcmp(name, "port") == 0)
        options->port = (int)number;
    else if (strcmp(name, "connections") == 0)
        options->connections = (int)number;
    else if (strcmp(name, "conditional") == 0)
        options->is_conditional = number != 0;
    else if (strcmp(name, "random") == 0)
        options->is_random = number != 0;
    else if (strcmp(name, "timeout_ms") == 0)
        options->timeout_ms = number;
    else if (strcmp(name, "drain_ms") == 0)
        options->drain_ms = number;
    else if (strcmp(name, "attempts") == 0)
        options->attempts_max = (int)number;
    else if (strcmp(name, "seed") == 0)
        options->seed = number;
    else
        return false;
    return true;
}

static bool read_text(struct load_options *options, const char *name, const char *value)
{
    if (strcmp(name, "kind") == 0)
        options->kind = read_kind(value);
    else if (strcmp(name, "phases") == 0)
        read_phases(options, value);
    else if (strcmp(name, "authorization") == 0)
        options->authorization = value;
    else if (strcmp(name, "prefix") == 0)
        options->prefix = value;
    else if (strcmp(name, "path") == 0)
        options->path = value;
    else if (strcmp(name, "body") == 0)
        options->body = read_file(value);
    else if (strcmp(name, "ids") == 0)
        load_options_read_ids(options, value);
    else if (strcmp(name, "floors") == 0)
        options->floors = value;
    else if (strcmp(name, "series") == 0 && (options->series = fopen(value, "w")) == NULL)
        give_up(value);
    else
        return strcmp(name, "series") == 0;
    return true;
}

static void check(const struct load_options *options)
{
    if (options->port == 0 || options->connections < 1 || options->phase_count == 0)
        give_up("port, connections and phases are needed");
    if (options->kind == LOAD_ORDERS && options->body == NULL)
        give_up("orders need a body");
    if (options->kind == LOAD_POLLS && options->id_count == 0)
        give_up("polls need ids");
    if (options->kind == LOAD_GET && options->path == NULL)
        give_up("get needs a path");
}

void load_options_read(struct load_options *options, int count, char **arguments)
{
    *options =
        (struct load_options){.prefix = "b-", .drain_ms = 3000, .attempts_max = 1, .seed = 1};
    for (int i = 1; i < count; i++) {
        char *name = arguments[i], *value = strchr(name, '=');

        if (value == NULL)
            give_up(name);
        *value++ = '\0';
        if (!read_text(options, name, value) && !read_number(options, name, value))
            give_up(name);
    }
    check(options);
}
