/* docket audit: what operators did, and whether anybody has changed what was written about it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ops/cli/audit_chain.h"
#include "ops/cli/command.h"
#include "ops/cli/screen.h"

enum { LIST_DEFAULT = 50, PAGE_ROWS_MAX = 500, SAID_MAX = 20, PATH_BYTES_MAX = 4096 };

/* audit verify: reads pages of the chain and recomputes it. */

struct verify {
    struct audit_chain chain;
    struct audit_row expected; /* id 0: none */
    bool is_expected_met;
    json_t *wrong; /* what is said about it */
    long long rows;
};

static void note(struct verify *verify, long long id, const char *what)
{
    json_array_append_new(verify->wrong, json_pack("{s:I, s:s}", "id", id, "wrong", what));
}

static void check_expected(struct verify *verify, const struct audit_row *row)
{
    if (row->id != verify->expected.id)
        return;
    verify->is_expected_met = memcmp(row->hash, verify->expected.hash, sizeof(row->hash)) == 0;
    if (!verify->is_expected_met)
        note(verify, row->id, "its hash is not the one that was noted: it was written anew");
}

static void check_row(struct verify *verify, const json_t *json)
{
    long long before = verify->chain.last_id;
    struct audit_row row;
    char text[128];

    if (!audit_row_read(json, &row)) {
        note(verify, row.id, "its hash is none");
        return;
    }
    switch (audit_chain_add(&verify->chain, &row)) {
    case AUDIT_RIGHT:
        break;
    case AUDIT_MISSING:
        snprintf(text, sizeof(text), "it follows on row %lld: what stood between is gone", before);
        note(verify, row.id, text);
        break;
    case AUDIT_CHANGED:
        note(verify, row.id, "it, or the hash before it, is not what was written");
        break;
    }
    check_expected(verify, &row);
    verify->rows++;
}

/* False: the API did not answer, and why was said. */
static bool read_chain(struct verify *verify)
{
    size_t count = 1;

    while (count > 0) {
        char path[64];
        const json_t *rows, *row;
        json_t *page;
        size_t index;

        snprintf(path, sizeof(path), "/admin/audit/chain?after=%lld",
                 (long long)verify->chain.last_id);
        if ((page = admin_call("GET", path, NULL)) == NULL)
            return false;
        rows = json_object_get(page, "rows");
        count = json_array_size(rows);
        json_array_foreach(rows, index, row) check_row(verify, row);
        progress("verifying", verify->chain.last_id, number_of(page, "last"));
        json_decref(page);
    }
    progress_end();
    return true;
}

static void say_verdict(const struct verify *verify, const char *head)
{
    size_t index;
    const json_t *item;

    json_array_foreach(verify->wrong, index, item)
    {
        if (index == SAID_MAX) {
            printf("… and %zu more (--json has them all)\n",
                   json_array_size(verify->wrong) - SAID_MAX);
            break;
        }
        printf("row %lld: %s\n", number_of(item, "id"), text_of(item, "wrong"));
    }
    if (json_array_size(verify->wrong) == 0)
        printf("The audit is whole: %lld acts.\nNote its head elsewhere, and check it another day "
               "with --expect:\n%s\n",
               verify->rows, head);
    else
        fprintf(stderr,
                "docket: the audit is not whole.  Keep the database as it is, and compare it with "
                "a backup.\n");
}

static void format_head(const struct verify *verify, char *head, size_t size)
{
    char hash[AUDIT_HASH_TEXT_SIZE] = "";

    if (verify->chain.last_id)
        audit_hash_format(verify->chain.hash, hash);
    snprintf(head, size, "%lld:%s", (long long)verify->chain.last_id, hash);
}

static int conclude(struct verify *verify, bool as_json)
{
    char head[24 + AUDIT_HASH_TEXT_SIZE];
    json_t *said;

    if (verify->expected.id > verify->chain.last_id)
        note(verify, verify->expected.id, "it was noted, and is not there: the end was cut off");
    else if (verify->expected.id && !verify->is_expected_met && json_array_size(verify->wrong) == 0)
        note(verify, verify->expected.id, "it was noted, and is not there");
    format_head(verify, head, sizeof(head));
    if (as_json) {
        said = json_pack("{s:b, s:I, s:s, s:O}", "whole", json_array_size(verify->wrong) == 0,
                         "rows", (json_int_t)verify->rows, "head", head, "wrong", verify->wrong);
        print_json(said);
        json_decref(said);
    } else {
        say_verdict(verify, head);
    }
    return json_array_size(verify->wrong) == 0 ? EXIT_SUCCESS : EXIT_REFUSED;
}

/* ID:HASH, as `docket audit verify` prints its head. */
static bool parse_head(const char *text, struct audit_row *row)
{
    char *end;

    row->id = strtoll(text, &end, 10);
    if (row->id == 0 && strcmp(text, "0:") == 0)
        return true;
    return row->id > 0 && *end == ':' && audit_hash_parse(end + 1, row->hash);
}

