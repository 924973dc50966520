/*
 * The family `alias` has two kinds of rows, told apart by the length of their keys: the way from a
 * merged customer to the survivor, which every reader of old numbers needs, and the way back, which
 * export, erase and the next merge need. Both are written by link.c, in one batch.
 */
#include "services/profile/alias.h"

#include <stdlib.h>

enum { MAP_CAPACITY_MIN = 256 };

struct vt_err vt__resolve_customer(struct vt_profile *profile, uint64_t recorded,
                                   struct vt_diag *diag, uint64_t *ret_customer)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_customer(recorded);
    uint64_t survivor = recorded;
    bool found = false;
    VT_TRY(vt_store_get(profile->store, VT__ALIAS, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err = found ? vt__number_decode(value.bytes, &survivor) : vt_ok();
    vt_store_value_release(&value);
    if (!vt_failed(err))
        *ret_customer = survivor;
    return err;
}

static struct vt_err tell_merged(const struct vt_store_iter *rows, vt__each_merged_fn each,
                                 void *ctx)
{
    uint64_t survivor = 0, merged = 0, time_ms = 0;
    if (vt__parse_customer(vt_store_iter_key(rows), &merged))
        return vt_ok(); /* its own way to a survivor */
    VT_CHECK(vt__parse_merged(vt_store_iter_key(rows), &survivor, &merged), VT_CORRUPT,
             "the key of a merged customer is malformed");
    VT_TRY(vt__number_decode(vt_store_iter_value(rows), &time_ms));
    return each(ctx, merged, (int64_t)time_ms);
}

struct vt_err vt__each_merged(struct vt_profile *profile, uint64_t survivor,
                              vt__each_merged_fn each, void *ctx)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer(survivor), end = vt__key_customer(survivor + 1);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__ALIAS, vt__key_slice(&first), vt__key_slice(&end),
                              &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = tell_merged(rows, each, ctx);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

/* ---- all of them, for passes over the log ---- */

static struct vt_err add_alias(struct vt__alias_map *map, struct vt_slice key,
                               struct vt_slice value)
{
    struct vt__alias alias = {0, 0};
    if (!vt__parse_customer(key, &alias.merged))
        return vt_ok(); /* the way back */
    VT_TRY(vt__number_decode(value, &alias.survivor));
    if (map->n == map->capacity) {
        size_t capacity = map->capacity != 0 ? 2 * map->capacity : MAP_CAPACITY_MIN;
        struct vt__alias *grown = realloc(map->rows, capacity * sizeof *grown);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory");
        map->rows = grown;
        map->capacity = capacity;
    }
    map->rows[map->n++] = alias;
    return vt_ok();
}

struct vt_err vt__alias_map_load(struct vt_profile *profile, struct vt__alias_map *map)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__ALIAS, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = add_alias(map, vt_store_iter_key(rows), vt_store_iter_value(rows));
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

void vt__alias_map_fini(struct vt__alias_map *map)
{
    free(map->rows);
    *map = (struct vt__alias_map){0};
}

static int compare_merged(const void *number, const void *row)
{
    const uint64_t *key = number;
    const struct vt__alias *alias = row;
    return (*key > alias->merged) - (*key < alias->merged);
}

uint64_t vt__alias_map_resolve(const struct vt__alias_map *map, uint64_t recorded)
{
    if (map->n == 0)
        return recorded;
    const struct vt__alias *alias =
        bsearch(&recorded, map->rows, map->n, sizeof map->rows[0], compare_merged);
    return alias != NULL ? alias->survivor : recorded;
}
