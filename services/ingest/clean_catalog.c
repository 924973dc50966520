/*
 * The catalog that invoice rows imply, and the one that is told. Rows disagree about titles: the
 * most frequent one wins. Items and customers that only rows of events describe become records of
 * their own, marked as derived. Then titles that read the same under different ids are flagged.
 */
#include "services/ingest/clean.h"
#include "services/ingest/text_clean.h"

#include <stdlib.h>
#include <string.h>

/* One row's word about an item. */
struct vote {
    uint32_t item;
    uint32_t record;
    const char *title; /* interned: equal titles have equal addresses */
};

static int compare_votes(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (x->title != y->title)
        return (uintptr_t)x->title < (uintptr_t)y->title ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static size_t collect_votes(const struct vt_record_set *set, struct vote *votes)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_record *record = &set->records[i];
        if (record->kind != VT_RECORD_EVENT || !vt_clean_alive(record) ||
            record->of.event->item_key == 0)
            continue;
        const struct vt_event_row *row = record->of.event;
        if (row->title.len > 0 || row->price > 0)
            votes[n++] = (struct vote){row->item_key, (uint32_t)i, row->title.data};
    }
    return n;
}

static bool title_less(struct vt_slice a, struct vt_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);
    return order != 0 ? order < 0 : a.len < b.len;
}

/* The title most rows give; of equally frequent ones the first in byte order. */
static struct vt_slice elect_title(const struct vt_record_set *set, const struct vote *votes,
                                   size_t n)
{
    struct vt_slice best = {0};
    size_t most = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && votes[end].title == votes[begin].title;)
            end++;
        struct vt_slice title = set->records[votes[begin].record].of.event->title;
        size_t count = end - begin;
        if (title.len > 0 && (count > most || (count == most && title_less(title, best))))
            best = title, most = count;
    }
    return best;
}

/* The price of the newest row that tells one, and since when the item is known. */
static void newest_price(const struct vt_record_set *set, const struct vote *votes, size_t n,
                         struct vt_item *item)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        const struct vt_event_row *row = set->records[votes[i].record].of.event;
        bool newer = row->event.time_ms > newest ||
                     (row->event.time_ms == newest && row->price > item->price);
        if (row->price > 0 && newer) {
            newest = row->event.time_ms;
            item->price = row->price;
            item->currency_code = row->event.currency_code;
        }
    }
}

static struct vt_err derive_item(struct vt_record_set *set, const struct vote *votes, size_t n,
                                 const bool *told)
{
    struct vt_slice title = elect_title(set, votes, n);
    for (size_t i = 0; i < n; i++)
        if (votes[i].title != NULL && votes[i].title != title.data)
            vt_record_flag(&set->records[votes[i].record], VT_RULE_TITLE_DIFFERS);
    if (told[votes[0].item])
        return vt_ok();
    struct vt_record *record;
    VT_TRY(vt_record_set_add(set, VT_RECORD_ITEM, &record));
    struct vt_item *item = &record->of.item->item;
    record->derived = true;
    record->line = set->records[votes[0].record].line;
    record->file = set->records[votes[0].record].file;
    item->id = set->item_spelling[votes[0].item - 1];
    item->title = title;
    item->stock = -1;
    newest_price(set, votes, n, item);
    if (title.len == 0)
        vt_record_flag(record, VT_RULE_MISSING_TITLE);
    return vt_ok();
}

/* told[key]: an item row describes it. */
static bool *told_items(const struct vt_record_set *set)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice folded;
    bool *told = calloc((size_t)set->item_ids.n + 1, sizeof *told);
    for (size_t i = 0; told != NULL && i < set->n; i++)
        if (set->records[i].kind == VT_RECORD_ITEM &&
            vt_key_fold(set->records[i].of.item->item.id, buffer, &folded))
            told[vt_intern_find(&set->item_ids, folded)] = true;
    return told;
}

static struct vt_err derive_items(struct vt_record_set *set)
{
    struct vote *votes = malloc((set->n + 1) * sizeof *votes);
    bool *told = told_items(set);
    struct vt_err err =
        votes != NULL && told != NULL ? vt_ok() : VT_ERR(VT_EXHAUSTED, "out of memory");
    size_t n = vt_failed(err) ? 0 : collect_votes(set, votes);
    if (n > 0)
        qsort(votes, n, sizeof *votes, compare_votes);
    for (size_t begin = 0, end; begin < n && !vt_failed(err); begin = end) {
        for (end = begin + 1; end < n && votes[end].item == votes[begin].item;)
            end++;
        err = derive_item(set, votes + begin, end - begin, told);
    }
    free(votes);
    free(told);
    return err;
}

static struct vt_err derive_customer(struct vt_record_set *set, const struct vt_event_row *row,
                                     const struct vt_record *from)
{
    struct vt_record *record;
    struct vt_attribute *country = vt_pool_alloc(&set->pool, sizeof *country);
    uint32_t file = from->file;
    uint64_t line = from->line;
    VT_CHECK(country != NULL, VT_EXHAUSTED, "out of memory");
    VT_TRY(vt_record_set_add(set, VT_RECORD_CUSTOMER, &record));
    *country = (struct vt_attribute){vt_slice_str("country"), row->country};
    *record->of.customer = (struct vt_customer_row){
        .id = row->event.customer_id, .attributes = country, .n_attributes = 1};
    record->derived = true;
    record->file = file;
    record->line = line;
    return vt_ok();
}

/* Customers whose country the rows tell; the first row of each counts. */
static struct vt_err derive_customers(struct vt_record_set *set)
{
    struct vt_intern seen;
    struct vt_err err = vt_ok();
    size_t n = set->n;
    vt_intern_init(&seen, &set->pool);
    for (size_t i = 0; i < n; i++)
        if (set->records[i].kind == VT_RECORD_CUSTOMER)
            vt_intern_add(&seen, set->records[i].of.customer->id);
    for (size_t i = 0; i < n && !vt_failed(err); i++) {
        const struct vt_record *record = &set->records[i];
        const struct vt_event_row *row = record->of.event;
        if (record->kind != VT_RECORD_EVENT || !vt_clean_alive(record) || row->country.len == 0 ||
            row->event.customer_id.len == 0)
            continue;
        uint32_t before = seen.n;
        if (vt_intern_add(&seen, row->event.customer_id) > before)
            err = derive_customer(set, row, record);
    }
    vt_intern_fini(&seen);
    return err;
}

static void flag_equal_titles(struct vt_record_set *set)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_intern titles;
    vt_intern_init(&titles, &set->pool);
    for (size_t i = 0; i < set->n; i++) {
        struct vt_record *record = &set->records[i];
        struct vt_slice folded;
        if (record->kind != VT_RECORD_ITEM || !vt_clean_alive(record) ||
            record->of.item->item.title.len == 0 ||
            !vt_text_fold(record->of.item->item.title, buffer, &folded) || folded.len == 0)
            continue;
        uint32_t before = titles.n, number = vt_intern_add(&titles, folded);
        if (number != 0 && number <= before)
            vt_record_flaw(set, record, VT_RULE_CATALOG_NEAR_DUPLICATE, "title",
                           record->of.item->item.title);
    }
    vt_intern_fini(&titles);
}

struct vt_err vt_clean_catalog(struct vt_record_set *set)
{
    VT_TRY(derive_items(set));
    VT_TRY(derive_customers(set));
    flag_equal_titles(set);
    return vt_ok();
}
