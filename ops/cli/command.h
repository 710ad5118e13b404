/* ops/cli/command.h - what the subcommands of `docket` share
 *
 * They act through the API's operators' listener; only `migrate` goes to Postgres.  Exit codes: 0
 * done, 1 refused or failed (why is on stderr, with what to do), 2 the command line was wrong.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "schema/settings.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    const char *summary;
    const char *help;                  /* usage, options, examples */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand */
};

extern const struct command command_migrate, command_key, command_catalogue, command_order,
    command_dead, command_audit, command_config;

int command_usage(const struct command *command); /* prints its help on stderr, returns 2 */

/* Options of one act: "--name value", "--name=value" and flags (value NULL in the table).  What is
 * left are its operands.  False: said why. */
struct option_wanted {
    const char *name; /* "--scope" */
    const char **value;
    bool *flag;
};
bool command_options(int argc, char **argv, const struct option_wanted *wanted,
                     const char **operands, int operands_wanted)
    __attribute__((warn_unused_result));

/* The settings of one program (PROGRAM_DOCKET, PROGRAM_MIGRATE).  False: said why. */
bool command_settings(struct settings *settings, unsigned program)
    __attribute__((warn_unused_result));

/* Asks the operators' listener; the answer's JSON (json_decref it), or NULL: said why. */
json_t *admin_call(const char *method, const char *path, const json_t *body)
    __attribute__((warn_unused_result));

void print_json(const json_t *value);
const char *text_of(const json_t *object, const char *key); /* "" if it is none */
long long number_of(const json_t *object, const char *key); /* 0 if it is none */
