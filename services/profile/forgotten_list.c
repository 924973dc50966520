/*
 * Who was forgotten lately, for those parts of a cell that keep something about customers on their
 * own. Erasures and withdrawals are rare, and their family holds nothing else, so it is read as a
 * whole.
 */
#include "services/profile/erase.h"
#include "services/profile/profile_internal.h"

struct listing {
    int64_t since_ms;
    uint64_t *numbers;
    uint32_t n, max;
    bool more;
};

static struct vt_err take_row(struct listing *listing, struct vt_slice key, struct vt_slice value)
{
    enum vt__erased_kind kind;
    uint64_t number = 0;
    int64_t time_ms = 0;
    VT_CHECK(vt__parse_erased(key, &kind, &number), VT_CORRUPT, "an erasure's key is malformed");
    VT_TRY(vt__erased_decode(value, &time_ms));
    if (time_ms < listing->since_ms)
        return vt_ok();
    if (listing->n == listing->max)
        listing->more = true;
    else
        listing->numbers[listing->n++] = number;
    return vt_ok();
}

struct vt_err vt_profile_list_forgotten(struct vt_profile *profile, int64_t since_ms, uint32_t max,
                                        uint64_t *ret_numbers, uint32_t *ret_n, bool *ret_more)
{
    struct listing listing = {.since_ms = since_ms, .numbers = ret_numbers, .max = max};
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__ERASED, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = take_row(&listing, vt_store_iter_key(rows), vt_store_iter_value(rows));
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    VT_TRY(err);
    *ret_n = listing.n;
    *ret_more = listing.more;
    return vt_ok();
}
