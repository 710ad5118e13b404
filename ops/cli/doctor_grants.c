#include "ops/cli/doctor_grants.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/migrations.h"

enum { GRANTS_MAX = 2000, LIST_MAX = 64 };

struct grant {
    const char *role, *kind, *object, *privilege;
};

struct grants {
    struct arena arena;
    struct grant rows[GRANTS_MAX];
    int count;
};

/* The text with every comment and every $$ body made blank. */
static char *bare(struct arena *arena, const char *sql)
{
    char *text = arena_copy(arena, sql, strlen(sql));
    bool is_body = false;

    for (char *at = text; *at; at++) {
        if (strncmp(at, "$$", 2) == 0) {
            is_body = !is_body;
            memset(at++, ' ', 2);
        } else if (!is_body && strncmp(at, "--", 2) == 0) {
            at = (char *)memset(at, ' ', strcspn(at, "\n")) + strcspn(at, "\n") - 1;
        } else if (is_body || isspace((unsigned char)*at)) {
            *at = ' ';
        }
    }
    return text;
}

static char *trimmed(char *text)
{
    char *end;

    while (*text == ' ')
        text++;
    for (end = text + strlen(text); end > text && end[-1] == ' '; end--)
        end[-1] = '\0';
    return text;
}

/* Splits at commas that are in no parentheses; how many parts. */
static int split(char *text, char *parts[LIST_MAX])
{
    int count = 0, depth = 0;
    char *from = text;

    for (char *at = text;; at++) {
        bool is_end = *at == '\0';

        depth += (*at == '(') - (*at == ')');
        if (!is_end && (*at != ',' || depth > 0))
            continue;
        *at = '\0';
        if (count < LIST_MAX)
            parts[count++] = trimmed(from);
        if (is_end)
            return count;
        from = at + 1;
    }
}

/* Cuts the statement at a word; what follows it, or NULL. */
static char *after(char *text, const char *word)
{
    char *at = strstr(text, word);

    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + strlen(word);
}

static char *first_word(char *text)
{
    text[strcspn(text, " (")] = '\0';
    return text;
}

static void note(struct grants *grants, const struct grant *grant, bool is_granted)
{
    int at = 0;

    while (at < grants->count && (strcmp(grants->rows[at].role, grant->role) != 0 ||
                                  strcmp(grants->rows[at].object, grant->object) != 0 ||
                                  strcmp(grants->rows[at].privilege, grant->privilege) != 0))
        at++;
    if (!is_granted && at < grants->count)
        grants->rows[at] = grants->rows[--grants->count];
    else if (is_granted && at == grants->count && at < GRANTS_MAX)
        grants->rows[grants->count++] = *grant;
}

/* Moves past the word, if the text begins with it. */
static bool begins_with(char **text, const char *word)
{
    size_t length = strlen(word);
    bool begins = strncmp(*text, word, length) == 0 && (*text)[length] == ' ';

    *text += begins ? length : 0;
    return begins;
}

static const char *kind_of(char **objects)
{
    static const char *const kinds[] = {"SEQUENCE", "FUNCTION", "SCHEMA", "PARAMETER", "TABLE"};

    *objects = trimmed(*objects);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (begins_with(objects, kinds[i]))
            return kinds[i];
    }
    return "TABLE";
}

/* privileges ON [kind] objects TO|FROM roles */
static void read_statement(struct grants *grants, char *text, bool is_granted)
{
    char *privileges[LIST_MAX], *objects[LIST_MAX], *roles[LIST_MAX];
    char *of = after(text, " ON "), *to = of ? after(of, is_granted ? " TO " : " FROM ") : NULL;
    const char *kind;
    int privilege_count, object_count, role_count;

    if (to == NULL)
        return;
    kind = kind_of(&of);
    if (strcmp(kind, "SCHEMA") == 0 || strcmp(kind, "PARAMETER") == 0)
        return;
    privilege_count = split(text, privileges);
    for (int i = 0; i < privilege_count; i++) /* of some columns: UPDATE (status) */
        privileges[i] = first_word(privileges[i]);
    object_count = split(of, objects);
    role_count = split(to, roles);
    for (int n = 0; n < privilege_count * object_count * role_count; n++)
        note(grants,
             &(struct grant){roles[n % role_count], kind, objects[n / role_count % object_count],
                             privileges[n / role_count / object_count]},
             is_granted);
}

static void read_migration(struct grants *grants, const char *sql)
{
    char *rest = NULL, *text = bare(&grants->arena, sql);

    for (char *one = strtok_r(text, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
        one = trimmed(one);
        if (begins_with(&one, "GRANT"))
            read_statement(grants, one, true);
        else if (begins_with(&one, "REVOKE"))
            read_statement(grants, one, false);
    }
}

static void add_column(struct pg_params *params, const struct grants *grants, size_t offset)
{
    pg_array_begin(params, PG_TEXT);
    for (int i = 0; i < grants->count; i++)
        pg_array_text(
            params, *(const char *const *)(const void *)((const char *)&grants->rows[i] + offset));
    pg_array_end(params);
}

void doctor_grants_add(struct pg_params *params)
{
    struct grants *grants = xcalloc(1, sizeof(*grants));

    arena_init(&grants->arena);
    for (const struct migration_file *file = migration_files; file->name; file++)
        read_migration(grants, file->sql);
    add_column(params, grants, offsetof(struct grant, role));
    add_column(params, grants, offsetof(struct grant, kind));
    add_column(params, grants, offsetof(struct grant, object));
    add_column(params, grants, offsetof(struct grant, privilege));
    arena_finish(&grants->arena);
    free(grants);
}
