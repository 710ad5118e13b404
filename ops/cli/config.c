/* docket config: the settings of every program, as docs/configuration.md has them */
#include <stdio.h>
#include <stdlib.h>

#include "ops/cli/command.h"

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return command_usage(&command_config);
    config_print_markdown(stdout, settings_entries, settings_count, settings_programs);
    return EXIT_SUCCESS;
}

const struct command command_config = {
    .name = "config",
    .summary = "print the table of all settings (Markdown)",
    .help = "usage: docket config\n\n"
            "Prints every setting of every program, with default and limits.\n\n"
            "  docket config > docs/configuration.md\n",
    .run = run,
};
