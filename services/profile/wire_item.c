/*
 * Catalog entries as protobuf, both ways: UpsertItems reads them, GetItems, ListItems and Watch
 * write them, and the follower of a remote Watch reads them again. The follower must take whatever
 * the store holds (an importer's rules may be wider than the contract's), so the shape is decoded
 * in one function and the contract's limits are judged in another, for requests only.
 */
#include "services/profile/wire_item.h"

#include "google/protobuf/field_mask.pb-c.h"
#include "services/common/base/options.h"
#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/page.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/catalog.pb-c.h"

#include <string.h>

enum { LIST_ITEMS = 'I' };

/* ---- one item ---- */

static struct vt_field inside(struct vt_field place, const char *name)
{
    place.name = name;
    return place;
}

static struct vt_err decode_lists(const Vitrine__V1__Item *message, struct vt_field place,
                                  struct vt_arena *arena, struct vt_diag *diag,
                                  struct vt_item *item)
{
    VT_TRY(vt_check_count(message->n_categories, 0, VT_ITEM_CATEGORIES_MAX,
                          inside(place, "categories"), diag));
    VT_TRY(vt_check_count(message->n_attributes, 0, VT_ITEM_ATTRIBUTES_MAX,
                          inside(place, "attributes"), diag));
    for (size_t i = 0; i < message->n_categories; i++)
        item->categories[i] = vt_slice_str(message->categories[i]);
    item->n_categories = (uint32_t)message->n_categories;
    struct vt_attribute *attributes =
        vt_arena_array(arena, message->n_attributes, sizeof *attributes);
    if (attributes == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_attributes; i++) {
        attributes[i].key = vt_slice_str(message->attributes[i]->key);
        attributes[i].value = vt_slice_str(message->attributes[i]->value);
    }
    item->attributes = attributes;
    item->n_attributes = (uint32_t)message->n_attributes;
    return vt_ok();
}

struct vt_err vt_wire_item_decode(const Vitrine__V1__Item *message, struct vt_field place,
                                  struct vt_arena *arena, struct vt_diag *diag,
                                  struct vt_item *ret_item)
{
    struct vt_item item = {
        .number = message->number,
        .id = vt_slice_str(message->id),
        .title = vt_slice_str(message->title),
        .brand = vt_slice_str(message->brand),
        .currency_code = vt_slice_str(message->currency_code),
        .image_uri = vt_slice_str(message->image_uri),
        .uri = vt_slice_str(message->uri),
        .price = message->price,
        .cost = message->cost,
        .stock = message->stock,
    };
    VT_TRY(decode_lists(message, place, arena, diag, &item));
    VT_TRY(vt_wire_time_decode(message->available_from, inside(place, "available_from"), diag,
                               &item.available_from_ms));
    VT_TRY(vt_wire_time_decode(message->available_until, inside(place, "available_until"), diag,
                               &item.available_until_ms));
    VT_TRY(vt_wire_time_decode(message->create_time, inside(place, "create_time"), diag,
                               &item.create_time_ms));
    *ret_item = item;
    return vt_ok();
}

