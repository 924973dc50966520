#ifndef VT_PROFILE_WIRE_ITEM_H
#define VT_PROFILE_WIRE_ITEM_H

#include "services/common/base/arena.h"
#include "services/common/catalog/item_table.h"
#include "services/common/wire/check.h"
#include "services/profile/profile.h"

/*
 * Items and the catalog's unary calls on the wire. Everything lives in the arena.
 * Decoders: VT_INVALID with the field in `diag` for what is malformed or against the contract;
 * VT_EXHAUSTED, as of encoders, when the arena is full. Any thread.
 */
struct Vitrine__V1__Item;

enum { VT_ITEM_BATCH_MAX = 1000 };

/* The entry's shape only (list lengths, times); vt_wire_item_check judges what is in it. */
VT_MUST_USE struct vt_err vt_wire_item_decode(const struct Vitrine__V1__Item *message,
                                              struct vt_field place, struct vt_arena *arena,
                                              struct vt_diag *diag, struct vt_item *ret_item);
/* The limits that types.proto states for an entry that a storefront sends. */
VT_MUST_USE struct vt_err vt_wire_item_check(const struct vt_item *item, struct vt_field place,
                                             struct vt_diag *diag);
VT_MUST_USE struct vt_err vt_wire_item_fill(const struct vt_item *item, struct vt_arena *arena,
                                            struct Vitrine__V1__Item *message);

struct vt_wire_upsert_items {
    const struct vt_item *items;
    uint32_t n_items;
    uint32_t mask; /* enum vt_item_field bits; 0: whole entries */
    bool validate_only;
};
VT_MUST_USE struct vt_err vt_wire_upsert_items_decode(struct vt_slice body, struct vt_arena *arena,
                                                      struct vt_diag *diag,
                                                      struct vt_wire_upsert_items *ret_request);
VT_MUST_USE struct vt_err vt_wire_upsert_items_encode(const struct vt_upsert_result *result,
                                                      struct vt_arena *arena,
                                                      struct vt_slice *ret_body);
/* The caller's side; whole entries. VT_EXHAUSTED: the arena is too small for so many. */
VT_MUST_USE struct vt_err vt_wire_upsert_items_request_encode(const struct vt_item *items,
                                                              uint32_t n, struct vt_arena *arena,
                                                              struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_upsert_items_response_decode(struct vt_slice body,
                                                               struct vt_arena *arena,
                                                               struct vt_diag *diag,
                                                               struct vt_upsert_result *ret_result);

struct vt_wire_get_items {
    const struct vt_slice *ids;
    const uint32_t *numbers;
    uint32_t n_ids, n_numbers;
};
VT_MUST_USE struct vt_err vt_wire_get_items_decode(struct vt_slice body, struct vt_arena *arena,
                                                   struct vt_diag *diag,
                                                   struct vt_wire_get_items *ret_request);
/* `items` and `found` have an element for each id, then one for each number; found items are moved
 * to the front of `items`. */
VT_MUST_USE struct vt_err vt_wire_get_items_encode(const struct vt_wire_get_items *request,
                                                   struct vt_item *items, const bool *found,
                                                   struct vt_arena *arena,
                                                   struct vt_slice *ret_body);

struct vt_wire_list_items {
    uint32_t after; /* item number */
    uint32_t page_size;
    const struct vt_filter *filter; /* NULL: none */
};
VT_MUST_USE struct vt_err vt_wire_list_items_decode(struct vt_slice body, struct vt_arena *arena,
                                                    struct vt_diag *diag,
                                                    struct vt_wire_list_items *ret_request);
VT_MUST_USE struct vt_err vt_wire_list_items_encode(const struct vt_item_page *page,
                                                    struct vt_arena *arena,
                                                    struct vt_slice *ret_body);

struct vt_wire_delete_items {
    const struct vt_slice *ids;
    uint32_t n_ids;
    bool validate_only;
};
VT_MUST_USE struct vt_err vt_wire_delete_items_decode(struct vt_slice body, struct vt_arena *arena,
                                                      struct vt_diag *diag,
                                                      struct vt_wire_delete_items *ret_request);
VT_MUST_USE struct vt_err vt_wire_delete_items_encode(const struct vt_wire_delete_items *request,
                                                      const struct vt_delete_result *result,
                                                      struct vt_arena *arena,
                                                      struct vt_slice *ret_body);

#endif
