#include "schema/order_id.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { DIGITS = 26, BITS_A_DIGIT = 5 };

/* One loop, one thread: what was made last is enough to stay monotonic. */
void order_id_make(struct order_id *id, int64_t unix_ms)
{
    static int64_t last_ms;
    static uint32_t counter; /* 26 bits, the upper 12 in rand_a, the lower 14 in rand_b */
    uint8_t *b = id->bytes;

    digest_random(b, ORDER_ID_BYTES);
    if (unix_ms > last_ms) {
        last_ms = unix_ms;
        counter = ((uint32_t)b[6] << 16 | (uint32_t)b[7] << 8 | b[8]) & 0xffffff;
    } else if (++counter == 1U << 26) {
        counter = 0;
        last_ms++;
    }
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | counter >> 22);
    b[7] = (uint8_t)(counter >> 14);
    b[8] = (uint8_t)(0x80 | (counter >> 8 & 0x3f));
    b[9] = (uint8_t)counter;
}

void order_id_first(struct order_id *id, int64_t unix_ms)
{
    *id = (struct order_id){{0}};
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
}

int64_t order_id_unix_ms(const struct order_id *id)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

/* The 128 bits as 26 digits: the first carries the top 3.  From the last one on, as the bits come.
 */
void order_id_format(const struct order_id *id, char text[ORDER_ID_TEXT_SIZE])
{
    unsigned pending = 0;
    int bits = 0, byte = ORDER_ID_BYTES;

    memcpy(text, "ord_", 4);
    for (int digit = DIGITS - 1; digit >= 0; digit--) {
        if (bits < BITS_A_DIGIT && byte > 0) {
            pending |= (unsigned)id->bytes[--byte] << bits;
            bits += 8;
        }
        text[4 + digit] = alphabet[pending & 31];
        pending >>= BITS_A_DIGIT;
        bits -= BITS_A_DIGIT;
    }
    text[4 + DIGITS] = '\0';
}

bool order_id_parse(struct order_id *id, const char *text)
{
    unsigned pending = 0;
    int bits = 0, byte = ORDER_ID_BYTES;

    memset(id, 0, sizeof(*id));
    if (strncmp(text, "ord_", 4) != 0 || strlen(text) != 4 + DIGITS || text[4] > '7')
        return false;
    for (int digit = DIGITS - 1; digit >= 0; digit--) {
        const char *at = strchr(alphabet, text[4 + digit]);

        if (at == NULL)
            return false;
        pending |= (unsigned)(at - alphabet) << bits;
        bits += BITS_A_DIGIT;
        if (bits >= 8) {
            id->bytes[--byte] = (uint8_t)pending;
            pending >>= 8;
            bits -= 8;
        }
    }
    return true;
}

void order_id_format_uuid(const struct order_id *id, char text[ORDER_ID_UUID_SIZE])
{
    char *at = text;

    for (int i = 0; i < ORDER_ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += sprintf(at, "%02x", id->bytes[i]);
    }
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - digits) : -1;
}

bool order_id_parse_uuid(struct order_id *id, const char *text)
{
    for (int i = 0; i < ORDER_ID_BYTES; i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        high = hex_digit(text[0]);
        low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        id->bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == '\0';
}

void order_span_add(struct order_span *span, const struct order_id *id)
{
    if (memcmp(id->bytes, span->least.bytes, ORDER_ID_BYTES) < 0)
        span->least = *id;
    if (memcmp(id->bytes, span->greatest.bytes, ORDER_ID_BYTES) > 0)
        span->greatest = *id;
}

uint32_t order_id_hash(const struct order_id *id)
{
    uint32_t hash;

    memcpy(&hash, id->bytes + ORDER_ID_BYTES - sizeof(hash), sizeof(hash));
    return hash;
}