static struct vt_err check_texts(const struct vt_item *item, struct vt_field place,
                                 struct vt_diag *diag)
{
    const struct {
        const char *name;
        struct vt_slice text;
    } texts[] = {
        {"title", item->title},
        {"brand", item->brand},
        {"image_uri", item->image_uri},
        {"uri", item->uri},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        VT_TRY(vt_check_text(texts[i].text, inside(place, texts[i].name), diag));
    for (uint32_t i = 0; i < item->n_categories; i++)
        VT_TRY(vt_check_text(item->categories[i], inside(place, "categories"), diag));
    for (uint32_t i = 0; i < item->n_attributes; i++) {
        VT_TRY(vt_check_id(item->attributes[i].key, inside(place, "attributes key"), diag));
        VT_TRY(vt_check_text(item->attributes[i].value, inside(place, "attributes value"), diag));
    }
    return vt_ok();
}

struct vt_err vt_wire_item_check(const struct vt_item *item, struct vt_field place,
                                 struct vt_diag *diag)
{
    VT_TRY(vt_check_id(item->id, inside(place, "id"), diag));
    VT_TRY(check_texts(item, place, diag));
    VT_TRY(vt_check_amount(item->price, inside(place, "price"), diag));
    VT_TRY(vt_check_amount(item->cost, inside(place, "cost"), diag));
    VT_TRY(vt_check_currency(item->currency_code, inside(place, "currency_code"), diag));
    if (item->stock < -1)
        return vt_check_failed(inside(place, "stock"), diag,
                               "%lld, must be at least 0, or -1 for always available",
                               (long long)item->stock);
    if (item->available_until_ms != 0 && item->available_until_ms <= item->available_from_ms)
        return vt_check_failed(inside(place, "available_until"), diag,
                               "must be later than available_from");
    return vt_ok();
}

static struct vt_err fill_attributes(const struct vt_item *item, struct vt_arena *arena,
                                     Vitrine__V1__Item *message)
{
    message->attributes = vt_wire_messages(arena, &vitrine__v1__item__attributes_entry__descriptor,
                                           item->n_attributes);
    if (message->attributes == NULL)
        return vt_wire_full();
    message->n_attributes = item->n_attributes;
    for (uint32_t i = 0; i < item->n_attributes; i++) {
        message->attributes[i]->key = vt_wire_text(arena, item->attributes[i].key);
        message->attributes[i]->value = vt_wire_text(arena, item->attributes[i].value);
    }
    return vt_ok();
}

struct vt_err vt_wire_item_fill(const struct vt_item *item, struct vt_arena *arena,
                                Vitrine__V1__Item *message)
{
    message->id = vt_wire_text(arena, item->id);
    message->title = vt_wire_text(arena, item->title);
    message->brand = vt_wire_text(arena, item->brand);
    message->currency_code = vt_wire_text(arena, item->currency_code);
    message->image_uri = vt_wire_text(arena, item->image_uri);
    message->uri = vt_wire_text(arena, item->uri);
    message->categories = vt_wire_texts(arena, item->categories, item->n_categories);
    if (message->categories == NULL)
        return vt_wire_full();
    message->n_categories = item->n_categories;
    message->price = item->price;
    message->cost = item->cost;
    message->stock = item->stock;
    message->available_from = vt_wire_time_encode(arena, item->available_from_ms);
    message->available_until = vt_wire_time_encode(arena, item->available_until_ms);
    message->create_time = vt_wire_time_encode(arena, item->create_time_ms);
    message->number = item->number;
    return fill_attributes(item, arena, message);
}

static struct vt_err fill_items(const struct vt_item *items, uint32_t n, struct vt_arena *arena,
                                Vitrine__V1__Item ***ret_messages)
{
    Vitrine__V1__Item **messages = vt_wire_messages(arena, &vitrine__v1__item__descriptor, n);
    if (messages == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(vt_wire_item_fill(&items[i], arena, messages[i]));
    *ret_messages = messages;
    return vt_ok();
}

/* ---- UpsertItems ---- */

static const char *const mask_names[] = {
    "title",          "categories",      "brand",      "price",     "currency_code", "stock",
    "available_from", "available_until", "attributes", "image_uri", "uri",           "cost",
};
static const uint32_t mask_bits[] = {
    VT_ITEM_TITLE,
    VT_ITEM_CATEGORIES,
    VT_ITEM_BRAND,
    VT_ITEM_PRICE,
    VT_ITEM_CURRENCY,
    VT_ITEM_STOCK,
    VT_ITEM_AVAILABLE_FROM,
    VT_ITEM_AVAILABLE_UNTIL,
    VT_ITEM_ATTRIBUTES,
    VT_ITEM_IMAGE_URI,
    VT_ITEM_URI,
    VT_ITEM_COST,
};
enum { N_MASK_NAMES = sizeof mask_names / sizeof mask_names[0] };
_Static_assert(N_MASK_NAMES == sizeof mask_bits / sizeof mask_bits[0], "a bit for each name");

static struct vt_err unknown_mask_path(const char *path, size_t index, struct vt_diag *diag)
{
    const char *nearest = vt_nearest_name(path, mask_names, N_MASK_NAMES);
    return vt_check_failed(VT_FIELD_AT("update_mask.paths", index, NULL), diag,
                           "'%.64s' is no field of Item that a write can name%s%s%s", path,
                           nearest != NULL ? "; did you mean '" : "",
                           nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static struct vt_err decode_mask(const Google__Protobuf__FieldMask *message, struct vt_diag *diag,
                                 uint32_t *ret_mask)
{
    uint32_t mask = 0;
    for (size_t i = 0; message != NULL && i < message->n_paths; i++) {
        size_t name = 0;
        while (name < N_MASK_NAMES && strcmp(mask_names[name], message->paths[i]) != 0)
            name++;
        if (name == N_MASK_NAMES)
            return unknown_mask_path(message->paths[i], i, diag);
        mask |= mask_bits[name];
    }
    *ret_mask = mask;
    return vt_ok();
}

struct vt_err vt_wire_upsert_items_decode(struct vt_slice body, struct vt_arena *arena,
                                          struct vt_diag *diag,
                                          struct vt_wire_upsert_items *ret_request)
{
    Vitrine__V1__UpsertItemsRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__upsert_items_request__descriptor, body, arena, diag, &message));
    VT_TRY(vt_check_count(message->n_items, 1, VT_ITEM_BATCH_MAX, VT_FIELD("items"), diag));
    struct vt_item *items = vt_arena_array(arena, message->n_items, sizeof *items);
    if (items == NULL)
        return vt_wire_full();
    struct vt_wire_upsert_items request = {
        .items = items,
        .n_items = (uint32_t)message->n_items,
        .validate_only = message->validate_only,
    };
    VT_TRY(decode_mask(message->update_mask, diag, &request.mask));
    for (size_t i = 0; i < message->n_items; i++) {
        struct vt_field place = VT_FIELD_AT("items", i, NULL);
        VT_TRY(vt_wire_item_decode(message->items[i], place, arena, diag, &items[i]));
        VT_TRY(vt_wire_item_check(&items[i], place, diag));
    }
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_upsert_items_encode(const struct vt_upsert_result *result,
                                          struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__UpsertItemsResponse response = VITRINE__V1__UPSERT_ITEMS_RESPONSE__INIT;
    response.inserted = result->inserted;
    response.updated = result->updated;
    response.unchanged = result->unchanged;
    response.sequence = result->sequence;
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_upsert_items_request_encode(const struct vt_item *items, uint32_t n,
                                                  struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__UpsertItemsRequest request = VITRINE__V1__UPSERT_ITEMS_REQUEST__INIT;
    VT_TRY(fill_items(items, n, arena, &request.items));
    request.n_items = n;
    return vt_wire_encode(&request.base, arena, ret_body);
}

struct vt_err vt_wire_upsert_items_response_decode(struct vt_slice body, struct vt_arena *arena,
                                                   struct vt_diag *diag,
                                                   struct vt_upsert_result *ret_result)
{
    Vitrine__V1__UpsertItemsResponse *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__upsert_items_response__descriptor, body, arena, diag, &message));
    *ret_result = (struct vt_upsert_result){
        .inserted = message->inserted,
        .updated = message->updated,
        .unchanged = message->unchanged,
        .sequence = message->sequence,
    };
    return vt_ok();
}

/* ---- GetItems ---- */

struct vt_err vt_wire_get_items_decode(struct vt_slice body, struct vt_arena *arena,
                                       struct vt_diag *diag, struct vt_wire_get_items *ret_request)
{
    Vitrine__V1__GetItemsRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__get_items_request__descriptor, body, arena, diag, &message));
    VT_TRY(vt_check_count(message->n_ids + message->n_numbers, 1, VT_ITEM_BATCH_MAX,
                          VT_FIELD("ids and numbers"), diag));
    struct vt_wire_get_items request = {
        .numbers = message->numbers,
        .n_ids = (uint32_t)message->n_ids,
        .n_numbers = (uint32_t)message->n_numbers,
    };
    VT_TRY(vt_wire_ids(arena, message->ids, message->n_ids, "ids", diag, &request.ids));
    *ret_request = request;
    return vt_ok();
}

