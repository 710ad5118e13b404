/* docket doctor: the settings in its environment, whichever program reads them */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/http/tls.h"
#include "base/memory.h"
#include "ops/cli/call.h"
#include "ops/cli/doctor.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

struct counted {
    struct doctor *doctor;
    int wrong;
};

static void on_fault(void *owner, const char *name, const struct fault *fault)
{
    struct counted *counted = owner;
    const char *guess = NULL;
    char mend[200] = "correct its name, or unset it; docket config lists them all";

    counted->wrong++;
    for (size_t i = 0; i < settings_count; i++)
        guess = near_miss(name, guess, settings_entries[i].name);
    if (strcmp(fault->code, "setting_unknown") != 0)
        snprintf(mend, sizeof(mend), "set %s as docket config says, or unset it", name);
    else if (guess)
        snprintf(mend, sizeof(mend), "is %s meant? Correct it, or unset it", guess);
    doctor_tell(counted->doctor, "settings.environment", FINDING_FAIL, mend, "%s", fault->text);
}

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static void contradict(struct counted *counted, bool is_wrong, const char *says, const char *mend)
{
    if (!is_wrong)
        return;
    counted->wrong++;
    doctor_tell(counted->doctor, "settings.contradiction", FINDING_FAIL, mend, "%s", says);
}

static void find_contradictions(struct counted *counted)
{
    const struct settings *s = &counted->doctor->settings;
    bool has_cert = is_set(s->tls_cert), has_key = is_set(s->tls_key);

    contradict(counted, has_cert != has_key, "one of DOCKET_TLS_CERT and DOCKET_TLS_KEY is set",
               "set both, or none");
    contradict(counted, s->operator_tls && !has_cert, "DOCKET_OPERATOR_TLS=1 without a certificate",
               "set DOCKET_TLS_CERT and DOCKET_TLS_KEY");
    contradict(counted, s->retry_base_ms > s->retry_max_ms,
               "DOCKET_RETRY_BASE_MS is above DOCKET_RETRY_MAX_MS", "let the base be the smaller");
    contradict(counted, s->breaker_pause_ms > s->breaker_pause_max_ms,
               "DOCKET_BREAKER_PAUSE_MS is above DOCKET_BREAKER_PAUSE_MAX_MS",
               "let the first pause be the shorter");
    contradict(counted, s->provider_timeout_ms > s->provider_longest_ms,
               "DOCKET_PROVIDER_TIMEOUT_MS is above DOCKET_PROVIDER_LONGEST_MS: a look-up would "
               "believe that a call had ended which goes on",
               "set DOCKET_PROVIDER_LONGEST_MS to what the provider guarantees, and wait less");
    contradict(counted, s->streams_account_max > s->streams_max,
               "DOCKET_STREAMS_ACCOUNT_MAX is above DOCKET_STREAMS_MAX",
               "one account then may take all streams: lower it");
    contradict(counted, strcmp(s->api_listen, s->operator_listen) == 0,
               "DOCKET_API_LISTEN and DOCKET_OPERATOR_LISTEN are the same",
               "give each a port of its own");
}

/* A secret in a file that others may read is none. */
static void find_open_secrets(struct counted *counted)
{
    for (size_t i = 0; i < settings_count; i++) {
        char name[128], mend[400];
        const char *path;
        struct stat file;

        snprintf(name, sizeof(name), "%s_FILE", settings_entries[i].name);
        path = settings_entries[i].type == CONFIG_SECRET ? getenv(name) : NULL;
        if (path == NULL || stat(path, &file) != 0 || (file.st_mode & S_IROTH) == 0)
            continue;
        counted->wrong++;
        snprintf(mend, sizeof(mend), "chmod o-r %s", path);
        doctor_tell(counted->doctor, "settings.secrets", FINDING_WARN, mend,
                    "everybody on this machine may read the secret in %s (%s)", path, name);
    }
}

static void look_at_certificate(struct doctor *doctor)
{
    const struct settings *s = &doctor->settings;
    struct http_tls *tls;
    struct fault fault;
    long long left_s;

    if (!is_set(s->tls_cert) || !is_set(s->tls_key))
        return;
    tls = http_tls_open(s->tls_cert, s->tls_key, &fault);
    if (tls == NULL) {
        doctor_tell(doctor, "settings.certificate", FINDING_FAIL,
                    "let the two files be of one certificate, readable for the API alone", "%s",
                    fault.text);
        return;
    }
    left_s = http_tls_expires_s(tls);
    http_tls_destroy(tls);
    doctor_tell(doctor, "settings.certificate",
                left_s < 0                              ? FINDING_FAIL
                : left_s < (long long)SOON_DAYS * DAY_S ? FINDING_WARN
                                                        : FINDING_OK,
                "renew it, then send the API a SIGHUP", "%s %s %lld days", s->tls_cert,
                left_s < 0 ? "expired before" : "is valid for",
                (left_s < 0 ? -left_s : left_s) / DAY_S);
}

void doctor_settings(struct doctor *doctor)
{
    static struct settings ignored; /* its texts live as long */
    struct counted counted = {.doctor = doctor};

    config_check(settings_entries, settings_count, &ignored, on_fault, &counted);
    find_contradictions(&counted);
    find_open_secrets(&counted);
    look_at_certificate(doctor);
    if (counted.wrong == 0)
        doctor_tell(doctor, "settings", FINDING_OK, "",
                    "every DOCKET_ variable here is a setting, and none contradicts another");
}
