#ifndef VT_PROFILE_WIRE_CUSTOMER_H
#define VT_PROFILE_WIRE_CUSTOMER_H

#include "services/common/base/arena.h"
#include "services/profile/profile.h"

/*
 * Customers, their histories, and ProfileService's calls on the wire. Everything lives in the
 * arena.
 * Decoders: VT_INVALID with the field in `diag` for what is malformed or against the contract;
 * VT_EXHAUSTED, as of encoders, when the arena is full. Any thread.
 */
enum {
    VT_CUSTOMER_BATCH_MAX = 1000,
    VT_CUSTOMER_ATTRIBUTES_MAX = 64,
    VT_PROFILE_BATCH_MAX = 100,
    VT_PROFILE_EVENTS_DEFAULT = 50,
    VT_PROFILE_PAGE_DEFAULT = 25,
};

/* ---- GetProfile, BatchGetProfiles ---- */
struct vt_wire_get_profile {
    struct vt_profile_key key;
    uint32_t max_events; /* 0 on the wire reads as VT_PROFILE_EVENTS_DEFAULT */
};
VT_MUST_USE struct vt_err vt_wire_get_profile_encode(const struct vt_wire_get_profile *request,
                                                     struct vt_arena *arena,
                                                     struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_get_profile_decode(struct vt_slice body, struct vt_arena *arena,
                                                     struct vt_diag *diag,
                                                     struct vt_wire_get_profile *ret_request);
VT_MUST_USE struct vt_err
vt_wire_batch_get_profiles_decode(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag,
                                  const struct vt_wire_get_profile **ret_requests, uint32_t *ret_n);

/* `items` tells the SKUs of the events for people and other systems; NULL: they stay empty. */
VT_MUST_USE struct vt_err vt_wire_profile_encode(const struct vt_profile_view *view,
                                                 struct vt_item_table *items,
                                                 struct vt_arena *arena, struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_profiles_encode(const struct vt_profile_view *views, uint32_t n,
                                                  struct vt_item_table *items,
                                                  struct vt_arena *arena,
                                                  struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_profile_decode(struct vt_slice body, struct vt_arena *arena,
                                                 struct vt_diag *diag,
                                                 struct vt_profile_view *ret_view);

/* ---- ListProfiles ---- */
VT_MUST_USE struct vt_err vt_wire_list_profiles_encode(const struct vt_profile_page_query *query,
                                                       struct vt_arena *arena,
                                                       struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_list_profiles_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       struct vt_profile_page_query *ret_query);
VT_MUST_USE struct vt_err vt_wire_profile_page_encode(const struct vt_profile_page *page,
                                                      struct vt_arena *arena,
                                                      struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_profile_page_decode(struct vt_slice body, struct vt_arena *arena,
                                                      struct vt_diag *diag,
                                                      struct vt_profile_page *ret_page);

/* ---- UpsertCustomers, ListCustomers ---- */
struct vt_wire_upsert_customers {
    const struct vt_customer *customers;
    uint32_t n_customers;
    bool validate_only;
};
VT_MUST_USE struct vt_err
vt_wire_upsert_customers_decode(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                                struct vt_wire_upsert_customers *ret_request);
VT_MUST_USE struct vt_err vt_wire_upsert_customers_encode(const struct vt_upsert_result *result,
                                                          struct vt_arena *arena,
                                                          struct vt_slice *ret_body);
/* The caller's side. VT_EXHAUSTED: the arena is too small for so many. */
VT_MUST_USE struct vt_err
vt_wire_upsert_customers_request_encode(const struct vt_customer *customers, uint32_t n,
                                        struct vt_arena *arena, struct vt_slice *ret_body);
VT_MUST_USE struct vt_err
vt_wire_upsert_customers_response_decode(struct vt_slice body, struct vt_arena *arena,
                                         struct vt_diag *diag, struct vt_upsert_result *ret_result);

struct vt_wire_list_customers {
    uint64_t after; /* customer number */
    uint32_t page_size;
};
VT_MUST_USE struct vt_err vt_wire_list_customers_decode(struct vt_slice body,
                                                        struct vt_arena *arena,
                                                        struct vt_diag *diag,
                                                        struct vt_wire_list_customers *ret_request);
/* `last_number`: of the last customer; with `more` the page gets a token that goes on after it. */
VT_MUST_USE struct vt_err vt_wire_list_customers_encode(const struct vt_customer *customers,
                                                        uint32_t n_customers, bool more,
                                                        uint64_t last_number,
                                                        struct vt_arena *arena,
                                                        struct vt_slice *ret_body);

#endif
