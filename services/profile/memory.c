/*
 * What the writer keeps in memory of what is on disk: numbering, every SKU and channel, the
 * customers it met lately. Read at open, and again after a failed write, when memory may be ahead
 * of the disk. Customers and histories are never read here: opening must not grow with them. The
 * seen filter (seen_filter.c) is not among it: an id too many in it costs a lookup.
 */
#include "services/profile/memory.h"

#include "services/profile/profile_internal.h"

struct vt_err vt__state_load(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt_store_value value = {0};
    struct vt__state state = {.next_customer = 1, .next_item = 1, .next_channel = 1};
    bool found = false;
    struct vt__key key = vt__key_state();
    VT_TRY(vt_store_get(profile->store, VT__STATE, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err = found ? vt__state_decode(value.bytes, &state) : vt_ok();
    vt_store_value_release(&value);
    if (!vt_failed(err))
        profile->state = state;
    return err;
}

static struct vt_err take_sku(struct vt_profile *profile, struct vt_slice key, uint32_t number)
{
    return vt__id_map_add(&profile->items, key, number);
}

static struct vt_err take_channel(struct vt_profile *profile, struct vt_slice key, uint32_t number)
{
    enum vt__name_kind kind;
    struct vt_slice name;
    VT_CHECK(vt__parse_name(key, &kind, &name), VT_CORRUPT, "a name's key is malformed");
    return vt__id_map_add(&profile->channels, name, number);
}

static struct vt_err load_numbers(struct vt_profile *profile, enum vt__family family,
                                  struct vt_err (*take)(struct vt_profile *profile,
                                                        struct vt_slice key, uint32_t number),
                                  struct vt_diag *diag)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, family, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, diag, &more)) && more) {
        uint64_t number = 0;
        err = vt__number_decode(vt_store_iter_value(rows), &number);
        if (!vt_failed(err))
            err = take(profile, vt_store_iter_key(rows), (uint32_t)number);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

struct vt_err vt__memory_load(struct vt_profile *profile, struct vt_diag *diag)
{
    VT_TRY(load_numbers(profile, VT__ITEM_IDS, take_sku, diag));
    VT_TRY(load_numbers(profile, VT__NAMES, take_channel, diag));
    return vt__customer_cache_new(&profile->customers);
}

void vt__memory_drop(struct vt_profile *profile)
{
    vt__customer_cache_free(profile->customers);
    profile->customers = NULL;
    vt__id_map_fini(&profile->items);
    vt__id_map_fini(&profile->channels);
}
