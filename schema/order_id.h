/* schema/order_id.h - ids of orders: UUID version 7 (RFC 9562 §5.7), made here with the database's
 * date
 *
 * The public form is "ord_" and 26 characters of Crockford's base32 in lower case, most significant
 * first, so that it sorts as the id does.  An id is no secret: it tells when it was made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ORDER_ID_BYTES = 16, ORDER_ID_TEXT_SIZE = sizeof("ord_") + 26, ORDER_ID_UUID_SIZE = 37 };

struct order_id {
    uint8_t bytes[ORDER_ID_BYTES];
};

/* Strictly rising within one process, also when the date stands still or falls back. */
void order_id_make(struct order_id *id, int64_t unix_ms);
void order_id_first(struct order_id *id, int64_t unix_ms); /* that could be made then */
int64_t order_id_unix_ms(const struct order_id *id);       /* when it was made */
void order_id_format(const struct order_id *id, char text[ORDER_ID_TEXT_SIZE]);
bool order_id_parse(struct order_id *id, const char *text) __attribute__((warn_unused_result));
/* "xxxxxxxx-xxxx-…", as Postgres and messages write it. */
void order_id_format_uuid(const struct order_id *id, char text[ORDER_ID_UUID_SIZE]);
bool order_id_parse_uuid(struct order_id *id, const char *text) __attribute__((warn_unused_result));

/* From the least to the greatest of some ids: begun with one of them as both. */
struct order_span {
    struct order_id least, greatest;
};
void order_span_add(struct order_span *span, const struct order_id *id);

/* For tables in memory: the last bytes of an id are random. */
uint32_t order_id_hash(const struct order_id *id);
