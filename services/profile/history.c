/*
 * The history's algebra. Folding keeps the N first of the union in a total order, and of equal keys
 * the greatest value. Both "union", "greatest" and "first N" are associative, commutative and
 * idempotent, and N does not depend on the value, so operands may come in any order, be folded in
 * any grouping, and be told twice: the result is the same bytes. Late events land in time order.
 */
#include "services/profile/history.h"

#include <stdlib.h>

enum { EVENTS_ON_STACK = 256 }; /* of a fold: what a read folds is mostly less */

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int vt__history_compare(const struct vt_history_event *a, const struct vt_history_event *b)
{
    if (a->time_ms != b->time_ms)
        return compare(b->time_ms, a->time_ms);
    if (a->item != b->item)
        return compare(a->item, b->item);
    if (a->type != b->type)
        return compare(a->type, b->type);
    return compare(a->channel, b->channel);
}

static int compare_with_value(const void *left, const void *right)
{
    const struct vt_history_event *a = left, *b = right;
    int order = vt__history_compare(a, b);
    return order != 0 ? order : (a->value < b->value) - (a->value > b->value);
}

size_t vt__history_normalise(struct vt_history_event *events, size_t n, size_t max)
{
    if (n > 1)
        qsort(events, n, sizeof events[0], compare_with_value);
    size_t kept = 0;
    for (size_t i = 0; i < n && kept < max; i++)
        if (kept == 0 || vt__history_compare(&events[kept - 1], &events[i]) != 0)
            events[kept++] = events[i];
    return kept;
}

void vt__history_pack(const struct vt_history_event *events, size_t n, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__HISTORY_FORMAT);
    for (size_t i = 0; i < n; i++) {
        vt__put_u64(buffer, (uint64_t)events[i].time_ms);
        vt__put_u32(buffer, events[i].item);
        vt__put_u8(buffer, events[i].type);
        vt__put_u8(buffer, 0); /* reserved */
        vt__put_u16(buffer, events[i].channel);
        vt__put_f32(buffer, events[i].value);
    }
}

bool vt__history_count(struct vt_slice packed, size_t *ret_n)
{
    if (packed.len == 0 || packed.data[0] != VT__HISTORY_FORMAT ||
        (packed.len - 1) % VT__HISTORY_EVENT_BYTES != 0)
        return false;
    *ret_n = (packed.len - 1) / VT__HISTORY_EVENT_BYTES;
    return true;
}

void vt__history_unpack(struct vt_slice packed, struct vt_history_event *events, size_t n)
{
    struct vt__reader reader = vt__reader(packed);
    (void)vt__get_u8(&reader);
    for (size_t i = 0; i < n; i++) {
        events[i].time_ms = (int64_t)vt__get_u64(&reader);
        events[i].item = vt__get_u32(&reader);
        events[i].type = (uint16_t)vt__get_u8(&reader);
        (void)vt__get_u8(&reader);
        events[i].channel = vt__get_u16(&reader);
        events[i].value = vt__get_f32(&reader);
    }
}

static bool count_all(const struct vt_slice *values, size_t n_values, size_t *ret_total)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < n_values; i++) {
        if (!vt__history_count(values[i], &n))
            return false;
        total += n;
    }
    *ret_total = total;
    return true;
}

/* The folded events as the malloc'd value that RocksDB's merge takes over: the one allocation. */
static bool pack_exactly(const struct vt_history_event *events, size_t n, char **ret_value,
                         size_t *ret_len)
{
    struct vt__buffer buffer = {.capacity = 1 + n * VT__HISTORY_EVENT_BYTES};
    buffer.data = malloc(buffer.capacity);
    if (buffer.data == NULL)
        return false;
    vt__history_pack(events, n, &buffer);
    if (buffer.failed) {
        vt__buffer_fini(&buffer);
        return false;
    }
    *ret_value = (char *)buffer.data;
    *ret_len = buffer.len;
    return true;
}

bool vt__history_fold(const void *state, const struct vt_slice *values, size_t n_values,
                      char **ret_value, size_t *ret_len)
{
    size_t total = 0, used = 0, n = 0;
    if (!count_all(values, n_values, &total))
        return false;
    struct vt_history_event few[EVENTS_ON_STACK];
    struct vt_history_event *events =
        total <= EVENTS_ON_STACK ? few : calloc(total, sizeof *events);
    if (events == NULL)
        return false;
    for (size_t i = 0; i < n_values; i++) {
        (void)vt__history_count(values[i], &n); /* judged above */
        vt__history_unpack(values[i], events + used, n);
        used += n;
    }
    n = vt__history_normalise(events, total, *(const uint32_t *)state);
    bool packed = pack_exactly(events, n, ret_value, ret_len);
    if (events != few)
        free(events);
    return packed;
}
