/* docket: the operator's command */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "ops/cli/command.h"

static const struct command *const commands[] = {
    &command_migrate, &command_key,   &command_catalogue, &command_order,
    &command_dead,    &command_audit, &command_config,
};

static int help(FILE *out)
{
    fprintf(out, "usage: docket COMMAND …\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`docket COMMAND --help` shows its options and examples.  Exit codes: 0 done,\n"
                 "1 refused or failed, 2 the command line was wrong.  Settings (environment):\n\n");
    config_print_help(out, settings_entries, settings_count, PROGRAM_DOCKET | PROGRAM_MIGRATE);
    return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    log_open("docket", LOG_WARN);
    if (argc < 2)
        return help(stderr);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(argv[1], commands[i]->name) != 0)
            continue;
        if (wants_help(argc - 2, argv + 2)) {
            printf("%s", commands[i]->help);
            return EXIT_SUCCESS;
        }
        return commands[i]->run(argc - 1, argv + 1);
    }
    if (wants_help(argc - 1, argv + 1))
        return help(stdout);
    fprintf(stderr, "docket: there is no command %s\n\n", argv[1]);
    return help(stderr);
}
