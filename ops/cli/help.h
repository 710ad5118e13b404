/* ops/cli/help.h - what a command's table says: to people, to man, to a shell's completion */
#pragma once

#include <stdio.h>

#include "ops/cli/call.h"

void help_usage(FILE *out, const struct call *call); /* a line or two, after a mistake */
void help_print(FILE *out, const struct call *call); /* all of it */
/* "docket order show [OPTIONS] ID" */
void help_synopsis(FILE *out, const struct call *call);

extern const struct exit_code {
    int code;
    const char *meaning;
} exit_codes[]; /* meaning NULL ends */

extern const struct command command_help, command_man, command_completion;
