/* docket key: API keys */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"

static json_t *scopes_of(const char *list)
{
    json_t *scopes = json_array();

    while (*list) {
        size_t length = strcspn(list, ",");

        json_array_append_new(scopes, json_stringn(list, length));
        list += length + (list[length] == ',');
    }
    return scopes;
}

static json_t *wish_of(const struct call *call)
{
    const char *account = call_text(call, "account");

    return json_pack("{s:s, s:s, s:o}", "name", call_text(call, "name"), "account",
                     account ? account : "default", "scopes", scopes_of(call_text(call, "scope")));
}

static void say_made(const struct call *call, const json_t *made)
{
    (void)call;
    printf("%s\n", text_of(made, "key"));
    fprintf(stderr, "Key %lld. It is shown only now: keep it.\n", number_of(made, "id"));
}

static int create(const struct call *call)
{
    return act_send(call, "POST", "/admin/keys", wish_of(call), say_made);
}

static const char *scopes_text(const json_t *scopes, char *text, size_t size)
{
    size_t index, length = 0;
    const json_t *scope;

    text[0] = '\0';
    json_array_foreach(scopes, index, scope)
    {
        snprintf(text + length, size - length, "%s%s", index ? "," : "", json_string_value(scope));
        length = strlen(text);
    }
    return text;
}

static void print_keys(const json_t *keys)
{
    struct table *table = table_create();
    size_t index;
    const json_t *key;
    char scopes[128], prefix[64];

    table_column(table, "id", COLUMN_RIGHT);
    table_column(table, "key", COLUMN_LEFT);
    table_column(table, "account", COLUMN_SHRINKS);
    table_column(table, "scopes", COLUMN_LEFT);
    table_column(table, "state", COLUMN_LEFT);
    table_column(table, zone_text(), COLUMN_LEFT);
    table_column(table, "name", COLUMN_SHRINKS);
    json_array_foreach(keys, index, key)
    {
        bool is_revoked = *text_of(key, "revoked_at") != '\0';

        snprintf(prefix, sizeof(prefix), "%s…", text_of(key, "prefix"));
        table_cell(table, number_text(number_of(key, "id")));
        table_cell(table, prefix);
        table_cell(table, text_of(key, "account"));
        table_cell(table, scopes_text(json_object_get(key, "scopes"), scopes, sizeof(scopes)));
        table_paint(table, is_revoked ? DIM : GREEN, is_revoked ? "revoked" : "valid");
        table_cell(table, time_short(text_of(key, is_revoked ? "revoked_at" : "created_at")));
        table_cell(table, text_of(key, "name"));
    }
    table_print(table);
}

static int list(const struct call *call)
{
    json_t *answer = admin_call("GET", "/admin/keys", NULL);

    if (answer == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        print_keys(json_object_get(answer, "keys"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static void say_revoked(const struct call *call, const json_t *answer)
{
    sayf("Key %s (%s) is revoked; every API process refuses it within 2 s.\n",
         call_operand(call, 0), text_of(answer, "name"));
}

static int revoke(const struct call *call)
{
    char path[64];
    long long id;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/keys/%lld/revoke", id);
    return act_send(call, "POST", path, NULL, say_revoked);
}

static const struct option create_options[] = {
    {"scope", "SCOPE[,SCOPE…]",
     "checkout: creates orders, may be in a browser. orders:read: reads "
     "all orders of its account. operator: this command.",
     OPTION_TEXT, true},
    {"name", "NAME", "What it is for.", OPTION_TEXT, true},
    {"account", "NAME", "Keys of one account share its orders (default).", OPTION_TEXT, false},
    {"reason", "TEXT", "More than the name says, for the audit.", OPTION_TEXT, false},
    {.name = NULL},
};
static const struct command command_create = {
    .name = "create",
    .summary = "Make a key; it is printed once, and never stored.",
    .options = create_options,
    .examples = "docket key create --scope checkout --name storefront\n"
                "docket key create --scope orders:read --name backoffice --account shop2",
    .run = create,
};
static const struct command command_list = {
    .name = "list",
    .summary = "List all keys, without the keys; the time is when it was made or revoked.",
    .run = list,
};
static const struct command command_revoke = {
    .name = "revoke",
    .summary = "Make a key worthless, for ever.",
    .operands = "ID",
    .options = act_options,
    .examples = "docket key revoke 3 --reason \"it was in a log\"",
    .run = revoke,
};
static const struct command *const commands[] = {&command_create, &command_list, &command_revoke,
                                                 NULL};

const struct command command_key = {
    .name = "key",
    .summary = "Make, list and revoke API keys.",
    .commands = commands,
};
