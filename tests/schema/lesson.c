#include "tests/schema/lesson.h"

const struct order_policy usual_policy = {
    .retry = {1000, 300000, 12},
    .customer_wait_ms = WAIT_MS,
    .unknown_sla_ms = SLA_MS,
    .longest_call_ms = LONGEST_MS,
    .crashes_max = 4,
};

struct order_lesson lesson_of(enum verdict verdict)
{
    static const struct decline decline = {"lost_card", "fraud_suspected", false, true};
    struct order_lesson lesson = {.verdict = verdict,
                                  .fault = {FAULT_TRANSIENT, "code", "text"},
                                  .retry_after_ms = -1,
                                  .intent_id = "pi_1",
                                  .decline = &decline,
                                  .next_action = "{}",
                                  .carrier_id = "shp_1",
                                  .tracking = "T1"};

    if (verdict == VERDICT_PAYMENT_UNKNOWN || verdict == VERDICT_SHIPMENT_UNKNOWN)
        lesson.fault.kind = FAULT_UNKNOWN;
    if (verdict == VERDICT_INTEGRITY || verdict == VERDICT_HELD)
        lesson.fault.kind = FAULT_BROKEN;
    return lesson;
}
