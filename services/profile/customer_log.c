/* Number after number, day after day, block after block: the lists of `customer_events` say which
 * blocks of the log have rows of a customer. */
#include "services/profile/customer_log.h"

struct vt_err vt__customer_log_add(struct vt__customer_log *log, uint64_t number)
{
    VT_CHECK(log->n_numbers <= VT__CUSTOMER_MERGED_MAX, VT_CORRUPT,
             "a customer has more merged numbers than linking allows");
    log->numbers[log->n_numbers++] = number;
    log->day = log->first_day;
    return vt_ok();
}

void vt__customer_log_fini(struct vt__customer_log *log)
{
    vt__block_fini(&log->block);
    vt__buffer_fini(&log->blocks);
}

static struct vt_err take_day(struct vt__customer_log *log, const struct vt_store_iter *rows)
{
    struct vt_slice list = vt_store_iter_value(rows);
    uint64_t customer = 0;
    VT_CHECK(vt__parse_customer_day(vt_store_iter_key(rows), &customer, &log->day), VT_CORRUPT,
             "the key of a customer's events is malformed");
    vt__put_bytes(&log->blocks, list.data, list.len);
    VT_CHECK(!log->blocks.failed, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

/* The next day on which the number has events; the copy of its list is empty when there is none. */
static struct vt_err next_day(struct vt__customer_log *log, struct vt_diag *diag)
{
    uint64_t number = log->numbers[log->at_number];
    struct vt__key first = vt__key_customer_day(number, log->day);
    struct vt__key end = vt__key_customer(number + 1);
    struct vt_store_iter *rows = NULL;
    bool more = false;
    VT_TRY(vt_store_iter_open(log->profile->store, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    log->blocks.len = 0;
    log->next_block = 0;
    struct vt_err err = vt_store_iter_next(rows, diag, &more);
    if (!vt_failed(err) && more)
        err = take_day(log, rows);
    vt_store_iter_close(rows);
    return err;
}

static struct vt_err open_block(struct vt__customer_log *log, uint64_t first, struct vt_diag *diag)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_block(log->day, first);
    bool found = false;
    VT_TRY(
        vt_store_get(log->profile->store, VT__EVENTS, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err = found ? vt__block_open(value.bytes, &log->block) : vt_ok();
    vt_store_value_release(&value);
    log->sequence = first;
    return err;
}

/* Moves to the next block, day or number; *ret_more false: there is none of any. */
static struct vt_err advance(struct vt__customer_log *log, struct vt_diag *diag, bool *ret_more)
{
    struct vt_slice list = vt__buffer_slice(&log->blocks);
    uint64_t first = 0;
    *ret_more = log->at_number < log->n_numbers;
    if (!*ret_more)
        return vt_ok();
    if (vt__block_list_next(list, &log->next_block, &first))
        return open_block(log, first, diag);
    VT_CHECK(log->next_block == list.len, VT_CORRUPT, "a list of log blocks is malformed");
    if (list.len != 0)
        log->day++;
    VT_TRY(next_day(log, diag));
    if (log->blocks.len != 0)
        return vt_ok();
    log->day = log->first_day;
    *ret_more = ++log->at_number < log->n_numbers;
    return vt_ok();
}

/* The block's next row that is the customer's; *ret_found false: it has no more. */
static struct vt_err next_of_block(struct vt__customer_log *log, struct vt__log_row *ret_row,
                                   uint64_t *ret_sequence, bool *ret_found)
{
    bool more = true;
    while (more) {
        VT_TRY(vt__block_next(&log->block, ret_row, &more));
        *ret_sequence = log->sequence++;
        *ret_found = more && ret_row->customer == log->numbers[log->at_number] &&
                     ret_row->event.type != VT_EVENT_UNSPECIFIED;
        if (*ret_found)
            return vt_ok();
    }
    vt__block_fini(&log->block);
    return vt_ok();
}

struct vt_err vt__customer_log_next(struct vt__customer_log *log, struct vt_diag *diag,
                                    struct vt__log_row *ret_row, uint64_t *ret_sequence,
                                    bool *ret_more)
{
    bool found = false;
    *ret_more = true;
    while (*ret_more && !found) {
        if (log->block.raw != NULL)
            VT_TRY(next_of_block(log, ret_row, ret_sequence, &found));
        else
            VT_TRY(advance(log, diag, ret_more));
    }
    return vt_ok();
}
