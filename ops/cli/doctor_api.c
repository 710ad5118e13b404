/* docket doctor: the API's operators' listener, and what it knows of its own machine */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/cli/admin_http.h"
#include "ops/cli/doctor.h"

enum { ASK_MS = 4000, SKEW_S = 2, DAY_S = 86400, SOON_DAYS = 14 };

static const char mend_clock[] = "let NTP run on both; date -u on each says which one is wrong";

static void tell_date(const struct doctor *doctor, const struct admin_answer *answer)
{
    long long ahead_s = (long long)answer->date_s - (long long)(clock_wall_us() / 1000000);

    if (answer->date_s < 0)
        return;
    /* Its Date has no fractions. */
    if (llabs(ahead_s) <= SKEW_S)
        doctor_tell(doctor, "clock.api", FINDING_OK, "",
                    "the clock of the API's machine agrees with this one's");
    else
        doctor_tell(doctor, "clock.api", FINDING_WARN, mend_clock,
                    "the clock of the API's machine is %lld s %s this one's", llabs(ahead_s),
                    ahead_s > 0 ? "ahead of" : "behind");
}

static void tell_expiry(const struct doctor *doctor, const char *check, const char *what,
                        long long left_s)
{
    doctor_tell(doctor, check,
                left_s < 0                              ? FINDING_FAIL
                : left_s < (long long)SOON_DAYS * DAY_S ? FINDING_WARN
                                                        : FINDING_OK,
                "renew it, then send the API a SIGHUP", "the certificate of %s %s %lld days", what,
                left_s < 0 ? "expired before" : "is valid for", llabs(left_s) / DAY_S);
}

static void look_at_readiness(const struct doctor *doctor)
{
    struct admin_answer answer;
    json_t *ready;

    admin_http(&doctor->settings, "GET", "/readyz", NULL, ASK_MS, &answer);
    ready = json_loadb(answer.body.bytes ? answer.body.bytes : "", answer.body.length, 0, NULL);
    if (answer.status == 200)
        doctor_tell(doctor, "api.ready", FINDING_OK, "", "the API accepts orders");
    else
        doctor_tell(doctor, "api.ready", FINDING_FAIL, "mend that; it becomes ready by itself",
                    "the API accepts no orders: %s",
                    *text_of(ready, "reason") ? text_of(ready, "reason") : answer.why);
    json_decref(ready);
    admin_answer_finish(&answer);
}

/* The value of a metric without labels; otherwise: there is no such line. */
static double metric(const char *text, const char *name, double otherwise)
{
    size_t length = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtod(line + length, NULL);
    }
    return otherwise;
}

static void look_at_metrics(const struct doctor *doctor)
{
    struct admin_answer answer;
    double ahead, files, files_max, expires;

    admin_http(&doctor->settings, "GET", "/metrics", NULL, ASK_MS, &answer);
    if (answer.status == 200 && answer.body.bytes) {
        ahead = metric(answer.body.bytes, "docket_clock_ahead_seconds", 0);
        files = metric(answer.body.bytes, "process_open_fds", 0);
        files_max = metric(answer.body.bytes, "process_max_fds", 1);
        expires = metric(answer.body.bytes, "docket_tls_expires_seconds", 0);
        if (ahead > SKEW_S || ahead < -SKEW_S)
            doctor_tell(doctor, "clock.api_database", FINDING_WARN, mend_clock,
                        "the database's clock is %.1f s %s that of the API's machine",
                        ahead > 0 ? ahead : -ahead, ahead > 0 ? "ahead of" : "behind");
        if (files > files_max * 0.8)
            doctor_tell(doctor, "api.files", FINDING_WARN, "raise LimitNOFILE= of its unit",
                        "the API has %.0f of %.0f file descriptors open", files, files_max);
        if (expires < 0 || expires > 0)
            tell_expiry(doctor, "api.certificate", "its listeners", (long long)expires);
    }
    admin_answer_finish(&answer);
}

static void look_at_status(const struct doctor *doctor)
{
    struct admin_answer answer;
    json_t *status;

    admin_http(&doctor->settings, "GET", "/admin/status", NULL, ASK_MS, &answer);
    status = json_loadb(answer.body.bytes ? answer.body.bytes : "", answer.body.length, 0, NULL);
    if (answer.status == 401 || answer.status == 403)
        doctor_tell(doctor, "api.key", FINDING_FAIL,
                    "set DOCKET_OPERATOR_KEY to a key with scope operator (docket key create)",
                    "the API does not take DOCKET_OPERATOR_KEY as an operator's");
    else if (answer.status == 404)
        doctor_tell(doctor, "api.status", FINDING_FAIL,
                    "let DOCKET_OPERATOR_URL be the operators' listener of an API as new as this",
                    "%s knows no /admin/status", answer.url.bytes);
    else if (answer.status != 200)
        doctor_tell(doctor, "api.status", FINDING_FAIL, "see Postgres' findings, and the API's log",
                    "GET /admin/status: %ld %s", answer.status,
                    answer.status ? text_of(status, "detail") : answer.why);
    else
        doctor_tell(doctor, "api.key", FINDING_OK, "", "DOCKET_OPERATOR_KEY is an operator's");
    if (answer.status == 200 && doctor->settings.pg == NULL)
        doctor_work(doctor, status); /* else Postgres is asked, whether or not the API answers */
    json_decref(status);
    admin_answer_finish(&answer);
}

void doctor_api(struct doctor *doctor)
{
    const char *url = doctor->settings.operator_url;
    struct admin_answer answer;
    bool is_there;

    admin_http(&doctor->settings, "GET", "/livez", NULL, ASK_MS, &answer);
    is_there = answer.status == 200;
    if (is_there)
        doctor_tell(doctor, "api", FINDING_OK, "", "%s answers", url);
    else
        doctor_tell(doctor, "api", FINDING_FAIL,
                    "start docket-api, or correct DOCKET_OPERATOR_URL (and DOCKET_OPERATOR_CA)",
                    "%s does not answer: %s", url,
                    answer.status ? "it is not the operators' listener" : answer.why);
    tell_date(doctor, &answer);
    if (answer.certificate_s >= 0)
        tell_expiry(doctor, "api.tls", url,
                    (long long)answer.certificate_s - (long long)(clock_wall_us() / 1000000));
    admin_answer_finish(&answer);
    if (!is_there)
        return;
    look_at_readiness(doctor);
    look_at_metrics(doctor);
    look_at_status(doctor);
}
