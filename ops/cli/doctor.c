/* docket doctor: everything that can be wrong, and how to mend it */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ops/cli/doctor.h"
#include "ops/cli/screen.h"

enum { LOOK_S = 20, HELD_S = 60, SAID_BYTES_MAX = 4 * 1024 * 1024, TEXT_BYTES_MAX = 2000 };

static const char *const names[FINDING_KINDS] = {"ok", "warn", "fail", "skip"};
static const enum colour colours[FINDING_KINDS] = {GREEN, YELLOW, RED, DIM};

/* In the order in which they are shown. */
static const struct {
    const char *name;
    void (*look)(struct doctor *doctor);
} parts[] = {
    {"settings", doctor_settings},
    {"api", doctor_api},
    {"postgres", doctor_postgres},
    {"broker", doctor_broker},
};
enum { PARTS = ARRAY_SIZE(parts) };

/* One part while it looks, and what it has said. */
struct look {
    pid_t pid;
    int fd; /* -1: it has ended */
    struct text said;
};

void doctor_tell(const struct doctor *doctor, const char *check, enum finding finding,
                 const char *mend, const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    json_t *line;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = '\0';
    line = json_pack("{s:s, s:s, s:s}", "check", check, "state", names[finding], "says", text);
    if (line == NULL) /* what a server said was no UTF-8 */
        line = json_pack("{s:s, s:s, s:s}", "check", check, "state", names[finding], "says",
                         "what was found cannot be shown");
    if (finding != FINDING_OK)
        json_object_set_new(line, "mend", json_string(mend));
    json_dumpf(line, doctor->out, JSON_COMPACT);
    fputc('\n', doctor->out);
    fflush(doctor->out);
    json_decref(line);
}

/* --- the parts, side by side --------------------------------------------------------------------
 */

static void look_and_end(struct doctor *doctor, int part, int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    doctor->out = fdopen(fd, "w");
    if (doctor->out != NULL)
        parts[part].look(doctor);
    _exit(doctor->out == NULL);
}

static bool begin(struct doctor *doctor, int part, struct look *look)
{
    int ends[2];

    text_init(&look->said, SAID_BYTES_MAX);
    look->fd = -1;
    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    look->pid = fork();
    if (look->pid == 0) {
        close(ends[0]);
        look_and_end(doctor, part, ends[1]);
    }
    close(ends[1]);
    look->fd = ends[0];
    return look->pid > 0;
}

static void read_some(struct look *look)
{
    char bytes[4096];
    ssize_t count = read(look->fd, bytes, sizeof(bytes));

    if (count > 0) {
        text_add_bytes(&look->said, bytes, (size_t)count);
    } else {
        close(look->fd);
        look->fd = -1;
    }
}

/* Until all have ended, or the time is up. */
static void listen_to_all(struct look looks[PARTS])
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)LOOK_S * 1000, now;
    struct pollfd fds[PARTS];
    int left = PARTS;

    while (left > 0 && (now = clock_monotonic_ms()) < until) {
        for (int i = 0; i < PARTS; i++)
            fds[i] = (struct pollfd){looks[i].fd, POLLIN, 0};
        if (poll(fds, PARTS, (int)(until - now)) < 0)
            continue;
        left = 0;
        for (int i = 0; i < PARTS; i++) {
            if (looks[i].fd >= 0 && fds[i].revents != 0)
                read_some(&looks[i]);
            left += looks[i].fd >= 0;
        }
    }
}

