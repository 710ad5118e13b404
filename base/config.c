#include "base/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { SECRET_BYTES_MAX = 8 * 1024, NAME_BYTES_MAX = 128 };

static const char prefix[] = "DOCKET_";
/* Among them what `ops/up` leaves in its env for scripts, which also start our programs. */
static const char *const known_to_all[] = {
    "DOCKET_HOME", "DOCKET_POINT",       "DOCKET_POINT_LOG",    "DOCKET_URL",
    "DOCKET_KEY",  "DOCKET_SANDBOX_URL", "DOCKET_METRICS_URLS", "DOCKET_READ_KEY",
};
static const char *const type_names[] = {"text", "secret", "number", "0 or 1"};

static bool refuse(struct fault *fault, const char *name, const char *what)
{
    return fail_as(fault, FAULT_REFUSED, "setting_wrong", "%s %s; --help lists every setting", name,
                   what);
}

/* Of a variable "NAME=value" as the environment holds it. */
static bool is_variable(const char *variable, const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);

    return strncmp(variable, name, length) == 0 &&
           strncmp(variable + length, suffix, suffix_length) == 0 &&
           variable[length + suffix_length] == '=';
}

static bool is_known(const char *variable, const struct config_entry *entries, size_t count)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_to_all); i++) {
        if (is_variable(variable, known_to_all[i], ""))
            return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_variable(variable, entries[i].name, "") ||
            (entries[i].type == CONFIG_SECRET && is_variable(variable, entries[i].name, "_FILE")))
            return true;
    }
    return false;
}

/* The first unknown one from *variable on, which is moved past it.  False: there is none. */
static bool find_unknown(char ***variable, const struct config_entry *entries, size_t count,
                         char *name, size_t size)
{
    for (; **variable != NULL; ++*variable) {
        if (strncmp(**variable, prefix, strlen(prefix)) != 0 ||
            is_known(**variable, entries, count))
            continue;
        snprintf(name, size, "%.*s", (int)strcspn(**variable, "="), **variable);
        ++*variable;
        return true;
    }
    return false;
}

static bool refuse_unknown(const char *name, struct fault *fault)
{
    return fail_as(fault, FAULT_REFUSED, "setting_unknown",
                   "%s is no setting of Docket: correct its name or unset it; --help lists every "
                   "setting",
                   name);
}

/* The whole file without a line end at its end. */
static bool read_secret(const char *name, const char *path, char *secret, struct fault *fault)
{
    FILE *file = fopen(path, "r");
    size_t length;

    if (file == NULL)
        return fail_as(fault, FAULT_REFUSED, "setting_wrong",
                       "%s_FILE names %s, which cannot be read: %s", name, path, strerror(errno));
    length = fread(secret, 1, SECRET_BYTES_MAX, file);
    fclose(file);
    if (length == SECRET_BYTES_MAX)
        return refuse(fault, name, "has a _FILE that is too large for a secret (8 KiB)");
    while (length > 0 && (secret[length - 1] == '\n' || secret[length - 1] == '\r'))
        length--;
    secret[length] = '\0';
    return true;
}

/* From the environment, a secret's file, or the default. */
static bool find_value(const struct config_entry *entry, const char **value, char *secret,
                       struct fault *fault)
{
    char file_name[128];
    const char *path = NULL;

    *value = getenv(entry->name);
    snprintf(file_name, sizeof(file_name), "%s_FILE", entry->name);
    if (entry->type == CONFIG_SECRET)
        path = getenv(file_name);
    if (path != NULL && *value != NULL)
        return refuse(fault, entry->name, "is set twice: by itself and by its _FILE; unset one");
    if (path != NULL) {
        if (!read_secret(entry->name, path, secret, fault))
            return false;
        *value = secret;
    }
    if (*value == NULL)
        *value = entry->fallback;
    if (*value == NULL || (entry->fallback == NULL && **value == '\0'))
        return fail_as(fault, FAULT_REFUSED, "setting_missing", "%s must be set: %s", entry->name,
                       entry->help);
    return true;
}

static bool parse_number(const struct config_entry *entry, const char *value, int64_t *number,
                         struct fault *fault)
{
    char *end;

    errno = 0;
    *number = strtoll(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && *number >= entry->least &&
        *number <= entry->most)
        return true;
    return fail_as(fault, FAULT_REFUSED, "setting_wrong",
                   "%s is \"%.40s\", but must be a whole number from %lld to %lld: %s", entry->name,
                   value, (long long)entry->least, (long long)entry->most, entry->help);
}

