#ifndef LOADTEST_WIRE_H
#define LOADTEST_WIRE_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Requests, serialised into the arena. VT_EXHAUSTED: the arena is too small. */
VT_MUST_USE struct vt_err load_wire_recommend(const char *customer, uint32_t n,
                                              struct vt_arena *arena, struct vt_slice *ret_bytes);
VT_MUST_USE struct vt_err load_wire_rank(const char *customer, const char *const *items,
                                         size_t n_items, struct vt_arena *arena,
                                         struct vt_slice *ret_bytes);
VT_MUST_USE struct vt_err load_wire_similar(const char *item, uint32_t n, struct vt_arena *arena,
                                            struct vt_slice *ret_bytes);
/* Asks for the newest n events of a customer. */
VT_MUST_USE struct vt_err load_wire_profile(const char *customer, uint32_t n,
                                            struct vt_arena *arena, struct vt_slice *ret_bytes);
/* One view of an item. `time_s`: Unix time; `event_id` is to be new. */
struct load_event {
    const char *event_id, *customer, *item;
    int64_t time_s;
};
VT_MUST_USE struct vt_err load_wire_event(const struct load_event *event, struct vt_arena *arena,
                                          struct vt_slice *ret_bytes);

#define LOAD_PATH_LIST_ITEMS "/vitrine.v1.CatalogService/ListItems"
enum { LOAD_PAGE_ITEMS_MAX = 1000, LOAD_TOKEN_BYTES_MAX = 256 };
/* A page of SKUs, in the arena it was read into. */
struct load_item_page {
    const char **ids;
    size_t n;
    const char *next_token; /* "": the last page */
};
/* Asks for at most LOAD_PAGE_ITEMS_MAX items after a page's token. */
VT_MUST_USE struct vt_err load_wire_list_items(uint32_t n, const char *token,
                                               struct vt_arena *arena, struct vt_slice *ret_bytes);
VT_MUST_USE struct vt_err load_wire_read_items(struct vt_slice answer, struct vt_arena *arena,
                                               struct vt_diag *diag,
                                               struct load_item_page *ret_page);
/* A serialised UpsertItemsRequest of n prices under a mask: updates `first` and on, of items named
 * as vitrine-bench fill names them. VT_EXHAUSTED: the arena is too small. */
VT_MUST_USE struct vt_err load_wire_prices(uint64_t first, uint32_t n, uint32_t n_items,
                                           struct vt_arena *arena, struct vt_slice *ret_bytes);
/* The field `degraded` of a Recommend, Rank or SimilarItems answer, found without decoding the
 * items: the generator shares its machine with what it measures. False for bytes of another kind
 * (the floor's). O(fields). */
bool load_wire_is_degraded(struct vt_slice response);

#endif
