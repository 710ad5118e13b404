/* docket key: API keys */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"

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

static int create(int argc, char **argv)
{
    const char *scope = NULL, *name = NULL, *account = "default";
    bool as_json = false;
    const struct option_wanted options[] = {{"--scope", &scope, NULL},
                                            {"--name", &name, NULL},
                                            {"--account", &account, NULL},
                                            {"--json", NULL, &as_json},
                                            {NULL, NULL, NULL}};
    json_t *wish, *made;

    if (!command_options(argc, argv, options, NULL, 0) || scope == NULL || name == NULL)
        return command_usage(&command_key);
    wish =
        json_pack("{s:s, s:s, s:o}", "name", name, "account", account, "scopes", scopes_of(scope));
    made = admin_call("POST", "/admin/keys", wish);
    json_decref(wish);
    if (made == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(made);
    else
        printf("%s\n", text_of(made, "key"));
    if (!as_json)
        fprintf(stderr, "Key %lld. It is shown only now: keep it.\n", number_of(made, "id"));
    json_decref(made);
    return EXIT_SUCCESS;
}

static void print_scopes(const json_t *scopes)
{
    size_t index;
    const json_t *scope;

    json_array_foreach(scopes, index, scope)
        printf("%s%s", index ? "," : "", json_string_value(scope));
}

static void print_keys(const json_t *keys)
{
    size_t index;
    const json_t *key;

    printf("%-5s %-12s %-14s %-24s %-10s %s\n", "id", "key", "account", "scopes", "state", "name");
    json_array_foreach(keys, index, key)
    {
        printf("%-5lld %-11s… %-14s ", number_of(key, "id"), text_of(key, "prefix"),
               text_of(key, "account"));
        print_scopes(json_object_get(key, "scopes"));
        printf("  %s  %s\n", *text_of(key, "revoked_at") ? "revoked" : "valid",
               text_of(key, "name"));
    }
}

static int list(int argc, char **argv)
{
    bool as_json = false;
    const struct option_wanted options[] = {{"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    json_t *answer;

    if (!command_options(argc, argv, options, NULL, 0))
        return command_usage(&command_key);
    if ((answer = admin_call("GET", "/admin/keys", NULL)) == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(answer);
    else
        print_keys(json_object_get(answer, "keys"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int revoke(int argc, char **argv)
{
    const char *reason = NULL;
    const struct option_wanted options[] = {{"--reason", &reason, NULL}, {NULL, NULL, NULL}};
    char path[64];
    const char *id;
    json_t *wish, *answer;

    if (!command_options(argc, argv, options, &id, 1) || strspn(id, "0123456789") != strlen(id) ||
        reason == NULL)
        return command_usage(&command_key);
    snprintf(path, sizeof(path), "/admin/keys/%.20s/revoke", id);
    wish = json_pack("{s:s}", "reason", reason);
    answer = admin_call("POST", path, wish);
    json_decref(wish);
    if (answer == NULL)
        return EXIT_REFUSED;
    printf("Key %s (%s) is revoked; every API process refuses it within 2 s.\n", id,
           text_of(answer, "name"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "create") == 0)
        return create(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return list(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "revoke") == 0)
        return revoke(argc - 2, argv + 2);
    return command_usage(&command_key);
}

const struct command command_key = {
    .name = "key",
    .summary = "make, list and revoke API keys",
    .help =
        "usage: docket key create --scope SCOPE[,SCOPE…] --name NAME [--account NAME] [--json]\n"
        "       docket key list [--json]\n"
        "       docket key revoke ID --reason TEXT\n\n"
        "Scopes: checkout (creates orders; may be in a browser), orders:read (reads all orders\n"
        "of its account), operator (this command).  Keys of one account share its orders.\n\n"
        "  docket key create --scope checkout --name storefront\n"
        "  docket key create --scope orders:read --name backoffice --account shop2\n"
        "  docket key revoke 3 --reason \"it was in a log\"\n",
    .run = run,
};
