/* ops/cli/call.h - from argv to a call that fits a command's table
 *
 * Finds the command in the tree, reads its options and operands by their types, and says what is
 * wrong with a suggestion if there is a near miss.  Pure but for what it writes on stderr.
 */
#pragma once

#include "ops/cli/command.h"

enum { OPTIONS_MAX = 40, OPERANDS_MAX = 64, DEPTH_MAX = 4 };

struct call {
    const struct command *path[DEPTH_MAX]; /* docket, order, show */
    int depth;
    const char *values[OPTIONS_MAX]; /* by the index of call_option; NULL: not given */
    const char *operands[OPERANDS_MAX];
    int operand_count;
    bool wants_help;
};

extern const struct option common_options[]; /* every command's */

/* False: it was said on stderr what is wrong (exit code 2). */
bool call_read(struct call *call, int argc, char **argv) __attribute__((warn_unused_result));

const struct command *call_command(const struct call *call); /* the innermost */
/* Option `nth` of a command, its own first, then the common ones; NULL: there are no more. */
const struct option *call_option(const struct command *command, int nth);
/* How many operands it takes; -1 in *most: any number. */
void operand_counts(const struct command *command, int *least, int *most);
const char *near_miss(const char *word, const char *best, const char *candidate);
