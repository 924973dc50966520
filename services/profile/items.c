/*
 * The catalog. An item is mentioned (events told its SKU), described (a catalog entry) or deleted;
 * in all three states its number and SKU stay. Only a real difference is written and told to
 * followers: the stored bytes of an entry are canonical, so "unchanged" is a comparison of bytes.
 */
#include "services/profile/profile_internal.h"

#include <stdio.h>
#include <string.h>

static const uint32_t ITEMS_BATCH_MAX = 1000;

struct stored_item {
    bool found;
    enum vt__item_state state;
    struct vt_item item;
};

static struct vt_err read_item(struct vt_profile *profile, uint32_t number, struct vt_arena *arena,
                               struct vt_diag *diag, struct stored_item *ret_item)
{
    struct vt_store_value value = {0};
    struct stored_item stored = {0};
    struct vt__key key = vt__key_item(number);
    VT_TRY(
        vt_store_get(profile->store, VT__ITEMS, vt__key_slice(&key), diag, &value, &stored.found));
    struct vt_err err = vt_ok();
    if (stored.found)
        err = vt__item_decode(value.bytes, arena, &stored.state, &stored.item);
    vt_store_value_release(&value);
    VT_TRY(err);
    stored.item.number = number;
    *ret_item = stored;
    return vt_ok();
}

/* ---- validation ---- */

static bool check_categories(const struct vt_item *item, struct vt__fault *fault)
{
    if (item->n_categories > VT_ITEM_CATEGORIES_MAX)
        return vt__fault_set(fault, "categories", "%u levels, at most %d", item->n_categories,
                             VT_ITEM_CATEGORIES_MAX);
    for (uint32_t i = 0; i < item->n_categories; i++)
        if (item->categories[i].len == 0)
            return vt__fault_set(fault, "categories", "level %u is empty: leave it out", i + 1);
        else if (!vt__check_text(item->categories[i], VT_TEXT_BYTES_MAX, "categories", fault))
            return false;
    return true;
}

static bool check_availability(const struct vt_item *item, struct vt__fault *fault)
{
    int64_t from = item->available_from_ms, until = item->available_until_ms;
    if (item->stock < -1)
        return vt__fault_set(fault, "stock", "%lld: pieces on hand, or -1 for always available",
                             (long long)item->stock);
    if (from < 0)
        return vt__fault_set(fault, "available_from", "before 1970-01-01");
    if (until < 0)
        return vt__fault_set(fault, "available_until", "before 1970-01-01");
    if (until != 0 && until <= from)
        return vt__fault_set(fault, "available_until", "not after available_from");
    return true;
}

static bool check_item(const struct vt_item *item, struct vt__fault *fault)
{
    return vt__check_id(item->id, "id", fault) &&
           vt__check_text(item->title, VT_TEXT_BYTES_MAX, "title", fault) &&
           vt__check_text(item->brand, VT_TEXT_BYTES_MAX, "brand", fault) &&
           vt__check_text(item->image_uri, VT_TEXT_BYTES_MAX, "image_uri", fault) &&
           vt__check_text(item->uri, VT_TEXT_BYTES_MAX, "uri", fault) &&
           check_categories(item, fault) && vt__check_currency(item->currency_code, fault) &&
           vt__check_not_negative(item->price, "price", fault) &&
           vt__check_not_negative(item->cost, "cost", fault) && check_availability(item, fault) &&
           vt__check_attributes(item->attributes, item->n_attributes, fault);
}

static struct vt_err check_count(uint32_t n, const char *field, struct vt_diag *diag)
{
    if (n != 0 && n <= ITEMS_BATCH_MAX)
        return vt_ok();
    vt_diag_set(diag, field, "%u items: send 1 to %u in a call", n, ITEMS_BATCH_MAX);
    return VT_ERR(VT_INVALID, "a call takes 1 to 1,000 items");
}

static struct vt_err check_items(const struct vt_item *items, uint32_t n, struct vt_diag *diag)
{
    struct vt__fault fault = {0};
    char field[VT_DIAG_FIELD_BYTES];
    VT_TRY(check_count(n, "items", diag));
    for (uint32_t i = 0; i < n; i++) {
        if (check_item(&items[i], &fault))
            continue;
        snprintf(field, sizeof field, "items[%u].%s", i, fault.field);
        vt_diag_set(diag, field, "%s", fault.text);
        return VT_ERR(VT_INVALID, "an item is not valid");
    }
    return vt_ok();
}

/* ---- upsert, on the writer thread ---- */

