#ifndef VT_PROFILE_EVENT_BLOCK_H
#define VT_PROFILE_EVENT_BLOCK_H

#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/profile/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The event log is one block per commit group: columns, compressed together. Row i of a block has
 * the sequence of its key plus i. See docs/adr/0011-event-log-blocks.md.
 *
 *   format u8 = 1 · codec u8 (0 plain, 1 zstd) · rows varint · raw size varint · payload
 *   payload: columns, each id u8 · length varint · bytes; absent when all its values are zero;
 *   readers skip ids they do not know.
 */
enum {
    VT__BLOCK_FORMAT = 1,
    VT__BLOCK_ROWS_MAX = 16384,
    VT__BLOCK_COLUMNS = 13,
};
#define VT__BLOCK_RAW_BYTES_MAX ((size_t)64 << 20)

/* Why a row counts for nothing: it stands in the log alone (noise.h). Never renumber. */
enum vt__noise_mark { VT__NOISE_NONE = 0, VT__NOISE_BOT = 1, VT__NOISE_CAP = 2 };

struct vt__log_row {
    uint64_t customer; /* 0: of somebody who gave no consent, or of a bot */
    struct vt_history_event event;
    uint8_t noise; /* enum vt__noise_mark; one of a later version is noise too */
    double quantity, revenue, cost;
    char currency[3];             /* zeros when not told */
    struct vt_slice query, token; /* borrowed */
};

/* Appends the block of 1 to VT__BLOCK_ROWS_MAX rows; buffer->failed when memory is out. */
void vt__block_encode(const struct vt__log_row *rows, uint32_t n_rows, struct vt__buffer *buffer);

/* A block being read. Zero it first; _fini always. One thread. */
struct vt__block {
    uint32_t n_rows, row;
    unsigned char *raw; /* owned */
    int64_t last_customer, last_time;
    struct vt__reader columns[VT__BLOCK_COLUMNS + 1]; /* by column id; empty: all zero */
    bool present[VT__BLOCK_COLUMNS + 1];
};
/* Unpacks the payload: O(raw bytes). VT_CORRUPT: not a block of ours; VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt__block_open(struct vt_slice bytes, struct vt__block *block);
void vt__block_fini(struct vt__block *block);
/* The next row; *ret_more false behind the last. Texts are borrowed from the block. */
VT_MUST_USE struct vt_err vt__block_next(struct vt__block *block, struct vt__log_row *ret_row,
                                         bool *ret_more);

#endif