static bool parse_flag(const struct config_entry *entry, const char *value, bool *flag,
                       struct fault *fault)
{
    *flag = strcmp(value, "1") == 0;
    if (*flag || strcmp(value, "0") == 0)
        return true;
    return fail_as(fault, FAULT_REFUSED, "setting_wrong", "%s is \"%.40s\", but must be 0 or 1: %s",
                   entry->name, value, entry->help);
}

static bool load_entry(const struct config_entry *entry, void *settings, struct fault *fault)
{
    void *field = (char *)settings + entry->offset;
    char secret[SECRET_BYTES_MAX] = "";
    const char *value;

    if (!find_value(entry, &value, secret, fault))
        return false;
    switch (entry->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        *(const char **)field = xstrdup(value);
        return true;
    case CONFIG_NUMBER:
        return parse_number(entry, value, field, fault);
    case CONFIG_FLAG:
        return parse_flag(entry, value, field, fault);
    }
    return fail(fault, FAULT_BROKEN, "%s has no type", entry->name);
}

bool config_load(const struct config_entry *entries, size_t count, unsigned program, void *settings,
                 struct fault *fault)
{
    char **variable = environ, name[NAME_BYTES_MAX];

    if (find_unknown(&variable, entries, count, name, sizeof(name)))
        return refuse_unknown(name, fault);
    for (size_t i = 0; i < count; i++) {
        if ((entries[i].programs & program) != 0 && !load_entry(&entries[i], settings, fault))
            return false;
    }
    return true;
}

static void ignore(void *owner, const char *name, const struct fault *fault)
{
    (void)owner;
    (void)name;
    (void)fault;
}

void config_check(const struct config_entry *entries, size_t count, void *settings,
                  void (*on_fault)(void *owner, const char *name, const struct fault *fault),
                  void *owner)
{
    char **variable = environ, name[NAME_BYTES_MAX];
    struct fault fault;

    if (on_fault == NULL)
        on_fault = ignore;
    while (find_unknown(&variable, entries, count, name, sizeof(name))) {
        (void)refuse_unknown(name, &fault);
        on_fault(owner, name, &fault);
    }
    for (size_t i = 0; i < count; i++) {
        if (!load_entry(&entries[i], settings, &fault) &&
            strcmp(fault.code, "setting_missing") != 0)
            on_fault(owner, entries[i].name, &fault);
    }
}

static const char *fallback_text(const struct config_entry *entry)
{
    if (entry->fallback == NULL)
        return "must be set";
    return entry->fallback[0] == '\0' ? "empty" : entry->fallback;
}

static void format_allowed(const struct config_entry *entry, char *buffer, size_t size)
{
    if (entry->type == CONFIG_NUMBER)
        snprintf(buffer, size, "%lld to %lld", (long long)entry->least, (long long)entry->most);
    else
        snprintf(buffer, size, "%s", type_names[entry->type]);
}

void config_print_help(FILE *out, const struct config_entry *entries, size_t count,
                       unsigned program)
{
    fprintf(out, "Settings, from the environment:\n");
    for (size_t i = 0; i < count; i++) {
        const struct config_entry *entry = &entries[i];
        char allowed[64];

        if ((entry->programs & program) == 0)
            continue;
        format_allowed(entry, allowed, sizeof(allowed));
        fprintf(out, "\n  %s%s  (%s; %s%s)\n      %s\n", entry->name,
                entry->type == CONFIG_SECRET ? " or ..._FILE" : "", allowed,
                entry->fallback ? "default " : "", fallback_text(entry), entry->help);
    }
}

static void print_programs(FILE *out, unsigned programs, const char *const *names)
{
    const char *separator = "";

    for (unsigned bit = 0; names[bit] != NULL; bit++) {
        if ((programs & (1u << bit)) == 0)
            continue;
        fprintf(out, "%s%s", separator, names[bit]);
        separator = ", ";
    }
}

void config_print_markdown(FILE *out, const struct config_entry *entries, size_t count,
                           const char *const *program_names)
{
    fprintf(out, "| setting | allowed | default | read by | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct config_entry *entry = &entries[i];
        const char *tick = entry->fallback && entry->fallback[0] ? "`" : "";
        char allowed[64];

        format_allowed(entry, allowed, sizeof(allowed));
        fprintf(out, "| `%s`%s | %s | %s%s%s | ", entry->name,
                entry->type == CONFIG_SECRET ? " (or `_FILE`)" : "", allowed, tick,
                fallback_text(entry), tick);
        print_programs(out, entry->programs, program_names);
        fprintf(out, " | %s |\n", entry->help);
    }
}
