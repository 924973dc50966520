/*
 * Changes of the catalog as protobuf, both ways. What the profile service encodes here its
 * followers decode here; a round trip gives the same change.
 */
#include "services/profile/wire_change.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "services/profile/wire_item.h"
#include "vitrine/v1/catalog.pb-c.h"

struct vt_err vt_wire_watch_request_encode(uint64_t since_sequence, struct vt_arena *arena,
                                           struct vt_slice *ret_body)
{
    Vitrine__V1__WatchRequest request = VITRINE__V1__WATCH_REQUEST__INIT;
    request.since_sequence = since_sequence;
    return vt_wire_encode(&request.base, arena, ret_body);
}

struct vt_err vt_wire_watch_request_decode(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag, uint64_t *ret_since_sequence)
{
    Vitrine__V1__WatchRequest *request = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__watch_request__descriptor, body, arena, diag, &request));
    *ret_since_sequence = request->since_sequence;
    return vt_ok();
}

/* ---- sending ---- */

static struct vt_err fill_upsert(const struct vt_change *change, struct vt_arena *arena,
                                 Vitrine__V1__CatalogChange *message)
{
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_UPSERT;
    message->upsert = vt_wire_message(arena, &vitrine__v1__item__descriptor);
    return message->upsert != NULL ? vt_wire_item_fill(&change->item, arena, message->upsert)
                                   : vt_wire_full();
}

static struct vt_err fill_delete(const struct vt_change *change, struct vt_arena *arena,
                                 Vitrine__V1__CatalogChange *message)
{
    (void)arena;
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_DELETED_NUMBER;
    message->deleted_number = change->item.number;
    return vt_ok();
}

static struct vt_err fill_mention(const struct vt_change *change, struct vt_arena *arena,
                                  Vitrine__V1__CatalogChange *message)
{
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_MENTION;
    message->mention = vt_wire_message(arena, &vitrine__v1__item_mention__descriptor);
    if (message->mention == NULL)
        return vt_wire_full();
    message->mention->number = change->item.number;
    message->mention->id = vt_wire_text(arena, change->item.id);
    return vt_ok();
}

static struct vt_err fill_counts(const struct vt_change *change, struct vt_arena *arena,
                                 Vitrine__V1__CatalogChange *message)
{
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_COUNTS;
    message->counts = vt_wire_message(arena, &vitrine__v1__item_counts__descriptor);
    if (message->counts == NULL)
        return vt_wire_full();
    message->counts->n_numbers = message->counts->n_counts = change->n_counts;
    message->counts->numbers = (uint32_t *)change->numbers; /* only read by the encoder */
    message->counts->counts = (float *)change->counts;
    return vt_ok();
}

static struct vt_err fill_begin(const struct vt_change *change, struct vt_arena *arena,
                                Vitrine__V1__CatalogChange *message)
{
    (void)change;
    (void)arena;
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_SNAPSHOT_BEGIN;
    message->snapshot_begin = 1;
    return vt_ok();
}

static struct vt_err fill_done(const struct vt_change *change, struct vt_arena *arena,
                               Vitrine__V1__CatalogChange *message)
{
    (void)change;
    (void)arena;
    message->change_case = VITRINE__V1__CATALOG_CHANGE__CHANGE_SNAPSHOT_DONE;
    message->snapshot_done = 1;
    return vt_ok();
}

static struct vt_err (*const fill[])(const struct vt_change *change, struct vt_arena *arena,
                                     Vitrine__V1__CatalogChange *message) = {
    [VT_CHANGE_UPSERT] = fill_upsert,        [VT_CHANGE_DELETE] = fill_delete,
    [VT_CHANGE_MENTION] = fill_mention,      [VT_CHANGE_COUNTS] = fill_counts,
    [VT_CHANGE_SNAPSHOT_BEGIN] = fill_begin, [VT_CHANGE_SNAPSHOT_DONE] = fill_done,
};

struct vt_err vt_wire_changes_encode(const struct vt_change *changes, uint32_t n,
                                     struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__WatchResponse response = VITRINE__V1__WATCH_RESPONSE__INIT;
    response.changes = vt_wire_messages(arena, &vitrine__v1__catalog_change__descriptor, n);
    if (response.changes == NULL)
        return vt_wire_full();
    response.n_changes = n;
    for (uint32_t i = 0; i < n; i++) {
        response.changes[i]->sequence = changes[i].sequence;
        VT_TRY(fill[changes[i].kind](&changes[i], arena, response.changes[i]));
    }
    return vt_wire_encode(&response.base, arena, ret_body);
}

/* ---- following ---- */

static struct vt_err read_counts(const Vitrine__V1__ItemCounts *message, size_t index,
                                 struct vt_diag *diag, struct vt_change *change)
{
    if (message->n_numbers != message->n_counts)
        return vt_check_failed(VT_FIELD_AT("changes", index, "counts"), diag,
                               "%zu numbers and %zu counts, must be as many", message->n_numbers,
                               message->n_counts);
    change->kind = VT_CHANGE_COUNTS;
    change->numbers = message->numbers;
    change->counts = message->counts;
    change->n_counts = (uint32_t)message->n_counts;
    return vt_ok();
}

static struct vt_err read_change(const Vitrine__V1__CatalogChange *message, size_t index,
                                 struct vt_arena *arena, struct vt_diag *diag,
                                 struct vt_change *change)
{
    change->sequence = message->sequence;
    switch (message->change_case) {
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_UPSERT:
        change->kind = VT_CHANGE_UPSERT;
        return vt_wire_item_decode(message->upsert, VT_FIELD_AT("changes", index, "upsert"), arena,
                                   diag, &change->item);
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_DELETED_NUMBER:
        change->kind = VT_CHANGE_DELETE;
        change->item.number = message->deleted_number;
        return vt_ok();
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_SNAPSHOT_BEGIN:
        change->kind = VT_CHANGE_SNAPSHOT_BEGIN;
        return vt_ok();
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_SNAPSHOT_DONE:
        change->kind = VT_CHANGE_SNAPSHOT_DONE;
        return vt_ok();
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_COUNTS:
        return read_counts(message->counts, index, diag, change);
    case VITRINE__V1__CATALOG_CHANGE__CHANGE_MENTION:
        change->kind = VT_CHANGE_MENTION;
        change->item.number = message->mention->number;
        change->item.id = vt_slice_str(message->mention->id);
        return vt_ok();
    default:
        return vt_check_failed(VT_FIELD_AT("changes", index, NULL), diag,
                               "of no kind that this version knows");
    }
}

struct vt_err vt_wire_changes_decode(struct vt_slice body, struct vt_arena *arena,
                                     struct vt_diag *diag, const struct vt_change **ret_changes,
                                     uint32_t *ret_n)
{
    Vitrine__V1__WatchResponse *response = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__watch_response__descriptor, body, arena, diag, &response));
    struct vt_change *changes = vt_arena_array(arena, response->n_changes, sizeof *changes);
    if (changes == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < response->n_changes; i++)
        VT_TRY(read_change(response->changes[i], i, arena, diag, &changes[i]));
    *ret_changes = changes;
    *ret_n = (uint32_t)response->n_changes;
    return vt_ok();
}
