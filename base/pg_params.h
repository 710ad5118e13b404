/* base/pg_params.h - the parameters of one statement, in Postgres' binary format
 *
 * Scalars and one-dimensional arrays are appended in the order of $1, $2, …; arrays element by
 * element (a column of a batch is one array).  Formats: PostgreSQL's send/recv functions, all
 * big-endian; times are microseconds since 2000-01-01.  The types must be cast in the statement
 * ($1::uuid[]), since a binary value has no other way to say what it is.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { PG_PARAMS_MAX = 64, PG_UUID_BYTES = 16 };

enum pg_oid {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_UUID = 2950,
};

struct pg_params {
    int count;
    struct text bytes;
    ptrdiff_t offsets[PG_PARAMS_MAX]; /* into bytes; -1: NULL */
    int lengths[PG_PARAMS_MAX];
    ptrdiff_t array;      /* offset of the array that is being built, or -1 */
    int32_t array_length; /* its elements so far */
};

void pg_params_init(struct pg_params *params);
void pg_params_clear(struct pg_params *params); /* for the next statement; keeps the memory */
void pg_params_finish(struct pg_params *params);

void pg_add_i16(struct pg_params *params, int16_t value);
void pg_add_i32(struct pg_params *params, int32_t value);
void pg_add_i64(struct pg_params *params, int64_t value);
void pg_add_bool(struct pg_params *params, bool value);
void pg_add_text(struct pg_params *params, const char *value); /* NULL: SQL NULL */
void pg_add_bytes(struct pg_params *params, const void *value, size_t length);
void pg_add_uuid(struct pg_params *params, const uint8_t *value); /* 16 bytes or NULL */

void pg_array_begin(struct pg_params *params, enum pg_oid element);
void pg_array_i16(struct pg_params *params, int16_t value);
void pg_array_i32(struct pg_params *params, int32_t value);
void pg_array_i64(struct pg_params *params, int64_t value);
void pg_array_bool(struct pg_params *params, bool value);
void pg_array_text(struct pg_params *params, const char *value);
void pg_array_bytes(struct pg_params *params, const void *value, size_t length);
void pg_array_uuid(struct pg_params *params, const uint8_t *value);
void pg_array_null(struct pg_params *params);
void pg_array_end(struct pg_params *params);

/* One cell of a binary result.  A NULL cell reads as 0, false or "". */
bool pg_is_null(const PGresult *result, int row, int column);
int16_t pg_i16(const PGresult *result, int row, int column);
int32_t pg_i32(const PGresult *result, int row, int column);
int64_t pg_i64(const PGresult *result, int row, int column);
bool pg_bool(const PGresult *result, int row, int column);
int64_t pg_time_us(const PGresult *result, int row,
                   int column); /* timestamptz: since 1970; NULL: 2000 */
const char *pg_text(const PGresult *result, int row, int column); /* lent, NUL-terminated */
const uint8_t *pg_bytes(const PGresult *result, int row, int column, size_t *length);
/* A uuid[] or int array cell without NULLs: its length; element i by the second call. */
int32_t pg_array_count(const PGresult *result, int row, int column);
const uint8_t *pg_array_element(const PGresult *result, int row, int column, int32_t index,
                                size_t *length);
