/* docket catalogue: what can be ordered */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"

static json_t *read_file(const char *path)
{
    json_error_t error;
    json_t *value = strcmp(path, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                           : json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (value == NULL)
        fprintf(stderr, "docket: %s, line %d: %s\n", path, error.line, error.text);
    return value;
}

static int load(int argc, char **argv)
{
    const char *reason = NULL;
    const struct option_wanted options[] = {{"--reason", &reason, NULL}, {NULL, NULL, NULL}};
    const char *path;
    json_t *catalogue, *answer;

    if (!command_options(argc, argv, options, &path, 1) || reason == NULL)
        return command_usage(&command_catalogue);
    if ((catalogue = read_file(path)) == NULL)
        return EXIT_REFUSED;
    json_object_set_new(catalogue, "reason", json_string(reason));
    answer = admin_call("PUT", "/admin/catalogue", catalogue);
    json_decref(catalogue);
    if (answer == NULL)
        return EXIT_REFUSED;
    printf("Loaded %lld products and %lld shipping methods.\n", number_of(answer, "products"),
           number_of(answer, "shipping_methods"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "load") == 0)
        return load(argc - 2, argv + 2);
    return command_usage(&command_catalogue);
}

const struct command command_catalogue = {
    .name = "catalogue",
    .summary = "load products, stock and shipping methods",
    .help =
        "usage: docket catalogue load FILE --reason TEXT     (FILE - reads standard input)\n\n"
        "What FILE names is added, or takes the place of what has the same code; the rest stays.\n"
        "`stock` sets what can be sold from now on; without it the stock stays as it is.\n\n"
        "  {\"products\": [{\"sku\": \"TEA\", \"name\": \"Tea\", \"stock\": 10,\n"
        "                 \"price\": {\"amount\": 1290, \"currency\": \"EUR\"}, \"active\": "
        "true}],\n"
        "   \"shipping_methods\": [{\"code\": \"standard\", \"name\": \"Standard\",\n"
        "                         \"price\": {\"amount\": 490, \"currency\": \"EUR\"}}]}\n",
    .run = run,
};