/* `target` takes the fields that the mask names. */
static void copy_masked(const struct vt_item *source, uint32_t mask, struct vt_item *target)
{
    if (mask & VT_ITEM_TITLE)
        target->title = source->title;
    if (mask & VT_ITEM_CATEGORIES) {
        memcpy(target->categories, source->categories, sizeof target->categories);
        target->n_categories = source->n_categories;
    }
    if (mask & VT_ITEM_BRAND)
        target->brand = source->brand;
    if (mask & VT_ITEM_PRICE)
        target->price = source->price;
    if (mask & VT_ITEM_CURRENCY)
        target->currency_code = source->currency_code;
    if (mask & VT_ITEM_STOCK)
        target->stock = source->stock;
    if (mask & VT_ITEM_AVAILABLE_FROM)
        target->available_from_ms = source->available_from_ms;
    if (mask & VT_ITEM_AVAILABLE_UNTIL)
        target->available_until_ms = source->available_until_ms;
    if (mask & VT_ITEM_ATTRIBUTES) {
        target->attributes = source->attributes;
        target->n_attributes = source->n_attributes;
    }
    if (mask & VT_ITEM_IMAGE_URI)
        target->image_uri = source->image_uri;
    if (mask & VT_ITEM_URI)
        target->uri = source->uri;
    if (mask & VT_ITEM_COST)
        target->cost = source->cost;
}

static struct vt_err read_known(struct vt_profile *profile, struct vt_slice id,
                                struct stored_item *ret_old)
{
    uint32_t number = vt__id_map_find(&profile->items, id);
    *ret_old = (struct stored_item){0};
    vt_arena_reset(&profile->arena);
    return number != 0 ? read_item(profile, number, &profile->arena, NULL, ret_old) : vt_ok();
}

static bool same_entry(const struct vt_item *a, const struct vt_item *b, struct vt_profile *profile)
{
    struct vt__buffer other = {0};
    profile->value.len = 0;
    vt__item_encode(VT__ITEM_DESCRIBED, a, &profile->value);
    vt__item_encode(VT__ITEM_DESCRIBED, b, &other);
    bool same = !other.failed &&
                vt_slice_equal(vt__buffer_slice(&profile->value), vt__buffer_slice(&other));
    vt__buffer_fini(&other);
    profile->value.len = 0;
    return same;
}

static struct vt_err put_entry(struct vt_profile *profile, struct vt_item *item)
{
    bool is_new = false;
    VT_TRY(vt__number_item(profile, item->id, &item->number, &is_new));
    vt__item_encode(VT__ITEM_DESCRIBED, item, &profile->value);
    vt__put(profile, VT__ITEMS, vt__key_item(item->number));
    return vt__add_change(profile, VT_CHANGE_UPSERT, item->number);
}

static struct vt_err upsert_one(struct vt_profile *profile, const struct vt_item *source,
                                uint32_t mask, struct vt_upsert_result *result)
{
    struct stored_item old;
    VT_TRY(read_known(profile, source->id, &old));
    bool described = old.found && old.state == VT__ITEM_DESCRIBED;
    struct vt_item item = *source;
    if (mask != 0) {
        VT_CHECK(described, VT_NOT_FOUND, "update_mask names fields of an item that is not there");
        item = old.item;
        copy_masked(source, mask, &item);
    }
    item.create_time_ms = described ? old.item.create_time_ms : vt_clock_unix_ms(profile->clock);
    if (described && same_entry(&old.item, &item, profile)) {
        result->unchanged++;
        return vt_ok();
    }
    result->inserted += described ? 0 : 1;
    result->updated += described ? 1 : 0;
    return put_entry(profile, &item);
}

/* True when a later entry of the call has the same SKU: without a mask the later one wins. */
static bool is_repeated(const struct vt_item *items, uint32_t n, uint32_t i)
{
    for (uint32_t j = i + 1; j < n; j++)
        if (vt_slice_equal(items[i].id, items[j].id))
            return true;
    return false;
}

/* Everything that can be refused is judged before the first item is numbered. */
static struct vt_err require_described(struct vt_profile *profile, struct vt__job *job)
{
    const struct vt_item *items = job->input;
    for (uint32_t i = 0; i < job->n; i++) {
        struct stored_item old;
        VT_TRY(read_known(profile, items[i].id, &old));
        if (old.found && old.state == VT__ITEM_DESCRIBED)
            continue;
        char field[VT_DIAG_FIELD_BYTES];
        snprintf(field, sizeof field, "items[%u].id", i);
        vt_diag_set(job->write.request->diag, field,
                    "unknown: with update_mask the item must exist; send the whole entry first");
        return VT_ERR(VT_NOT_FOUND, "update_mask names fields of an item that is not there");
    }
    return vt_ok();
}

