#ifndef VT_PROFILE_CUSTOMER_LOG_H
#define VT_PROFILE_CUSTOMER_LOG_H

#include "services/profile/event_block.h"
#include "services/profile/link.h"
#include "services/profile/profile_internal.h"

/*
 * The rows of the event log that belong to one customer and to those who were merged into it: by
 * number, and of each in the order of the log. Nothing is pinned between two rows; memory is that
 * of one block. One thread, one that may block. Zero it first, set what is above the line; _fini
 * always.
 */
struct vt__customer_log {
    struct vt_profile *profile; /* borrowed */
    uint32_t first_day;         /* of acceptance; 0: all */

    uint64_t numbers[VT__CUSTOMER_MERGED_MAX + 1];
    uint32_t n_numbers;
    uint32_t at_number, day;  /* whose, and of which day `blocks` are, or will be */
    struct vt__buffer blocks; /* owned; a list of first sequences, as it is stored */
    size_t next_block;        /* bytes of `blocks` */
    struct vt__block block;   /* owned; being read while `raw` is there */
    uint64_t sequence;        /* of its next row */
};

/* Before the first row: the customer's number, then the merged ones'. VT_CORRUPT: more than linking
 * allows. */
VT_MUST_USE struct vt_err vt__customer_log_add(struct vt__customer_log *log, uint64_t number);
void vt__customer_log_fini(struct vt__customer_log *log);

/* The next row; *ret_more false behind the last. Its texts are borrowed until the next call. Rows
 * that retention took away are nobody's loss. */
VT_MUST_USE struct vt_err vt__customer_log_next(struct vt__customer_log *log, struct vt_diag *diag,
                                                struct vt__log_row *ret_row, uint64_t *ret_sequence,
                                                bool *ret_more);

#endif
