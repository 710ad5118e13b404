/* One case a rule of RFC 9112 (and of RFC 9110 where it says how long a body is).  Each is read
 * whole, byte by byte and cut at every place: the outcome must be the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/base/http/transcript.h"

#define HOST    "Host: a.example\r\n"
#define LINE    "POST / HTTP/1.1\r\n" HOST
#define CHUNKED LINE "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT    "GET /next HTTP/1.1\r\n" HOST "\r\n"
#define X16     "xxxxxxxxxxxxxxxx"
#define X256    X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X1024   X256 X256 X256 X256
#define X900    X256 X256 X256 X16 X16 X16 X16 X16 X16 X16 X16
#define Y16     "Y: \r\nY: \r\nY: \r\nY: \r\n"

struct framing {
    const char *promise, *bytes, *outcome;
    size_t length; /* 0: up to the NUL */
};

#define WITH_NUL(bytes) (sizeof(bytes) - 1)

static const struct framing framings[] = {
    /* What is right. */
    {"a request without a body ends with its head", NEXT, "GET /next []; ", 0},
    {"the next request begins where the last one ended", NEXT NEXT, "GET /next []; GET /next []; ",
     0},
    {"a body is as long as Content-Length says", LINE "Content-Length: 3\r\n\r\nabc" NEXT,
     "POST / [abc]; GET /next []; ", 0},
    {"a length of 0 is no body", LINE "Content-Length: 0\r\n\r\n" NEXT, "POST / []; GET /next []; ",
     0},
    {"GET may say that it has no body", "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
     "GET / []; ", 0},
    {"a length may have leading zeros", LINE "Content-Length: 003\r\n\r\nabc", "POST / [abc]; ", 0},
    {"spaces around a length are no part of it", LINE "Content-Length:   3  \r\n\r\nabc",
     "POST / [abc]; ", 0},
    {"a body may hold what looks like a request", LINE "Content-Length: 46\r\n\r\n" NEXT, "more",
     0},
    {"a body may hold any byte", LINE "Content-Length: 5\r\n\r\n\r\n \n:" NEXT,
     "POST / [\r\n \n:]; GET /next []; ", 0},
    {"chunks are put together", CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" NEXT,
     "POST / [abcde]; GET /next []; ", 0},
    {"no chunk but the last is an empty body", CHUNKED "0\r\n\r\n" NEXT,
     "POST / []; GET /next []; ", 0},
    {"a chunk size is hexadecimal in either case",
     CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "POST / [01234567890123456789]; ",
     0},
    {"a chunk may hold any byte", CHUNKED "5\r\n\r\n \n:\r\n0\r\n\r\n" NEXT,
     "POST / [\r\n \n:]; GET /next []; ", 0},
    {"a chunk extension is read over",
     CHUNKED "3;a=b\r\nabc\r\n2;e;f=\"g h\"\r\nde\r\n0;e\r\n\r\n" NEXT,
     "POST / [abcde]; GET /next []; ", 0},
    {"a trailer is read over", CHUNKED "3\r\nabc\r\n0\r\nX: y\r\nZ: \r\n\r\n" NEXT,
     "POST / [abc]; GET /next []; ", 0},
    {"a trailer cannot change how it is framed",
     CHUNKED "3\r\nabc\r\n0\r\nX: Content-Length: 5\r\n\r\n" NEXT, "POST / [abc]; GET /next []; ",
     0},
    {"a coding's name is not case-sensitive", LINE "transfer-encoding: ChUnKeD\r\n\r\n0\r\n\r\n",
     "POST / []; ", 0},
    {"a field's name is not case-sensitive", "GET / HTTP/1.1\r\nhOST: a\r\n\r\n", "GET / []; ", 0},
    {"a field may be empty", "GET / HTTP/1.1\r\n" HOST "X:\r\nY: \r\n\r\n", "GET / X= Y= []; ", 0},
    {"spaces around a value are no part of it", "GET / HTTP/1.1\r\n" HOST "X: \t a b \t \r\n\r\n",
     "GET / X=a b []; ", 0},
    {"a value may have bytes beyond ASCII", "GET / HTTP/1.1\r\n" HOST "X: \xc3\xa4\r\n\r\n",
     "GET / X=\xc3\xa4 []; ", 0},
    {"one empty line before a request is forgiven", "\r\n" NEXT "\r\n" NEXT,
     "GET /next []; GET /next []; ", 0},
    {"HTTP/1.0 needs no Host and is closed", "GET / HTTP/1.0\r\n\r\n", "GET / [] close; ", 0},
    {"HTTP/1.0 can ask for more", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "GET / Connection=keep-alive []; ", 0},
    {"close is understood in a list", "GET / HTTP/1.1\r\n" HOST "Connection: x, close\r\n\r\n",
     "GET / Connection=x, close [] close; ", 0},
    {"an upgrade is not taken",
     "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" NEXT,
     "GET / Connection=upgrade Upgrade=h2c []; GET /next []; ", 0},
    {"an absolute target is taken", "GET http://a.example/x HTTP/1.1\r\n" HOST "\r\n",
     "GET http://a.example/x []; ", 0},
    {"a host may have a port", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET / []; ", 0},
    {"what is not complete is waited for", "GET / HTTP/1.1\r\n" HOST, "more", 0},
    {"a body that is not complete is waited for", LINE "Content-Length: 3\r\n\r\nab", "more", 0},

    /* Two lengths, or none that is sure (RFC 9112 §6). */
    {"a length and a coding are refused",
     LINE "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, "refused 400; ",
     0},
    {"a coding and a length are refused",
     LINE "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" NEXT, "refused 400; ",
     0},
    {"two lengths are refused", LINE "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
     "refused 400; ", 0},
    {"two equal lengths are refused", LINE "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
     "refused 400; ", 0},
    {"a list of lengths is refused", LINE "Content-Length: 3, 3\r\n\r\nabc", "refused 400; ", 0},
    {"a signed length is refused", LINE "Content-Length: +3\r\n\r\nabc", "refused 400; ", 0},
    {"a negative length is refused", LINE "Content-Length: -3\r\n\r\nabc", "refused 400; ", 0},
    {"a hexadecimal length is refused", LINE "Content-Length: 0x3\r\n\r\nabc", "refused 400; ", 0},
    {"a length with a fraction is refused", LINE "Content-Length: 3.0\r\n\r\nabc", "refused 400; ",
     0},
    {"an empty length is refused", LINE "Content-Length: \r\n\r\n", "refused 400; ", 0},
    {"a length with a space inside is refused", LINE "Content-Length: 1 3\r\n\r\nabc",
     "refused 400; ", 0},
    {"a length beyond 64 bits is refused", LINE "Content-Length: 18446744073709551619\r\n\r\nabc",
     "refused 400; ", 0},
    {"a length over the limit is refused by its number", LINE "Content-Length: 65\r\n\r\n",
     "refused 413; ", 0},
    {"two codings are refused", LINE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"chunked twice is refused",
     LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"chunked, chunked is refused", LINE "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"chunked that is not last is refused",
     LINE "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "refused 400; ", 0},
    {"identity is refused", LINE "Transfer-Encoding: identity\r\n\r\n", "refused 400; ", 0},
    {"xchunked is refused", LINE "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "refused 400; ",
     0},
    {"chunkedx is refused", LINE "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "refused 400; ",
     0},
    {"a quoted coding is refused", LINE "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"an empty coding is refused", LINE "Transfer-Encoding: \r\n\r\n", "refused 400; ", 0},
    {"a vertical tab before a coding is refused",
     LINE "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"a coding in HTTP/1.0 is refused",
     "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "refused 400; ", 0},
    {"GET with a body is refused", "GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
     "refused 400; ", 0},
    {"GET with chunks is refused",
     "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "refused 400; ", 0},
    {"HEAD with a body is refused", "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na",
     "refused 400; ", 0},

    /* Chunks (RFC 9112 §7.1). */
    {"a chunk size that is no number is refused", CHUNKED "x\r\nabc\r\n", "refused 400; ", 0},
    {"a chunk size with 0x is refused", CHUNKED "0x3\r\nabc\r\n", "refused 400; ", 0},
    {"a signed chunk size is refused", CHUNKED "+3\r\nabc\r\n", "refused 400; ", 0},
    {"an empty chunk size is refused", CHUNKED "\r\nabc\r\n", "refused 400; ", 0},
    {"a space before a chunk size is refused", CHUNKED " 3\r\nabc\r\n", "refused 400; ", 0},
    {"a space after a chunk size is refused", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", "refused 400; ", 0},
    {"a chunk size beyond 64 bits is refused", CHUNKED "10000000000000003\r\nabc\r\n",
     "refused 400; ", 0},
    {"a chunk size that ends in LF alone is refused", CHUNKED "3\nabc\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"a chunk size that ends in CR alone is refused", CHUNKED "3\rabc\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"a chunk without its CRLF is refused", CHUNKED "3\r\nabc0\r\n\r\n", "refused 400; ", 0},
    {"a chunk that ends in LF alone is refused", CHUNKED "3\r\nabc\n0\r\n\r\n", "refused 400; ", 0},
    {"a chunk that is longer than its size is refused", CHUNKED "3\r\nabcd\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"an extension that ends in LF alone is refused", CHUNKED "3;a\nabc\r\n0\r\n\r\n",
     "refused 400; ", 0},
    {"a CR in an extension is refused", CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n", "refused 400; ", 0},
    {"an endless extension is refused", CHUNKED "3;" X1024 X1024 X1024, "refused 400; ", 0},
    {"extensions that add up to more than the limit are refused",
     CHUNKED "1;" X900 "\r\na\r\n1;" X900 "\r\nb\r\n1;" X900 "\r\nc\r\n0\r\n\r\n", "refused 400; ",
     0},
    {"an endless chunk size is refused", CHUNKED X16, "refused 400; ", 0},
    {"a folded trailer is refused", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", "refused 400; ", 0},
    {"an LF alone in the trailer is refused", CHUNKED "0\r\nX: y\n\r\n", "refused 400; ", 0},
    {"a nameless field in the trailer is refused", CHUNKED "0\r\n: y\r\n\r\n", "refused 400; ", 0},
    {"a space before a trailer's colon is refused", CHUNKED "0\r\nX : y\r\n\r\n", "refused 400; ",
     0},
    {"a trailer over the limit is refused",
     CHUNKED "0\r\nX: " X256 X256 "\r\nY: " X256 X256 "\r\nZ: " X256 X256 "\r\nZ: " X256 X256
             "\r\n\r\n",
     "refused 431; ", 0},
    {"one chunk over the limit is refused by its size", CHUNKED "41\r\n", "refused 413; ", 0},
    {"chunks that add up to more than the limit are refused", CHUNKED "20\r\n" X16 X16 "\r\n21\r\n",
     "refused 413; ", 0},

    /* Lines and fields (RFC 9112 §2.2, §5). */
    {"a line that ends in LF alone is refused", "GET / HTTP/1.1\nHost: a\n\n", "refused 400; ", 0},
    {"a field that ends in LF alone is refused", "GET / HTTP/1.1\r\n" HOST "X: y\nZ: z\r\n\r\n",
     "refused 400; ", 0},
    {"a CR alone does not end a field",
     "GET / HTTP/1.1\r\n" HOST "X: y\rTransfer-Encoding: chunked\r\n\r\n", "refused 400; ", 0},
    {"two CRs before an LF are refused", "GET / HTTP/1.1\r\n" HOST "X: y\r\r\n\r\n",
     "refused 400; ", 0},
    {"a head that ends in CR LF LF is refused", "GET / HTTP/1.1\r\n" HOST "\n", "refused 400; ", 0},
    {"a NUL in a value is refused", "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n", "refused 400; ",
     WITH_NUL("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n")},
    {"a control character in a value is refused", "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n",
     "refused 400; ", 0},
    {"a DEL in a value is refused", "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", "refused 400; ",
     0},
    {"a folded value is refused", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", "refused 400; ",
     0},
    {"a value folded with a tab is refused", "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n",
     "refused 400; ", 0},
    {"a folded length is refused", LINE "X: a\r\n Content-Length: 46\r\n\r\n" NEXT, "refused 400; ",
     0},
    {"a first field that begins with a space is refused", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     "refused 400; ", 0},
    {"a space before the colon is refused", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "refused 400; ",
     0},
    {"a tab before the colon is refused", "GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n",
     "refused 400; ", 0},
    {"a space in a name is refused", "GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n", "refused 400; ",
     0},
    {"a name with a character that no token has is refused",
     "GET / HTTP/1.1\r\n" HOST "X(Y): a\r\n\r\n", "refused 400; ", 0},
    {"a name with a byte beyond ASCII is refused", "GET / HTTP/1.1\r\n" HOST "X\xc3: a\r\n\r\n",
     "refused 400; ", 0},
    {"an empty name is refused", "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", "refused 400; ", 0},
    {"a field without a colon is refused", "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", "refused 400; ",
     0},
    {"two empty lines before a request are refused", "\r\n\r\n" NEXT, "refused 400; ", 0},

    /* Host (RFC 9112 §3.2). */
    {"no Host is refused", "GET / HTTP/1.1\r\n\r\n", "refused 400; ", 0},
    {"two Hosts are refused", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "refused 400; ", 0},
    {"two equal Hosts are refused", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "refused 400; ",
     0},
    {"two Hosts are refused in HTTP/1.0 too", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
     "refused 400; ", 0},
    {"an empty Host is refused", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "refused 400; ", 0},
    {"a Host with a path is refused", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "refused 400; ", 0},
    {"a Host with a user is refused", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "refused 400; ", 0},
    {"a list of Hosts is refused", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "refused 400; ", 0},

    /* The request line (RFC 9112 §3). */
    {"no version is refused", "GET /\r\n" HOST "\r\n", "refused 400; ", 0},
    {"two spaces after the method are refused", "GET  / HTTP/1.1\r\n" HOST "\r\n", "refused 400; ",
     0},
    {"two spaces after the target are refused", "GET /  HTTP/1.1\r\n" HOST "\r\n", "refused 400; ",
     0},
    {"a space at the end of the line is refused", "GET / HTTP/1.1 \r\n" HOST "\r\n",
     "refused 400; ", 0},
    {"a space in the target is refused", "GET /a b HTTP/1.1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"a tab between the parts is refused", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"a space before the method is refused", " GET / HTTP/1.1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"a fragment in the target is refused", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "refused 400; ",
     0},
    {"a byte beyond ASCII in the target is refused", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n",
     "refused 400; ", 0},
    {"a version in small letters is refused", "GET / http/1.1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"a version without a minor is refused", "GET / HTTP/1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"a version with two digits is refused", "GET / HTTP/1.10\r\n" HOST "\r\n", "refused 400; ", 0},
    {"HTTP/0.9 is refused", "GET / HTTP/0.9\r\n" HOST "\r\n", "refused 505; ", 0},
    {"HTTP/1.2 is refused", "GET / HTTP/1.2\r\n" HOST "\r\n", "refused 505; ", 0},
    {"HTTP/2.0 is refused", "GET / HTTP/2.0\r\n" HOST "\r\n", "refused 505; ", 0},
    {"HTTP/2's preface is refused", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "refused 505; ", 0},
    {"another protocol's version is refused", "OPTIONS * RTSP/1.0\r\n" HOST "\r\n", "refused 400; ",
     0},
    {"an unknown method is refused", "BREW / HTTP/1.1\r\n" HOST "\r\n", "refused 501; ", 0},
    {"a method in small letters is unknown", "get / HTTP/1.1\r\n" HOST "\r\n", "refused 501; ", 0},
    {"a method that is no token is refused", "G(T / HTTP/1.1\r\n" HOST "\r\n", "refused 400; ", 0},
    {"CONNECT is not served", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "refused 501; ", 0},
    {"another expectation than 100-continue is refused",
     LINE "Expect: tea\r\nContent-Length: 3\r\n\r\n", "refused 417; ", 0},

    /* Limits. */
    {"a head over the limit is refused", "GET / HTTP/1.1\r\n" HOST "X: " X1024 X1024 "\r\n\r\n",
     "refused 431; ", 0},
    {"a request line over the limit is refused", "GET /" X1024 X1024 " HTTP/1.1\r\n",
     "refused 414; ", 0},
    {"more fields than allowed are refused", "GET / HTTP/1.1\r\n" HOST Y16 "\r\n", "refused 431; ",
     0},
    {"nothing after what was refused is read", "GET / HTTP/1.1\r\n\r\n" NEXT, "refused 400; ", 0},
};

static const struct http_parser_limits limits = {
    .head_bytes_max = 2000, .body_bytes_max = 64, .fields_max = 4};

static size_t length_of(const struct framing *framing)
{
    return framing->length ? framing->length : strlen(framing->bytes);
}

static void expect(const struct framing *framing, const size_t *cuts, size_t cut_count)
{
    struct text transcript;

    text_init(&transcript, 1 << 20);
    text_add(&transcript, "");
    transcript_add(&transcript, &limits, framing->bytes, length_of(framing), cuts, cut_count);
    assert_string_equal(transcript.bytes, framing->outcome);
    text_finish(&transcript);
}

static void read_in_every_way(void **state)
{
    const struct framing *framing = *state;
    size_t length = length_of(framing), every[8192];

    expect(framing, NULL, 0);
    for (size_t cut = 1; cut < length; cut++) {
        expect(framing, &cut, 1);
        every[cut - 1] = cut;
    }
    expect(framing, every, length - 1);
}

int main(void)
{
    enum { COUNT = ARRAY_SIZE(framings) };
    struct CMUnitTest tests[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){framings[i].promise, read_in_every_way, NULL, NULL,
                                       (void *)(uintptr_t)&framings[i]};
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
