/*
 * Written by the writer thread once per group, read by the trainer and by whatever replays the log.
 * Columns because values of one kind compress together: on a shop's day about 10 bytes an event
 * instead of 60. Times and customers are kept as differences to the row before.
 */
#include "services/profile/event_block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum column {
    CUSTOMER = 1,
    ITEM,
    TYPE,
    CHANNEL,
    TIME,
    VALUE,
    QUANTITY,
    REVENUE,
    COST,
    CURRENCY,
    QUERY,
    TOKEN,
    NOISE,
};
enum { CODEC_PLAIN = 0, CODEC_ZSTD = 1, ZSTD_LEVEL = 1, COMPRESS_MIN_BYTES = 128 };

static bool is_zero(double value)
{
    return fpclassify(value) == FP_ZERO;
}

/* True when the column says nothing for this row. */
static bool cell_empty(enum column column, const struct vt__log_row *row)
{
    switch (column) {
    case VALUE:
        return is_zero((double)row->event.value);
    case QUANTITY:
        return is_zero(row->quantity);
    case REVENUE:
        return is_zero(row->revenue);
    case COST:
        return is_zero(row->cost);
    case CURRENCY:
        return row->currency[0] == 0;
    case QUERY:
        return row->query.len == 0;
    case TOKEN:
        return row->token.len == 0;
    case NOISE:
        return row->noise == VT__NOISE_NONE;
    default:
        return false;
    }
}

static void put_cell(enum column column, const struct vt__log_row *row,
                     const struct vt__log_row *before, struct vt__buffer *out)
{
    switch (column) {
    case CUSTOMER:
        vt__put_zigzag(out, (int64_t)(row->customer - (before ? before->customer : 0)));
        break;
    case ITEM:
        vt__put_varint(out, row->event.item);
        break;
    case TYPE:
        vt__put_u8(out, row->event.type);
        break;
    case CHANNEL:
        vt__put_varint(out, row->event.channel);
        break;
    case TIME:
        vt__put_zigzag(out, row->event.time_ms - (before ? before->event.time_ms : 0));
        break;
    case VALUE:
        vt__put_f32(out, row->event.value);
        break;
    case QUANTITY:
        vt__put_f64(out, row->quantity);
        break;
    case REVENUE:
        vt__put_f64(out, row->revenue);
        break;
    case COST:
        vt__put_f64(out, row->cost);
        break;
    case CURRENCY:
        vt__put_bytes(out, row->currency, sizeof row->currency);
        break;
    case QUERY:
        vt__put_text(out, row->query);
        break;
    case TOKEN:
        vt__put_text(out, row->token);
        break;
    case NOISE:
        vt__put_u8(out, row->noise);
        break;
    }
}

static void put_column(enum column column, const struct vt__log_row *rows, uint32_t n_rows,
                       struct vt__buffer *cells, struct vt__buffer *raw)
{
    bool empty = true;
    for (uint32_t i = 0; i < n_rows && empty; i++)
        empty = cell_empty(column, &rows[i]);
    if (empty)
        return;
    cells->len = 0;
    for (uint32_t i = 0; i < n_rows; i++)
        put_cell(column, &rows[i], i != 0 ? &rows[i - 1] : NULL, cells);
    vt__put_u8(raw, column);
    vt__put_text(raw, vt__buffer_slice(cells));
    raw->failed = raw->failed || cells->failed;
}

static void put_payload(const struct vt__buffer *raw, uint32_t n_rows, struct vt__buffer *buffer)
{
    size_t bound = ZSTD_compressBound(raw->len), size = 0;
    void *packed = raw->len >= COMPRESS_MIN_BYTES ? malloc(bound) : NULL;
    if (packed != NULL)
        size = ZSTD_compress(packed, bound, raw->data, raw->len, ZSTD_LEVEL);
    bool use = packed != NULL && !ZSTD_isError(size) && size < raw->len;
    vt__put_u8(buffer, VT__BLOCK_FORMAT);
    vt__put_u8(buffer, use ? CODEC_ZSTD : CODEC_PLAIN);
    vt__put_varint(buffer, n_rows);
    vt__put_varint(buffer, raw->len);
    vt__put_bytes(buffer, use ? packed : raw->data, use ? size : raw->len);
    free(packed);
}

void vt__block_encode(const struct vt__log_row *rows, uint32_t n_rows, struct vt__buffer *buffer)
{
    VT_ASSERT(n_rows != 0 && n_rows <= VT__BLOCK_ROWS_MAX);
    struct vt__buffer raw = {0}, cells = {0};
    for (unsigned column = CUSTOMER; column <= NOISE; column++)
        put_column((enum column)column, rows, n_rows, &cells, &raw);
    put_payload(&raw, n_rows, buffer);
    buffer->failed = buffer->failed || raw.failed;
    vt__buffer_fini(&cells);
    vt__buffer_fini(&raw);
}

