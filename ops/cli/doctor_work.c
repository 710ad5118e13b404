/* docket doctor: whether the work goes on, by what docket status shows */
#include <string.h>

#include "ops/cli/doctor.h"
#include "ops/cli/status_needs.h"

/* What was found away by itself; it goes on by itself, too. */
static int tell_breakers(const struct doctor *doctor, const json_t *status)
{
    size_t index;
    const json_t *row;
    int told = 0;

    json_array_foreach(json_object_get(status, "breakers"), index, row)
    {
        if (is_true(row, "held"))
            continue;
        told++;
        doctor_tell(doctor, "work.breakers", FINDING_WARN,
                    "it is probed by itself; its status page says when to expect it back",
                    "no calls to %s since %s (%s): %s", text_of(row, "name"), text_of(row, "since"),
                    text_of(row, "class"), text_of(row, "why"));
    }
    return told;
}

void doctor_work(const struct doctor *doctor, json_t *status)
{
    json_t *needs = status_needs(status);
    int told = tell_breakers(doctor, status);
    size_t index;
    const json_t *need;

    json_array_foreach(needs, index, need) doctor_tell(
        doctor, text_of(need, "check"), is_true(need, "urgent") ? FINDING_FAIL : FINDING_WARN,
        text_of(need, "command"), "%s", text_of(need, "what"));
    if (told == 0 && json_array_size(needs) == 0)
        doctor_tell(doctor, "work", FINDING_OK, "",
                    "a relay leads, every step has a worker, nothing waits for a person");
    json_decref(needs);
}
