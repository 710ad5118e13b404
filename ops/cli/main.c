/* docket: the operator's command */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ops/cli/admin_call.h"
#include "ops/cli/help.h"
#include "ops/cli/screen.h"
#include "queue/database.h"

extern const struct command command_audit, command_catalogue, command_config, command_dead,
    command_doctor, command_key, command_migrate, command_order, command_orphan, command_pause,
    command_payment, command_quota, command_resume, command_status, command_stock;

/* In the order of `docket --help`. */
static const struct command *const commands[] = {
    &command_status,
    &command_doctor,
    &command_order,
    &command_payment,
    &command_dead,
    &command_orphan,
    &command_pause,
    &command_resume,
    &command_audit,
    &command_key,
    &command_quota,
    &command_catalogue,
    &command_stock,
    &command_migrate,
    &command_config,
    &command_help,
    &command_completion,
    &command_man,
    NULL,
};

const struct command command_docket = {
    .name = "docket",
    .summary = "The operator's command of Docket, the durable order queue.",
    .about = "It asks the API's operators' listener, by a key with scope operator; only migrate "
             "and doctor "
             "go to Postgres. Every act is kept in the audit, with who and why. --version says "
             "which it is.",
    .commands = commands,
    .examples = "docket order show ord_01hf3yz…\n"
                "docket dead list\n"
                "docket help key create",
};

/* A table that is piped into `head` ends quietly. */
static void end_quietly(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
}

static int finish(int code)
{
    progress_end();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "docket: standard output: it could not be written\n");
        return EXIT_REFUSED;
    }
    return code == EXIT_REFUSED ? admin_exit_code() : code;
}

int main(int argc, char **argv)
{
    struct call call;

    log_open("docket", LOG_WARN);
    end_quietly();
    screen_open(NULL, false);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("docket %s, schema %d\n", DOCKET_VERSION, (int)database_schema_version());
        return finish(EXIT_SUCCESS);
    }
    if (!call_read(&call, argc - 1, argv + 1))
        return EXIT_USAGE;
    if (call.wants_help) {
        help_print(stdout, &call);
        return finish(EXIT_SUCCESS);
    }
    if (!call_command(&call)->is_plain)
        screen_open(call_text(&call, "color"), call_flag(&call, "utc"));
    return finish(call_command(&call)->run(&call));
}