/* ---- reading ---- */

static struct vt_err malformed(void)
{
    return VT_ERR(VT_CORRUPT, "a block of the event log is malformed");
}

static struct vt_err unpack(struct vt_slice payload, unsigned codec, size_t raw_size,
                            unsigned char *raw)
{
    if (codec == CODEC_PLAIN && payload.len == raw_size) {
        memcpy(raw, payload.data, raw_size);
        return vt_ok();
    }
    if (codec != CODEC_ZSTD ||
        ZSTD_decompress(raw, raw_size, payload.data, payload.len) != raw_size)
        return malformed();
    return vt_ok();
}

static struct vt_err find_columns(struct vt__block *block, size_t raw_size)
{
    struct vt__reader reader = vt__reader(vt_slice(block->raw, raw_size));
    while (!reader.failed && reader.at != reader.end) {
        unsigned id = vt__get_u8(&reader);
        struct vt_slice cells = vt__get_text(&reader);
        if (id == 0 || id > VT__BLOCK_COLUMNS)
            continue; /* of a later version */
        block->columns[id] = vt__reader(cells);
        block->present[id] = true;
    }
    bool whole = block->present[CUSTOMER] && block->present[ITEM] && block->present[TYPE] &&
                 block->present[CHANNEL] && block->present[TIME];
    return reader.failed || !whole ? malformed() : vt_ok();
}

struct vt_err vt__block_open(struct vt_slice bytes, struct vt__block *block)
{
    struct vt__reader reader = vt__reader(bytes);
    unsigned format = vt__get_u8(&reader), codec = vt__get_u8(&reader);
    uint64_t n_rows = vt__get_varint(&reader), raw_size = vt__get_varint(&reader);
    if (reader.failed || format != VT__BLOCK_FORMAT || n_rows == 0 || n_rows > VT__BLOCK_ROWS_MAX ||
        raw_size == 0 || raw_size > VT__BLOCK_RAW_BYTES_MAX)
        return malformed();
    struct vt_slice payload = vt_slice(reader.at, (size_t)(reader.end - reader.at));
    block->raw = malloc((size_t)raw_size);
    VT_CHECK(block->raw != NULL, VT_EXHAUSTED, "out of memory");
    block->n_rows = (uint32_t)n_rows;
    VT_TRY(unpack(payload, codec, (size_t)raw_size, block->raw));
    return find_columns(block, (size_t)raw_size);
}

void vt__block_fini(struct vt__block *block)
{
    free(block->raw);
    *block = (struct vt__block){0};
}

static void read_required(struct vt__block *block, struct vt__log_row *row)
{
    struct vt__reader *columns = block->columns;
    block->last_customer =
        (int64_t)((uint64_t)block->last_customer + (uint64_t)vt__get_zigzag(&columns[CUSTOMER]));
    block->last_time =
        (int64_t)((uint64_t)block->last_time + (uint64_t)vt__get_zigzag(&columns[TIME]));
    row->customer = (uint64_t)block->last_customer;
    row->event.time_ms = block->last_time;
    row->event.item = (uint32_t)vt__get_varint(&columns[ITEM]);
    row->event.type = (uint16_t)vt__get_u8(&columns[TYPE]);
    row->event.channel = (uint16_t)vt__get_varint(&columns[CHANNEL]);
}

static void read_optional(struct vt__block *block, struct vt__log_row *row)
{
    struct vt__reader *columns = block->columns;
    if (block->present[VALUE])
        row->event.value = vt__get_f32(&columns[VALUE]);
    if (block->present[QUANTITY])
        row->quantity = vt__get_f64(&columns[QUANTITY]);
    if (block->present[REVENUE])
        row->revenue = vt__get_f64(&columns[REVENUE]);
    if (block->present[COST])
        row->cost = vt__get_f64(&columns[COST]);
    if (block->present[QUERY])
        row->query = vt__get_text(&columns[QUERY]);
    if (block->present[TOKEN])
        row->token = vt__get_text(&columns[TOKEN]);
    if (block->present[NOISE])
        row->noise = (uint8_t)vt__get_u8(&columns[NOISE]);
    struct vt_slice currency = vt_slice(NULL, 0);
    if (block->present[CURRENCY])
        currency = vt__get_bytes(&columns[CURRENCY], sizeof row->currency);
    if (currency.len != 0)
        memcpy(row->currency, currency.data, sizeof row->currency);
}

struct vt_err vt__block_next(struct vt__block *block, struct vt__log_row *ret_row, bool *ret_more)
{
    *ret_more = block->row < block->n_rows;
    if (!*ret_more)
        return vt_ok();
    struct vt__log_row row = {0};
    read_required(block, &row);
    read_optional(block, &row);
    for (unsigned i = 1; i <= VT__BLOCK_COLUMNS; i++)
        if (block->columns[i].failed)
            return malformed();
    block->row++;
    *ret_row = row;
    return vt_ok();
}
