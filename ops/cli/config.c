/* docket config: the settings of every program, as docs/configuration.md has them */
#include <stdio.h>
#include <stdlib.h>

#include "ops/cli/command.h"

static int run(const struct call *call)
{
    (void)call;
    config_print_markdown(stdout, settings_entries, settings_count, settings_programs);
    return EXIT_SUCCESS;
}

const struct command command_config = {
    .name = "config",
    .summary =
        "Print the table of all settings of all programs, with default and limits (Markdown).",
    .examples = "docket config > docs/configuration.md",
    .is_plain = true,
    .run = run,
};
