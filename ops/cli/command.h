/* ops/cli/command.h - a command of `docket` is a table; parsing, --help, completion and man pages
 * come from it
 *
 * To add one: a file with its tables (ops/cli/audit.c is a small example), its name in the list of
 * main.c.  Every command also has --json, --utc, --color and --help, and answers both ways:
 *
 *     static const struct option options[] = {
 *         {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
 *         {"state", "open|all", "Only these.", OPTION_CHOICE, false},
 *         {.name = NULL}};
 *
 *     static int run(const struct call *call)
 *     {
 *         json_t *answer = admin_call("GET", "/admin/things", NULL);
 *
 *         if (answer == NULL)                        // why was said already
 *             return EXIT_REFUSED;
 *         if (call_flag(call, "json"))
 *             print_json(answer);
 *         else
 *             …                                      // ops/cli/screen.h: tables, times, money
 *         json_decref(answer);
 *         return EXIT_SUCCESS;
 *     }
 *
 * An act is sent by act_send (ops/cli/act.h) with its --reason (api/admin/admin.h), and is one
 * request, so that an interruption leaves nothing half-done.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "schema/settings.h"

/* REFUSED: why is on stderr, with what to do.  UNREACHED and UNKNOWN are made of it by main when
 * that is why admin_call failed. */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHED = 3, EXIT_UNKNOWN = 4 };

enum option_type {
    OPTION_FLAG,   /* has no value */
    OPTION_TEXT,   /* not empty */
    OPTION_NUMBER, /* 0 or more */
    OPTION_CHOICE, /* one of the metavar's words: "open|all" */
    OPTION_TIME,   /* 2026-11-24, "2026-11-24 22:31", 2026-11-24T22:31:53Z, or so long ago: 2h */
    OPTION_SPAN,   /* 30s, 15m, 2h, 7d */
    OPTION_FILE,   /* completed as one */
};

struct option {
    const char *name;    /* without the dashes; NULL ends the table */
    const char *metavar; /* of its value */
    const char *help;    /* a sentence */
    enum option_type type;
    bool is_required;
};

struct call; /* a command line that fits its command */

struct command {
    const char *name, *summary;
    const char *about;            /* paragraphs, each in one line; or NULL */
    const char *operands;         /* "ID", "[ID]", "FILE", "bash|zsh|fish", "WORD…"; or NULL */
    const struct option *options; /* or NULL */
    const char *examples;         /* lines; or NULL */
    const struct command *const *commands; /* nested ones, NULL ends; then there is no run */
    bool is_plain;                       /* prints a text as it is: has no --json, --utc, --color */
    int (*run)(const struct call *call); /* the exit code */
};

/* Of an option that is not in the command's table: the process ends, so that a test finds it. */
bool call_flag(const struct call *call, const char *name);
const char *call_text(const struct call *call, const char *name); /* NULL: not given */
long long call_number(const struct call *call, const char *name, long long otherwise);
bool call_time(const struct call *call, const char *name, int64_t *unix_s); /* false: not given */
int64_t call_span_s(const struct call *call, const char *name, int64_t otherwise);
const char *call_operand(const struct call *call, int nth); /* from 0; NULL: not given */
/* What is wrong beyond the types (two options that exclude each other, …).  Returns EXIT_USAGE. */
int call_misused(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The operand or option is the id of a row: a number from 1 on.  False: said so (EXIT_USAGE). */
bool call_id(const struct call *call, int nth, long long *id) __attribute__((warn_unused_result));

/* Asks the operators' listener; the answer's JSON (json_decref it), or NULL: said why. */
json_t *admin_call(const char *method, const char *path, const json_t *body)
    __attribute__((warn_unused_result));
/* Adds ?name=value or &name=value, encoded, to a path; nothing if the value is NULL. */
void admin_query(struct text *path, const char *name, const char *value);
void admin_query_number(struct text *path, const char *name, long long value);
/* "docket: …" on stderr, then what to do next (NULL: nothing).  Returns EXIT_REFUSED. */
int refuse(const char *next, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The settings of one program (PROGRAM_DOCKET, PROGRAM_MIGRATE).  False: said why. */
bool command_settings(struct settings *settings, unsigned program)
    __attribute__((warn_unused_result));

void print_json(const json_t *value);
const char *text_of(const json_t *object, const char *key); /* "" if it is none */
long long number_of(const json_t *object, const char *key); /* 0 if it is none */
bool is_true(const json_t *object, const char *key);

extern const struct command command_docket; /* the whole tree (main.c) */