/* Its lines are added to the findings; one that did not end, or died, is a finding itself. */
static void end(struct look *look, const char *name, json_t *findings)
{
    bool is_late = look->fd >= 0;
    int status = 0;
    char *rest = NULL;

    if (is_late)
        kill(look->pid, SIGKILL);
    if (look->pid > 0)
        waitpid(look->pid, &status, 0);
    if (is_late)
        close(look->fd);
    for (char *line = look->said.bytes ? strtok_r(look->said.bytes, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        json_array_append_new(findings, json_loads(line, 0, NULL));
    if (is_late || status != 0)
        json_array_append_new(
            findings, json_pack("{s:s, s:s, s:s, s:s}", "check", name, "state", "fail", "says",
                                is_late ? "it did not answer in time; the rest was not looked at"
                                        : "the look itself died; the rest was not looked at",
                                "mend", "see whether it is frozen, or its network drops packets"));
    text_finish(&look->said);
}

static json_t *look_at_all(struct doctor *doctor)
{
    struct look looks[PARTS];
    json_t *findings = json_array();

    for (int i = 0; i < PARTS; i++) {
        if (!begin(doctor, i, &looks[i]))
            refuse(NULL, "no process for the look at %s", parts[i].name);
    }
    listen_to_all(looks);
    for (int i = 0; i < PARTS; i++)
        end(&looks[i], parts[i].name, findings);
    return findings;
}

/* --- what is shown ------------------------------------------------------------------------------
 */

static enum finding kind_of(const json_t *finding)
{
    enum finding kind = FINDING_OK;

    while (kind < FINDING_SKIP && strcmp(names[kind], text_of(finding, "state")) != 0)
        kind++;
    return kind;
}

static void count_all(const json_t *findings, int counts[FINDING_KINDS])
{
    size_t index;
    const json_t *finding;

    json_array_foreach(findings, index, finding) counts[kind_of(finding)]++;
}

static void print_finding(const json_t *finding)
{
    enum finding kind = kind_of(finding);

    say(colours[kind], names[kind]);
    sayf("  %s: %s\n", text_of(finding, "check"), text_of(finding, "says"));
    if (*text_of(finding, "mend"))
        sayf("      mend: %s\n", text_of(finding, "mend"));
}

static void print_findings(const json_t *findings, bool is_terse, const int counts[FINDING_KINDS])
{
    size_t index;
    const json_t *finding;

    json_array_foreach(findings, index, finding)
    {
        if (!is_terse || kind_of(finding) == FINDING_WARN || kind_of(finding) == FINDING_FAIL)
            print_finding(finding);
    }
    sayf("%d fail, %d warn, %d ok, %d not looked at\n", counts[FINDING_FAIL], counts[FINDING_WARN],
         counts[FINDING_OK], counts[FINDING_SKIP]);
}

static int run(const struct call *call)
{
    static struct doctor doctor; /* its texts live as long */
    int counts[FINDING_KINDS] = {0};
    json_t *findings, *answer;

    doctor.held_s = call_span_s(call, "held", HELD_S);
    config_check(settings_entries, settings_count, &doctor.settings, NULL, NULL);
    findings = look_at_all(&doctor);
    count_all(findings, counts);
    if (call_flag(call, "json")) {
        answer = json_pack("{s:i, s:i, s:i, s:i, s:O}", "fail", counts[FINDING_FAIL], "warn",
                           counts[FINDING_WARN], "ok", counts[FINDING_OK], "skip",
                           counts[FINDING_SKIP], "findings", findings);
        print_json(answer);
        json_decref(answer);
    } else {
        print_findings(findings, call_flag(call, "terse"), counts);
    }
    json_decref(findings);
    return counts[FINDING_FAIL] > 0 || (call_flag(call, "strict") && counts[FINDING_WARN] > 0)
               ? EXIT_REFUSED
               : EXIT_SUCCESS;
}

static const struct option options[] = {
    {"held", "SPAN", "Name who holds a transaction open for longer than this (60s).", OPTION_SPAN,
     false},
    {"strict", NULL, "A warning, too, ends it with 1.", OPTION_FLAG, false},
    {"terse", NULL, "Show only what is to be mended.", OPTION_FLAG, false},
    {.name = NULL},
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "Check everything that can be wrong, and say of each thing how to mend it.",
    .about =
        "It looks at the settings in its environment, at the API by DOCKET_OPERATOR_URL, at "
        "Postgres by DOCKET_PG, and at RabbitMQ by DOCKET_AMQP (and DOCKET_MANAGEMENT_URL); what "
        "is not set is not looked at. Nothing is changed. All parts are looked at at once, for 20 "
        "s at most, whichever are away. As DOCKET_PG a superuser or a member of pg_monitor sees "
        "most. It ends with 1 if anything fails.",
    .options = options,
    .examples = "docket doctor\ndocket doctor --terse --strict && deploy",
    .run = run,
};
