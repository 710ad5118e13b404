/* docket audit: what operators did, and whether anybody has changed what was written about it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ops/cli/audit_chain.h"
#include "ops/cli/command.h"

enum { LIST_DEFAULT = 50, PAGE_ROWS_MAX = 500, SAID_MAX = 20 };

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

static bool read_row(const json_t *json, struct audit_row *row)
{
    *row = (struct audit_row){
        .id = number_of(json, "id"),
        .form = (int)number_of(json, "form"),
        .at = text_of(json, "at"),
        .actor = text_of(json, "actor"),
        .act = text_of(json, "act"),
        .target = text_of(json, "target"),
        .reason = text_of(json, "reason"),
        .detail = text_of(json, "detail"),
    };
    return audit_hash_parse(text_of(json, "hash"), row->hash);
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

    if (!read_row(json, &row)) {
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
        json_decref(page);
    }
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

static int verify(int argc, char **argv)
{
    const char *expect = NULL;
    bool as_json = false;
    const struct option_wanted options[] = {
        {"--expect", &expect, NULL}, {"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    struct verify verify = {.rows = 0};
    int code = EXIT_REFUSED;

    if (!command_options(argc, argv, options, NULL, 0) ||
        (expect && !parse_head(expect, &verify.expected)))
        return command_usage(&command_audit);
    verify.wrong = json_array();
    if (read_chain(&verify))
        code = conclude(&verify, as_json);
    json_decref(verify.wrong);
    return code;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "verify") == 0)
        return verify(argc - 2, argv + 2);
    return command_usage(&command_audit);
}

const struct command command_audit = {
    .name = "audit",
    .summary = "list what operators did, and check that nobody changed it",
    .help =
        "usage: docket audit verify [--expect ID:HASH] [--json]\n\n"
        "Every act of an operator is a row that covers the one before it by its hash.  This\n"
        "command recomputes the chain itself, row by row, and prints its head; keep that where\n"
        "the database's owner cannot write, and `--expect` will notice a cut-off end.\n\n"
        "  docket audit verify\n",
    .run = run,
};