/* Splits what was asked into found items and missing ids and numbers. */
static void split_found(const struct vt_wire_get_items *request, struct vt_item *items,
                        const bool *found, struct vt_arena *arena,
                        Vitrine__V1__GetItemsResponse *response)
{
    uint32_t n_total = request->n_ids + request->n_numbers;
    for (uint32_t i = 0; i < n_total; i++)
        if (found[i])
            items[response->n_items++] = items[i];
        else if (i < request->n_ids)
            response->missing_ids[response->n_missing_ids++] = vt_wire_text(arena, request->ids[i]);
        else
            response->missing_numbers[response->n_missing_numbers++] =
                request->numbers[i - request->n_ids];
}

struct vt_err vt_wire_get_items_encode(const struct vt_wire_get_items *request,
                                       struct vt_item *items, const bool *found,
                                       struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__GetItemsResponse response = VITRINE__V1__GET_ITEMS_RESPONSE__INIT;
    response.missing_ids = vt_arena_array(arena, request->n_ids, sizeof *response.missing_ids);
    response.missing_numbers =
        vt_arena_array(arena, request->n_numbers, sizeof *response.missing_numbers);
    if (response.missing_ids == NULL || response.missing_numbers == NULL)
        return vt_wire_full();
    split_found(request, items, found, arena, &response);
    VT_TRY(fill_items(items, (uint32_t)response.n_items, arena, &response.items));
    return vt_wire_encode(&response.base, arena, ret_body);
}