static int verify(const struct call *call)
{
    const char *expect = call_text(call, "expect");
    struct verify verify = {.rows = 0};
    int code = EXIT_REFUSED;

    if (expect && !parse_head(expect, &verify.expected))
        return call_misused(call, "--expect is a head as `docket audit verify` prints it");
    verify.wrong = json_array();
    if (read_chain(&verify))
        code = conclude(&verify, call_flag(call, "json"));
    json_decref(verify.wrong);
    return code;
}

/* audit list: page after page, until there are as many as were asked for, or no more. */

static json_t *read_page(const struct call *call, long long before, long long limit)
{
    struct text path;
    int64_t since;
    json_t *page;

    text_init(&path, PATH_BYTES_MAX);
    text_add(&path, "/admin/audit");
    admin_query_number(&path, "limit", limit < PAGE_ROWS_MAX ? limit : PAGE_ROWS_MAX);
    if (before > 0)
        admin_query_number(&path, "before", before);
    if (call_time(call, "since", &since))
        admin_query_number(&path, "since", since);
    admin_query(&path, "actor", call_text(call, "actor"));
    admin_query(&path, "act", call_text(call, "act"));
    admin_query(&path, "target", call_text(call, "target"));
    page = admin_call("GET", path.bytes, NULL);
    text_finish(&path);
    return page;
}

/* False: the API did not answer.  *next: where more would begin; 0: there is no more. */
static bool read_acts(const struct call *call, json_t *acts, long long *next)
{
    long long limit = call_number(call, "limit", LIST_DEFAULT);

    *next = 0;
    do {
        json_t *page = read_page(call, *next, limit - (long long)json_array_size(acts));

        if (page == NULL)
            return false;
        json_array_extend(acts, json_object_get(page, "acts"));
        *next = number_of(page, "next");
        json_decref(page);
    } while (*next > 0 && (long long)json_array_size(acts) < limit);
    return true;
}

static void print_acts(const json_t *acts, long long next)
{
    struct table *table = table_create();
    size_t index;
    const json_t *act;

    table_column(table, "id", COLUMN_RIGHT);
    table_column(table, zone_text(), COLUMN_LEFT);
    table_column(table, "who", COLUMN_SHRINKS);
    table_column(table, "act", COLUMN_LEFT);
    table_column(table, "target", COLUMN_SHRINKS);
    table_column(table, "why", COLUMN_SHRINKS);
    json_array_foreach(acts, index, act)
    {
        table_cell(table, number_text(number_of(act, "id")));
        table_cell(table, time_short(text_of(act, "at")));
        table_cell(table, text_of(act, "actor"));
        table_cell(table, text_of(act, "act"));
        table_cell(table, text_of(act, "target"));
        table_cell(table, text_of(act, "reason"));
    }
    table_print(table);
    if (next > 0)
        fprintf(stderr, "There are more: --limit shows them.\n");
}

static int list(const struct call *call)
{
    json_t *acts = json_array(), *said;
    long long next;
    int code = EXIT_REFUSED;

    if (read_acts(call, acts, &next)) {
        code = EXIT_SUCCESS;
        if (call_flag(call, "json")) {
            said = json_pack("{s:O}", "acts", acts);
            print_json(said);
            json_decref(said);
        } else {
            print_acts(acts, next);
        }
    }
    json_decref(acts);
    return code;
}

static const struct option list_options[] = {
    {"since", "TIME", "Only acts from then on.", OPTION_TIME, false},
    {"actor", "TEXT", "Only acts of whom this is a part: a key's name, \"bootstrap\".", OPTION_TEXT,
     false},
    {"act", "ACT", "Only acts of this kind: \"key create\", \"dead replay\", ….", OPTION_TEXT,
     false},
    {"target", "TARGET", "Only what was done to this: \"key 3\", \"dead_letter 7\".", OPTION_TEXT,
     false},
    {"limit", "N", "So many at most (50).", OPTION_NUMBER, false},
    {.name = NULL},
};
static const struct command command_list = {
    .name = "list",
    .summary = "List what operators did, the newest first.",
    .options = list_options,
    .examples =
        "docket audit list --since 2h\ndocket audit list --actor anna --act \"dead replay\"",
    .run = list,
};

static const struct option verify_options[] = {
    {"expect", "ID:HASH", "A head that was noted before: notices a cut-off end.", OPTION_TEXT,
     false},
    {.name = NULL},
};
static const struct command command_verify = {
    .name = "verify",
    .summary = "Recompute the chain of the audit, and say which row is wrong.",
    .about =
        "Every act is a row whose hash covers the row before it. The chain is recomputed here, "
        "row by row, so that nothing in the database can vouch for itself. Keep the head that "
        "is printed where the database's owner cannot write.",
    .options = verify_options,
    .examples = "docket audit verify",
    .run = verify,
};
static const struct command *const commands[] = {&command_list, &command_verify, NULL};

const struct command command_audit = {
    .name = "audit",
    .summary = "List what operators did, and check that nobody changed it.",
    .commands = commands,
};
