/* Whose body it is, and whose it is not. */
#include "api/webhook_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY   "{\"id\":\"evt_1\"}"
#define FIRST  "whsec_0123456789abcdef"
#define SECOND "whsec_fedcba9876543210"
/* printf %s '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac $secret */
#define BY_FIRST  "dea1657bd5053cb0f8a75ebf0bd3d22e0cdeb79563b44db6b88864e522fb8bc4"
#define BY_SECOND "eb9f93c7283ec823484a3d5f0ebce320fca0b7cb3d2262ab3b5c870f2c76454d"
/* … of '.{"id":"evt_1"}': no time at all */
#define WITHOUT_TIME "f17fb7d0383b42218e5eecc22839b2b0242e068ad0ad96c356ae804471885af8"
#define WRONG        "0000000000000000000000000000000000000000000000000000000000000000"

static const int64_t NOW = 1700000000;

static const char *check(const char *secrets_text, const char *header, const char *body,
                         int64_t now_s)
{
    struct webhook_secrets secrets;
    struct fault fault;

    assert_true(webhook_secrets_parse(&secrets, secrets_text, &fault));
    return webhook_signature_check(&secrets, header, body, strlen(body), now_s);
}

static void takes_what_one_of_its_secrets_has_signed(void **state)
{
    (void)state;
    assert_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW));
    assert_null(check(SECOND "," FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW));
    assert_null(check(FIRST "," SECOND, "t=1700000000,v1=" BY_SECOND, BODY, NOW));
    assert_non_null(check(SECOND, "t=1700000000,v1=" BY_FIRST, BODY, NOW));
}

static void any_of_several_signatures_will_do(void **state)
{
    (void)state;
    assert_null(check(FIRST, "t=1700000000,v1=" WRONG ",v1=" BY_FIRST, BODY, NOW));
    assert_null(check(FIRST, "v1=" BY_FIRST ",t=1700000000,v0=abc,scheme=x", BODY, NOW));
    assert_non_null(check(FIRST, "t=1700000000,v1=" WRONG ",v1=" BY_SECOND, BODY, NOW));
    assert_non_null(check(FIRST, "t=1700000000,v0=" BY_FIRST, BODY, NOW));
}

static void every_byte_and_the_time_are_signed(void **state)
{
    (void)state;
    assert_non_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY " ", NOW));
    assert_non_null(check(FIRST, "t=1700000001,v1=" BY_FIRST, BODY, NOW));
    assert_non_null(check(FIRST, "t=01700000000,v1=" BY_FIRST, BODY, NOW));
}

static void is_of_now_give_or_take_five_minutes(void **state)
{
    (void)state;
    assert_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW + WEBHOOK_TOLERANCE_S));
    assert_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW - WEBHOOK_TOLERANCE_S));
    assert_non_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW + WEBHOOK_TOLERANCE_S + 1));
    assert_non_null(check(FIRST, "t=1700000000,v1=" BY_FIRST, BODY, NOW - WEBHOOK_TOLERANCE_S - 1));
}

static void what_is_no_signature_is_refused(void **state)
{
    static const char *const headers[] = {
        "",
        ",",
        "t=",
        "t=1700000000",
        "v1=" BY_FIRST,
        "t=,v1=" WITHOUT_TIME,
        "t=x1700000000,v1=" BY_FIRST,
        "t=-1,v1=" BY_FIRST,
        "t=1700000000,t=1700000000,v1=" BY_FIRST,
        "t=1700000000,v1=" BY_FIRST "00",
        "t=1700000000,v1=DEA1657BD5053CB0F8A75EBF0BD3D22E0CDEB79563B44DB6B88864E522FB8BC4",
        "t=1700000000 v1=" BY_FIRST,
    };

    (void)state;
    assert_non_null(check(FIRST, NULL, BODY, NOW));
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
        if (check(FIRST, headers[i], BODY, NOW) == NULL)
            fail_msg("was taken: %s", headers[i]);
    }
}

static void more_signatures_than_anybody_sends_are_refused(void **state)
{
    char header[4096];
    int length = snprintf(header, sizeof(header), "t=1700000000");

    (void)state;
    for (int i = 0; i < WEBHOOK_SIGNATURES_MAX; i++)
        length += snprintf(header + length, sizeof(header) - (size_t)length, ",v1=%s", WRONG);
    assert_non_null(check(FIRST, header, BODY, NOW));
    snprintf(header + length, sizeof(header) - (size_t)length, ",v1=%s", BY_FIRST);
    assert_non_null(check(FIRST, header, BODY, NOW));
}

static void secrets_that_are_none_are_refused_at_the_start(void **state)
{
    static const char one_short[] = FIRST ",short", spaced[] = FIRST ", " SECOND,
                      empty_first[] = "," FIRST;
    static const char *const wrong[] = {"short", one_short, spaced, empty_first,
                                        "whsec_0123456789 abcdef"};
    struct webhook_secrets secrets;
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (webhook_secrets_parse(&secrets, wrong[i], &fault))
            fail_msg("was taken: %s", wrong[i]);
    }
    assert_true(webhook_secrets_parse(&secrets, "", &fault));
    assert_int_equal(secrets.count, 0);
    assert_non_null(
        webhook_signature_check(&secrets, "t=1700000000,v1=" BY_FIRST, BODY, strlen(BODY), NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_one_of_its_secrets_has_signed),
        cmocka_unit_test(any_of_several_signatures_will_do),
        cmocka_unit_test(every_byte_and_the_time_are_signed),
        cmocka_unit_test(is_of_now_give_or_take_five_minutes),
        cmocka_unit_test(what_is_no_signature_is_refused),
        cmocka_unit_test(more_signatures_than_anybody_sends_are_refused),
        cmocka_unit_test(secrets_that_are_none_are_refused_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
