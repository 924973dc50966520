/*
 * The catalog a page at a time, as it stands in the store: whoever wrote an item finds it in the
 * next page, filtered or not.
 */
#include "services/profile/profile_internal.h"

enum {
    ROWS_A_PAGE = 50000,       /* looked at, and no more: of a rare filter some 0.1 s */
    SCRATCH_BYTES = 512 << 10, /* an item as large as it may be */
};

struct listing {
    const struct vt_item_page_query *query;
    struct vt_request *request;
    int64_t now_ms;
    struct vt_arena scratch; /* owned, with a filter: what does not pass takes no room elsewhere */
    uint32_t n_rows;
    size_t bytes; /* of the page's records */
};

static bool is_full(const struct listing *listing, const struct vt_item_page *page)
{
    return page->n == listing->query->max || listing->bytes >= VT__PAGE_BYTES ||
           listing->n_rows == ROWS_A_PAGE;
}

static struct vt_err judge(struct listing *listing, struct vt_slice value, uint32_t number,
                           bool *ret_passes)
{
    const struct vt_filter *filter = listing->query->filter;
    enum vt__item_state state;
    struct vt_item item;
    *ret_passes = filter == NULL;
    if (filter == NULL)
        return vt_ok();
    vt_arena_reset(&listing->scratch);
    VT_TRY(vt__item_decode(value, &listing->scratch, &state, &item));
    item.number = number;
    *ret_passes =
        state == VT__ITEM_DESCRIBED && vt_filter_matches_item(filter, &item, listing->now_ms);
    return vt_ok();
}

static struct vt_err take_row(struct listing *listing, struct vt_slice key, struct vt_slice value,
                              struct vt_item_page *page)
{
    struct vt_item *item = &page->items[page->n];
    enum vt__item_state state;
    bool passes = false;
    VT_CHECK(!vt_request_cancelled(listing->request), VT_CANCELLED, "the caller went away");
    VT_CHECK(vt__parse_item(key, &page->last), VT_CORRUPT, "an item's key is malformed");
    listing->n_rows++;
    VT_TRY(judge(listing, value, page->last, &passes));
    if (!passes)
        return vt_ok();
    VT_TRY(vt__item_decode(value, listing->request->arena, &state, item));
    item->number = page->last;
    if (state != VT__ITEM_DESCRIBED)
        return vt_ok();
    page->n++;
    listing->bytes += value.len;
    return vt_ok();
}

static struct vt_err list_from(struct vt_store_iter *rows, struct listing *listing,
                               struct vt_item_page *page)
{
    for (;;) {
        VT_TRY(vt_store_iter_next(rows, listing->request->diag, &page->more));
        if (!page->more || is_full(listing, page))
            return vt_ok();
        VT_TRY(take_row(listing, vt_store_iter_key(rows), vt_store_iter_value(rows), page));
    }
}

static struct vt_err list_behind(struct vt_profile *profile, struct listing *listing,
                                 struct vt_item_page *page)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_item(listing->query->after + 1);
    VT_TRY(vt_store_iter_open(profile->store, VT__ITEMS, vt__key_slice(&first), vt_slice(NULL, 0),
                              &rows));
    struct vt_err err = list_from(rows, listing, page);
    vt_store_iter_close(rows);
    return err;
}

struct vt_err vt_profile_list_items(struct vt_profile *profile, struct vt_request *request,
                                    const struct vt_item_page_query *query,
                                    struct vt_item_page *page)
{
    struct listing listing = {
        .query = query, .request = request, .now_ms = vt_clock_unix_ms(profile->clock)};
    page->n = 0;
    page->more = false;
    page->last = query->after;
    if (query->after == UINT32_MAX)
        return vt_ok();
    VT_CHECK(query->filter == NULL || vt_arena_init_owned(&listing.scratch, SCRATCH_BYTES),
             VT_EXHAUSTED, "no memory to filter the catalog");
    struct vt_err err = list_behind(profile, &listing, page);
    vt_arena_fini(&listing.scratch);
    return err;
}