static struct vt_err apply_upsert(struct vt_profile *profile, struct vt__job *job)
{
    const struct vt_item *items = job->input;
    struct vt_upsert_result result = {0};
    if (job->mask != 0)
        VT_TRY(require_described(profile, job));
    for (uint32_t i = 0; i < job->n; i++) {
        if (is_repeated(items, job->n, i))
            result.unchanged++;
        else
            VT_TRY(upsert_one(profile, &items[i], job->mask, &result));
    }
    result.sequence = profile->state.sequence + profile->n_pending;
    *(struct vt_upsert_result *)job->result = result;
    return vt_ok();
}

void vt_profile_upsert_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_item *items, uint32_t n_items, uint32_t mask,
                             struct vt_upsert_result *result)
{
    *result = (struct vt_upsert_result){0};
    struct vt_err err = check_items(items, n_items, write->request->diag);
    if (vt_failed(err) || (write->validate_only && mask == 0)) {
        write->done(write->ctx, err);
        return;
    }
    vt__writer_submit(
        profile, &(struct vt__job){.apply = write->validate_only ? require_described : apply_upsert,
                                   .n = n_items,
                                   .write = *write,
                                   .input = items,
                                   .mask = mask,
                                   .result = result});
}

/* ---- delete ---- */

static struct vt_err delete_one(struct vt_profile *profile, struct vt_slice id, bool *ret_missing)
{
    struct stored_item old;
    VT_TRY(read_known(profile, id, &old));
    *ret_missing = !old.found || old.state != VT__ITEM_DESCRIBED;
    if (*ret_missing)
        return vt_ok();
    vt__item_encode(VT__ITEM_DELETED, &old.item, &profile->value);
    vt__put(profile, VT__ITEMS, vt__key_item(old.item.number));
    return vt__add_change(profile, VT_CHANGE_DELETE, old.item.number);
}

static bool named_before(const struct vt_slice *ids, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (vt_slice_equal(ids[i], ids[j]))
            return true;
    return false;
}

static struct vt_err apply_delete(struct vt_profile *profile, struct vt__job *job)
{
    const struct vt_slice *ids = job->input;
    struct vt_delete_result *result = job->result;
    for (uint32_t i = 0; i < job->n; i++) {
        result->missing[i] = false;
        if (named_before(ids, i))
            continue;
        VT_TRY(delete_one(profile, ids[i], &result->missing[i]));
        result->deleted += result->missing[i] ? 0 : 1;
    }
    result->sequence = profile->state.sequence + profile->n_pending;
    return vt_ok();
}

void vt_profile_delete_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_slice *ids, uint32_t n_ids,
                             struct vt_delete_result *result)
{
    struct vt__fault fault = {0};
    struct vt_err err = check_count(n_ids, "ids", write->request->diag);
    for (uint32_t i = 0; i < n_ids && !vt_failed(err); i++) {
        if (vt__check_id(ids[i], "ids", &fault))
            continue;
        vt_diag_set(write->request->diag, "ids", "entry %u: %s", i, fault.text);
        err = VT_ERR(VT_INVALID, "an item id is not valid");
    }
    if (vt_failed(err) || write->validate_only) {
        write->done(write->ctx, err);
        return;
    }
    result->deleted = 0;
    vt__writer_submit(
        profile,
        &(struct vt__job){
            .apply = apply_delete, .n = n_ids, .write = *write, .input = ids, .result = result});
}

/* ---- reads ---- */

static struct vt_err number_of(struct vt_profile *profile, struct vt_slice id, struct vt_diag *diag,
                               uint32_t *ret_number)
{
    struct vt_store_value value = {0};
    uint64_t number = 0;
    bool found = false;
    VT_TRY(vt_store_get(profile->store, VT__ITEM_IDS, id, diag, &value, &found));
    struct vt_err err = found ? vt__number_decode(value.bytes, &number) : vt_ok();
    vt_store_value_release(&value);
    *ret_number = (uint32_t)number;
    return err;
}

struct vt_err vt_profile_get_item(struct vt_profile *profile, struct vt_request *request,
                                  struct vt_slice id, uint32_t number, struct vt_item *ret_item,
                                  bool *ret_found)
{
    struct stored_item stored = {0};
    if (id.len != 0)
        VT_TRY(number_of(profile, id, request->diag, &number));
    if (number != 0)
        VT_TRY(read_item(profile, number, request->arena, request->diag, &stored));
    *ret_found = stored.found && stored.state == VT__ITEM_DESCRIBED;
    *ret_item = stored.item;
    return vt_ok();
}