/* ---- ListItems ---- */

struct vt_err vt_wire_list_items_decode(struct vt_slice body, struct vt_arena *arena,
                                        struct vt_diag *diag,
                                        struct vt_wire_list_items *ret_request)
{
    Vitrine__V1__ListItemsRequest *message = NULL;
    struct vt_wire_list_items request = {0};
    uint64_t after = 0;
    VT_TRY(vt_pb_decode(&vitrine__v1__list_items_request__descriptor, body, arena, diag, &message));
    struct vt_slice filter = vt_slice_str(message->filter);
    if (filter.len > 0)
        VT_TRY(vt_filter_compile(filter, arena, diag, &request.filter));
    VT_TRY(vt_page_size(message->page_size, diag, &request.page_size));
    VT_TRY(
        vt_page_place_u64(LIST_ITEMS, vt_slice_str(message->page_token), UINT32_MAX, diag, &after));
    request.after = (uint32_t)after;
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_list_items_encode(const struct vt_item_page *page, struct vt_arena *arena,
                                        struct vt_slice *ret_body)
{
    Vitrine__V1__ListItemsResponse response = VITRINE__V1__LIST_ITEMS_RESPONSE__INIT;
    VT_TRY(fill_items(page->items, page->n, arena, &response.items));
    response.n_items = page->n;
    if (page->more)
        response.next_page_token =
            vt_wire_text(arena, vt_page_token_u64(arena, LIST_ITEMS, page->last));
    return vt_wire_encode(&response.base, arena, ret_body);
}

/* ---- DeleteItems ---- */

struct vt_err vt_wire_delete_items_decode(struct vt_slice body, struct vt_arena *arena,
                                          struct vt_diag *diag,
                                          struct vt_wire_delete_items *ret_request)
{
    Vitrine__V1__DeleteItemsRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__delete_items_request__descriptor, body, arena, diag, &message));
    VT_TRY(vt_check_count(message->n_ids, 1, VT_ITEM_BATCH_MAX, VT_FIELD("ids"), diag));
    struct vt_wire_delete_items request = {
        .n_ids = (uint32_t)message->n_ids,
        .validate_only = message->validate_only,
    };
    VT_TRY(vt_wire_ids(arena, message->ids, message->n_ids, "ids", diag, &request.ids));
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_delete_items_encode(const struct vt_wire_delete_items *request,
                                          const struct vt_delete_result *result,
                                          struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__DeleteItemsResponse response = VITRINE__V1__DELETE_ITEMS_RESPONSE__INIT;
    response.deleted = result->deleted;
    response.sequence = result->sequence;
    response.missing_ids = vt_arena_array(arena, request->n_ids, sizeof *response.missing_ids);
    if (response.missing_ids == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < request->n_ids; i++)
        if (result->missing[i])
            response.missing_ids[response.n_missing_ids++] = vt_wire_text(arena, request->ids[i]);
    return vt_wire_encode(&response.base, arena, ret_body);
}
