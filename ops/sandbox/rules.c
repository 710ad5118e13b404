#include "ops/sandbox/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/cards.h"
#include "ops/sandbox/form.h"

enum { MS_MAX = 600000, DRIP_MS = 5000, RATE_LIMIT_MS = 1000, UNAVAILABLE_MS = 1000 };

struct rule {
    TAILQ_ENTRY(rule) link;
    int64_t id, times;    /* times -1: for ever */
    int op;               /* -1: any */
    char *order, *method; /* "": any */
    struct trouble trouble;
};

static const char *const op_names[OP_COUNT] = {
    [OP_CREATE] = "create", [OP_CONFIRM] = "confirm", [OP_RETRIEVE] = "retrieve",
    [OP_CANCEL] = "cancel", [OP_CAPTURE] = "capture", [OP_REFUND] = "refund",
    [OP_SHIP] = "ship",     [OP_LOOKUP] = "lookup",
};

static const struct {
    const char *name;
    int64_t ms; /* where none is given; -1: one must be */
} kinds[] = {
    [TROUBLE_DELAY] = {"delay", -1},
    [TROUBLE_DECLINE] = {"decline", 0},
    [TROUBLE_WRONG_AMOUNT] = {"wrong_amount", 0},
    [TROUBLE_ACT_THEN_HANG] = {"act_then_hang", 0},
    [TROUBLE_ACT_THEN_RESET] = {"act_then_reset", 0},
    [TROUBLE_ACT_THEN_500] = {"act_then_500", 0},
    [TROUBLE_FAIL_500] = {"fail_500", 0},
    [TROUBLE_RATE_LIMIT] = {"rate_limit", RATE_LIMIT_MS},
    [TROUBLE_UNAVAILABLE] = {"unavailable", UNAVAILABLE_MS},
    [TROUBLE_TORN] = {"torn", 0},
    [TROUBLE_DRIP] = {"drip", DRIP_MS},
    [TROUBLE_HANG] = {"hang", 0},
    [TROUBLE_RESET] = {"reset", 0},
};

const char *op_name(enum op op)
{
    return op_names[op];
}

/* --- what may be asked for ----------------------------------------------------------------- */

static bool kind_find(const char *name, enum trouble_kind *kind, struct fault *fault)
{
    for (size_t i = TROUBLE_DELAY; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        *kind = (enum trouble_kind)i;
        return true;
    }
    return fail(fault, FAULT_REFUSED,
                "fault \"%.40s\" is unknown; there are: delay, decline, act_then_hang, "
                "act_then_reset, act_then_500, wrong_amount, fail_500, rate_limit, unavailable, "
                "torn, drip, hang, reset",
                name);
}

static bool op_find(const char *name, int *op, struct fault *fault)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(op_names[i], name) != 0)
            continue;
        *op = i;
        return true;
    }
    return fail(fault, FAULT_REFUSED,
                "op \"%.40s\" is unknown; there are: create, confirm, retrieve, cancel, capture, "
                "refund, ship, lookup",
                name);
}

/* The provider's declines are a closed list; a carrier's reason is any name. */
static bool check_decline(struct trouble *trouble, int op, struct fault *fault)
{
    if (op != OP_CREATE && op != OP_CONFIRM && op != OP_SHIP)
        return fail(fault, FAULT_REFUSED, "decline goes with the ops create, confirm and ship");
    if (!*trouble->code)
        snprintf(trouble->code, sizeof(trouble->code), "%s",
                 op == OP_SHIP ? "address_undeliverable" : "card_declined");
    if (op != OP_SHIP && !decline_find(trouble->code))
        return fail(fault, FAULT_REFUSED, "code \"%s\" is unknown; there are: %s", trouble->code,
                    decline_codes());
    return true;
}

/* Completes and checks: ms is -1 and code "" where none was given; op -1: any. */
static bool check_trouble(struct trouble *trouble, int op, struct fault *fault)
{
    if (trouble->ms < 0)
        trouble->ms = kinds[trouble->kind].ms;
    if (trouble->ms < 0 || trouble->ms > MS_MAX)
        return fail(fault, FAULT_REFUSED, "%s needs ms from 0 to %d", kinds[trouble->kind].name,
                    MS_MAX);
    if (trouble->kind == TROUBLE_DECLINE)
        return check_decline(trouble, op, fault);
    if (trouble->kind == TROUBLE_WRONG_AMOUNT && (op < 0 || op >= OP_REFUND))
        return fail(fault, FAULT_REFUSED,
                    "wrong_amount goes with create, confirm, retrieve, cancel and capture");
    if (*trouble->code)
        return fail(fault, FAULT_REFUSED, "code goes with decline only");
    return true;
}

/* --- of one call --------------------------------------------------------------------------- */

static bool parse_option(const char *option, struct trouble *trouble, struct fault *fault)
{
    if (strncmp(option, "ms=", 3) == 0 && form_number(option + 3, &trouble->ms))
        return true;
    if (strncmp(option, "code=", 5) == 0 && strlen(option + 5) < sizeof(trouble->code)) {
        snprintf(trouble->code, sizeof(trouble->code), "%s", option + 5);
        return true;
    }
    return fail(fault, FAULT_REFUSED, "Sandbox-Fault: \"%.40s\" is neither ms=N nor code=NAME",
                option);
}

