#include "tests/schema/decisions.h"

static const struct order_policy policy = {
    .retry = {.base_ms = 1000, .max_ms = 60000, .attempts_max = 3},
    .customer_wait_ms = 1800000,
    .unknown_sla_ms = 900000,
    .longest_call_ms = 80000,
    .crashes_max = 4,
};

/* Of one shape of the facts; fault kinds stand for what else a lesson may carry, too. */
static int decide_all(const struct order_facts *facts,
                      void (*see)(const struct order_facts *, const struct order_change *))
{
    int count = 0;

    for (int verdict = VERDICT_RESERVED; verdict <= VERDICT_NOTHING; verdict++) {
        for (int kind = FAULT_REFUSED; kind <= FAULT_BROKEN; kind++) {
            for (int is_outage = 0; is_outage < 2; is_outage++, count++) {
                struct order_lesson lesson = {
                    .verdict = (enum verdict)verdict,
                    .retry_after_ms = -1,
                    .is_interrupted = kind == FAULT_REFUSED,
                    .is_outage = is_outage,
                };
                struct order_change change;

                lesson.fault.kind = (enum fault_kind)kind;
                order_decide(facts, &lesson, &policy, 0, &change);
                if (change.reason) /* else it stays as it is */
                    see(facts, &change);
            }
        }
    }
    return count;
}

static struct order_facts facts_of(int status, int attempt, int stage, int tried)
{
    return (struct order_facts){
        .version = 3,
        .status = (enum order_status)status,
        .total = 100,
        .stage = (enum stage)stage,
        .attempt = tried / 4 % 2 * 5,
        .crashes = tried / 4 % 2 * 5,
        .claims = 1,
        .attempt_number = (int16_t)(attempt != ATTEMPT_NONE),
        .attempt_state = (enum attempt_state)attempt,
        .since_sent_ms = tried % 2 ? 1000000 : -1,
        .since_opened_ms = 5000,
        .since_unknown_ms = tried % 2 && attempt == ATTEMPT_UNKNOWN ? 1000000 : -1,
        .since_ended_ms = tried % 2 ? 1000 : -1,
        .is_fenced = tried / 8,
        .held = tried / 2 % 2,
        .is_unknown = tried / 8,
        .undo = (enum undo)(tried % 3),
        .since_undo_ms = tried % 2 ? 1000000 : 0,
        .captured = attempt == ATTEMPT_CAPTURED ? 100 : 0,
        .refunds = 1,
        .refund_number = (int16_t)(stage == STAGE_REFUND && tried % 2),
        .refunds_open = (int16_t)(stage == STAGE_REFUND && tried % 2),
        .refund_state = REFUND_SENT,
        .refund_amount = tried / 2 % 2 ? 100 : 50,
        .refund_keys = 1,
    };
}

/* As many as there are shapes; false: that was the last. */
static bool next_facts(int n, struct order_facts *facts)
{
    enum { TRIED = 16, ATTEMPTS = ATTEMPT_INTEGRITY_FAILURE + 1, STAGES_COUNT = STAGE_COUNT - 1 };
    int tried = n % TRIED, attempt = n / TRIED % ATTEMPTS;
    int stage = n / TRIED / ATTEMPTS % STAGES_COUNT, status = n / TRIED / ATTEMPTS / STAGES_COUNT;

    *facts = facts_of(ORDER_ACCEPTED + status, attempt, STAGE_NONE + 1 + stage, tried);
    return facts->status <= ORDER_REFUNDED;
}

int decisions_for_all(void (*see)(const struct order_facts *facts,
                                  const struct order_change *change))
{
    struct order_facts facts;
    int count = 0;

    for (int n = 0; next_facts(n, &facts); n++)
        count += decide_all(&facts, see);
    return count;
}
