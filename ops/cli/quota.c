/* docket quota: how many orders and reads an account may make a minute */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"

enum { PATH_BYTES_MAX = 1024, QUOTA_MAX = 10000000 };

/* "as set" (DOCKET_QUOTA_…), "none", or a number. */
static const char *quota_text(const json_t *account, const char *key)
{
    const json_t *quota = json_object_get(account, key);

    if (json_is_null(quota))
        return "as set";
    return json_integer_value(quota) == 0 ? "none" : number_text(json_integer_value(quota));
}

static void print_accounts(const json_t *accounts)
{
    struct table *table = table_create();
    size_t index;
    const json_t *account;

    table_column(table, "account", COLUMN_SHRINKS);
    table_column(table, "orders a minute", COLUMN_RIGHT);
    table_column(table, "reads a minute", COLUMN_RIGHT);
    table_column(table, "keys", COLUMN_RIGHT);
    json_array_foreach(accounts, index, account)
    {
        table_cell(table, text_of(account, "account"));
        table_cell(table, quota_text(account, "quota_orders"));
        table_cell(table, quota_text(account, "quota_reads"));
        table_cell(table, number_text(number_of(account, "keys")));
    }
    table_print(table);
}

/* Those of that name; NULL: all. */
static json_t *chosen(const json_t *accounts, const char *name)
{
    json_t *some = json_array(), *account;
    size_t index;

    json_array_foreach(accounts, index, account)
    {
        if (name == NULL || strcmp(text_of(account, "account"), name) == 0)
            json_array_append(some, account);
    }
    return some;
}

static int show(const struct call *call)
{
    const char *name = call_operand(call, 0);
    json_t *answer = admin_call("GET", "/admin/accounts", NULL), *accounts;
    int code = EXIT_SUCCESS;

    if (answer == NULL)
        return EXIT_REFUSED;
    accounts = chosen(json_object_get(answer, "accounts"), name);
    if (name && json_array_size(accounts) == 0)
        code = refuse("docket quota show lists them all.", "there is no account %s", name);
    else if (call_flag(call, "json"))
        print_json(accounts);
    else
        print_accounts(accounts);
    json_decref(accounts);
    json_decref(answer);
    return code;
}

/* A number, 0 for none, or `default`: as DOCKET_QUOTA_… is set.  False: said what is wrong. */
static bool add_quota(const struct call *call, const char *name, json_t *wish)
{
    const char *text = call_text(call, name);
    char *end;
    long long quota;

    if (text == NULL)
        return true;
    if (strcmp(text, "default") == 0)
        return json_object_set_new(wish, name, json_null()) == 0;
    quota = strtoll(text, &end, 10);
    if (*end == '\0' && quota >= 0 && quota <= QUOTA_MAX)
        return json_object_set_new(wish, name, json_integer(quota)) == 0;
    (void)call_misused(call, "--%s %s: a number up to %d, 0 for none, or `default`", name, text,
                       QUOTA_MAX);
    return false;
}

static void say_set(const struct call *call, const json_t *answer)
{
    sayf("%s may make: orders a minute %s, reads %s; every API process follows within 2 s.\n",
         call_operand(call, 0), quota_text(answer, "quota_orders"),
         quota_text(answer, "quota_reads"));
}

static int set(const struct call *call)
{
    json_t *wish = json_object();
    struct text path;
    int code;

    if (!add_quota(call, "orders", wish) || !add_quota(call, "reads", wish)) {
        json_decref(wish);
        return EXIT_USAGE;
    }
    if (json_object_size(wish) == 0) {
        json_decref(wish);
        return call_misused(call, "say --orders, --reads, or both");
    }
    text_init(&path, PATH_BYTES_MAX);
    text_add(&path, "/admin/accounts/");
    text_add_urlencoded(&path, call_operand(call, 0));
    text_add(&path, "/quota");
    code = act_send(call, "PUT", path.bytes, wish, say_set);
    text_finish(&path);
    return code;
}

static const struct option set_options[] = {
    {"orders", "N|default", "New orders a minute; 0: no quota; default: as the API is set.",
     OPTION_TEXT, false},
    {"reads", "N|default", "Reads and quotes a minute; as above.", OPTION_TEXT, false},
    ACT_REASON,
    {.name = NULL},
};
static const struct command command_show = {
    .name = "show",
    .summary = "Show the quotas of all accounts, or of one.",
    .operands = "[ACCOUNT]",
    .examples = "docket quota show\ndocket quota show shop2",
    .run = show,
};
static const struct command command_set = {
    .name = "set",
    .summary = "Set how many new orders, reads, or both an account may make a minute.",
    .about = "The quota is of each API process. What is not named stays as it is.",
    .operands = "ACCOUNT",
    .options = set_options,
    .examples = "docket quota set shop2 --orders 600 --reason \"a bot\"\n"
                "docket quota set shop2 --orders default --reads 0 --reason \"it is gone\"",
    .run = set,
};
static const struct command *const commands[] = {&command_show, &command_set, NULL};

const struct command command_quota = {
    .name = "quota",
    .summary = "Show or set how much an account may ask of the API.",
    .commands = commands,
};
