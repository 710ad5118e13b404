/* What became of a call, from the evidence alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/http/client_judge.h"
#include "base/memory.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static const struct row {
    const char *name;
    struct http_evidence evidence;
    enum http_call_outcome outcome;
    const char *code;
    enum fault_kind kind;
} rows[] = {
    {"whole", {.bytes_sent = 9, .answer_is_framed = true}, HTTP_CALL_ANSWERED, "", FAULT_NONE},
    {"unframed", {.bytes_sent = 9}, HTTP_CALL_UNKNOWN, "answer_unframed", FAULT_UNKNOWN},
    {"cut",
     {.result = CURLE_WRITE_ERROR, .bytes_sent = 9, .answer_was_cut = true},
     HTTP_CALL_UNKNOWN,
     "answer_too_large",
     FAULT_UNKNOWN},
    {"late",
     {.result = CURLE_OPERATION_TIMEDOUT, .bytes_sent = 1},
     HTTP_CALL_UNKNOWN,
     "timed_out",
     FAULT_UNKNOWN},
    {"late to connect",
     {.result = CURLE_OPERATION_TIMEDOUT},
     HTTP_CALL_NOT_SENT,
     "connect_timeout",
     FAULT_TRANSIENT},
    {"send failed at once",
     {.result = CURLE_SEND_ERROR},
     HTTP_CALL_NOT_SENT,
     "connect_failed",
     FAULT_TRANSIENT},
    {"send failed later",
     {.result = CURLE_SEND_ERROR, .bytes_sent = 1},
     HTTP_CALL_UNKNOWN,
     "connection_lost",
     FAULT_UNKNOWN},
    {"withheld",
     {.result = CURLE_ABORTED_BY_CALLBACK, .was_withheld = true},
     HTTP_CALL_NOT_SENT,
     "call_withheld",
     FAULT_TRANSIENT},
    {"withheld after a first try was sent",
     {.result = CURLE_ABORTED_BY_CALLBACK, .was_withheld = true, .bytes_sent = 9},
     HTTP_CALL_UNKNOWN,
     "connection_lost",
     FAULT_UNKNOWN},
    {"stopped repetition",
     {.result = CURLE_ABORTED_BY_CALLBACK, .was_repeat = true, .bytes_sent = 9},
     HTTP_CALL_UNKNOWN,
     "connection_lost",
     FAULT_UNKNOWN},
    {"certificate",
     {.result = CURLE_PEER_FAILED_VERIFICATION},
     HTTP_CALL_NOT_SENT,
     "certificate_refused",
     FAULT_TRANSIENT},
    {"URL", {.result = CURLE_URL_MALFORMAT}, HTTP_CALL_NOT_SENT, "url_invalid", FAULT_BROKEN},
};

static void each_evidence_means_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_evidence evidence = rows[i].evidence;
        struct fault fault;
        enum http_call_outcome outcome;

        evidence.detail = "";
        outcome = http_judge(&evidence, "POST to x", &fault);
        if (outcome != rows[i].outcome || strcmp(fault.code, rows[i].code) != 0 ||
            fault.kind != rows[i].kind)
            fail_msg("%s: %d %s %s", rows[i].name, outcome, fault.code,
                     fault_kind_name(fault.kind));
    }
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    const int64_t now_s = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

    (void)state;
    assert_int_equal(http_retry_after_ms("120", now_s), 120000);
    assert_int_equal(http_retry_after_ms("0", now_s), 0);
    assert_int_equal(http_retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now_s), 10000);
    assert_int_equal(http_retry_after_ms("Sun, 06 Nov 1994 08:49:07 GMT", now_s), 0);
    assert_int_equal(http_retry_after_ms("99999999999999999999", now_s), 86400000);
    assert_int_equal(http_retry_after_ms("1.5", now_s), -1);
    assert_int_equal(http_retry_after_ms("soon", now_s), -1);
    assert_int_equal(http_retry_after_ms("", now_s), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_evidence_means_what_the_table_says),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
