/*
 * What follows from one customer's rows for one item, in the order of time: a return takes back the
 * nearest earlier purchases that still have pieces, and a row of the same type within a minute of
 * the one before is noted as repeated. Texts are interned, so equal ids have equal addresses
 * and sorting compares numbers; groups do not depend on each other, so their order does not matter.
 */
#include "services/ingest/clean.h"

#include <stdlib.h>

enum { REPEAT_WINDOW_MS = 60 * 1000 };

struct step {
    uintptr_t who;
    uint32_t item;
    uint32_t record;
    int64_t time_ms;
};

static int compare_steps(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->who != y->who)
        return x->who < y->who ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static bool is_sale(const struct vt_event *event)
{
    return event->type == VT_EVENT_PURCHASE || event->type == VT_EVENT_ORDER;
}

static size_t collect(const struct vt_record_set *set, struct step *steps)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_record *record = &set->records[i];
        if (record->kind != VT_RECORD_EVENT || !vt_clean_alive(record))
            continue;
        const struct vt_event_row *row = record->of.event;
        if (!is_sale(&row->event) && row->event.type != VT_EVENT_RETURN)
            continue;
        struct vt_slice who =
            row->event.customer_id.len > 0 ? row->event.customer_id : row->event.visitor_id;
        steps[n++] =
            (struct step){(uintptr_t)who.data, row->item_key, (uint32_t)i, row->event.time_ms};
    }
    return n;
}

/* Takes pieces off a purchase, its revenue and cost in proportion; returns what is left to take. */
static double take_back(struct vt_record *purchase, double pieces)
{
    struct vt_event *event = &purchase->of.event->event;
    double taken = pieces < event->quantity ? pieces : event->quantity;
    if (taken >= event->quantity) {
        vt_record_flag(purchase, VT_RULE_CANCELLED_PURCHASE);
    } else {
        double kept = (event->quantity - taken) / event->quantity;
        event->quantity -= taken;
        event->revenue *= kept;
        event->cost *= kept;
        vt_record_flag(purchase, VT_RULE_PARTLY_CANCELLED);
    }
    return pieces - taken;
}

/* steps[0..at) are earlier ones of the same customer and item. All or nothing: a return of more
 * than was bought here stays a return. */
static void match_return(struct vt_record_set *set, const struct step *steps, size_t at)
{
    struct vt_record *record = &set->records[steps[at].record];
    double left = record->of.event->event.quantity, there = 0;
    for (size_t i = at; i-- > 0 && there < left;) {
        const struct vt_record *earlier = &set->records[steps[i].record];
        if (is_sale(&earlier->of.event->event) &&
            !vt_record_has(earlier, VT_RULE_CANCELLED_PURCHASE))
            there += earlier->of.event->event.quantity;
    }
    if (there < left) {
        vt_record_flag(record, VT_RULE_RETURN_UNMATCHED);
        return;
    }
    for (size_t i = at; i-- > 0 && left > 0;) {
        struct vt_record *earlier = &set->records[steps[i].record];
        if (is_sale(&earlier->of.event->event) &&
            !vt_record_has(earlier, VT_RULE_CANCELLED_PURCHASE))
            left = take_back(earlier, left);
    }
    vt_record_flag(record, VT_RULE_CANCELLATION);
}

static void judge_repeat(struct vt_record_set *set, const struct step *steps, size_t at)
{
    struct vt_record *record = &set->records[steps[at].record];
    const struct vt_event *event = &record->of.event->event;
    const struct vt_event *before = &set->records[steps[at - 1].record].of.event->event;
    if (event->type == before->type && event->time_ms - before->time_ms <= REPEAT_WINDOW_MS)
        vt_record_flag(record, VT_RULE_REPEATED_EVENT);
}

static void judge_group(struct vt_record_set *set, const struct step *steps, size_t n,
                        bool keep_returns)
{
    for (size_t i = 1; i < n; i++)
        judge_repeat(set, steps, i);
    for (size_t i = 0; i < n && !keep_returns; i++)
        if (set->records[steps[i].record].of.event->event.type == VT_EVENT_RETURN)
            match_return(set, steps, i);
}

struct vt_err vt_clean_histories(struct vt_record_set *set, bool keep_returns)
{
    struct step *steps = malloc((set->n + 1) * sizeof *steps);
    VT_CHECK(steps != NULL, VT_EXHAUSTED, "out of memory");
    size_t n = collect(set, steps);
    qsort(steps, n, sizeof *steps, compare_steps);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1;
             end < n && steps[end].who == steps[begin].who && steps[end].item == steps[begin].item;)
            end++;
        judge_group(set, steps + begin, end - begin, keep_returns);
    }
    free(steps);
    return vt_ok();
}