bool trouble_parse(const char *header, enum op op, struct trouble *trouble, struct fault *fault)
{
    char copy[200], *rest = copy;
    const char *part;

    *trouble = (struct trouble){.ms = -1};
    if (snprintf(copy, sizeof(copy), "%s", header) >= (int)sizeof(copy))
        return fail(fault, FAULT_REFUSED, "Sandbox-Fault is too long");
    part = strsep(&rest, "; ");
    if (!kind_find(part, &trouble->kind, fault))
        return false;
    while ((part = strsep(&rest, "; ")))
        if (*part && !parse_option(part, trouble, fault))
            return false;
    return check_trouble(trouble, (int)op, fault);
}

/* --- by rule ------------------------------------------------------------------------------- */

void rules_init(struct rules *rules)
{
    TAILQ_INIT(&rules->list);
    rules->last_id = 0;
}

static void destroy_rule(struct rule *rule)
{
    free(rule->order);
    free(rule->method);
    free(rule);
}

void rules_clear(struct rules *rules)
{
    struct rule *rule;

    while ((rule = TAILQ_FIRST(&rules->list))) {
        TAILQ_REMOVE(&rules->list, rule, link);
        destroy_rule(rule);
    }
}

/* Every member known, of its type. */
static bool unpack(const json_t *json, struct rule *rule, struct fault *fault)
{
    const char *name = NULL, *op = NULL, *order = "", *method = "", *code = "";
    json_int_t ms = -1, times = -1;
    json_error_t error;

    if (json_unpack_ex((json_t *)(uintptr_t)json, &error, JSON_STRICT,
                       "{s:s, s?{s?s, s?s, s?s !}, s?I, s?s, s?I}", "fault", &name, "match", "op",
                       &op, "order", &order, "method", &method, "ms", &ms, "code", &code, "times",
                       &times) != 0)
        return fail(fault, FAULT_REFUSED, "not a rule: %s", error.text);
    if (times == 0 || times < -1)
        return fail(fault, FAULT_REFUSED, "times is a number from 1, or -1 for ever");
    if (strlen(code) >= sizeof(rule->trouble.code))
        return fail(fault, FAULT_REFUSED, "code is too long");
    rule->op = -1;
    rule->times = times;
    rule->trouble.ms = ms;
    snprintf(rule->trouble.code, sizeof(rule->trouble.code), "%s", code);
    if (!kind_find(name, &rule->trouble.kind, fault) || (op && !op_find(op, &rule->op, fault)))
        return false;
    rule->order = xstrdup(order);
    rule->method = xstrdup(method);
    return true;
}

int64_t rules_add(struct rules *rules, const json_t *json, struct fault *fault)
{
    struct rule *rule = xcalloc(1, sizeof(*rule));

    if (!unpack(json, rule, fault) || !check_trouble(&rule->trouble, rule->op, fault)) {
        destroy_rule(rule);
        return 0;
    }
    rule->id = ++rules->last_id;
    TAILQ_INSERT_TAIL(&rules->list, rule, link);
    return rule->id;
}

static bool matches(const struct rule *rule, enum op op, const char *order, const char *method)
{
    return (rule->op < 0 || rule->op == (int)op) &&
           (!*rule->order || strcmp(rule->order, order) == 0) &&
           (!*rule->method || strcmp(rule->method, method) == 0);
}

void rules_take(struct rules *rules, enum op op, const char *order, const char *method,
                struct trouble *trouble)
{
    struct rule *rule;

    *trouble = (struct trouble){.kind = TROUBLE_NONE};
    TAILQ_FOREACH (rule, &rules->list, link)
        if (matches(rule, op, order, method))
            break;
    if (!rule)
        return;
    *trouble = rule->trouble;
    if (rule->times < 0 || --rule->times > 0)
        return;
    TAILQ_REMOVE(&rules->list, rule, link);
    destroy_rule(rule);
}

static void render_rule(const struct rule *rule, struct text *json)
{
    text_print(json, "{\"id\":%" PRId64 ",\"match\":{", rule->id);
    if (rule->op >= 0)
        text_print(json, "\"op\":\"%s\",", op_names[rule->op]);
    text_add(json, "\"order\":");
    text_add_json(json, rule->order);
    text_add(json, ",\"method\":");
    text_add_json(json, rule->method);
    text_print(json,
               "},\"fault\":\"%s\",\"ms\":%" PRId64 ",\"code\":", kinds[rule->trouble.kind].name,
               rule->trouble.ms);
    text_add_json(json, rule->trouble.code);
    text_print(json, ",\"times\":%" PRId64 "}", rule->times);
}

void rules_render(const struct rules *rules, struct text *json)
{
    const struct rule *rule;

    text_add(json, "{\"data\":[");
    TAILQ_FOREACH (rule, &rules->list, link) {
        render_rule(rule, json);
        if (TAILQ_NEXT(rule, link))
            text_add(json, ",");
    }
    text_add(json, "]}");
}
