/*
 * One currency for all amounts. The main one is told, or the format's, or the most frequent; others
 * are converted where a rate is given and flagged where not, never guessed.
 */
#include "services/ingest/clean.h"

#include <string.h>

static struct vt_slice *currency_of(struct vt_record *record)
{
    switch ((enum vt_record_kind)record->kind) {
    case VT_RECORD_EVENT:
        return &record->of.event->event.currency_code;
    case VT_RECORD_ITEM:
        return &record->of.item->item.currency_code;
    case VT_RECORD_CHANNEL:
        return &record->of.channel->currency_code;
    case VT_RECORD_CUSTOMER:
    case VT_RECORD_KIND_COUNT:
        break;
    }
    return NULL;
}

static void convert(struct vt_record *record, double rate)
{
    if (record->kind == VT_RECORD_EVENT) {
        record->of.event->event.revenue *= rate;
        record->of.event->event.cost *= rate;
        record->of.event->price *= rate;
    } else if (record->kind == VT_RECORD_ITEM) {
        record->of.item->item.price *= rate;
        record->of.item->item.cost *= rate;
    } else {
        record->of.channel->cost_per_day *= rate;
        record->of.channel->cost_per_click *= rate;
        record->of.channel->cost_per_order *= rate;
    }
}

enum { CURRENCIES_MAX = 300 }; /* ISO 4217 lists fewer */

/* The code that most rows tell; the first in the alphabet of equals. */
static void most_frequent(struct vt_record_set *set, char ret_code[4])
{
    struct {
        struct vt_slice code;
        uint64_t n;
    } counts[CURRENCIES_MAX];
    size_t n = 0, best = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_slice *code = currency_of(&set->records[i]);
        size_t at = 0;
        if (code == NULL || code->len != 3)
            continue;
        while (at < n && !vt_slice_equal(counts[at].code, *code))
            at++;
        if (at == n && n < CURRENCIES_MAX)
            counts[n].code = *code, counts[n++].n = 0;
        if (at < n)
            counts[at].n++;
    }
    for (size_t i = 1; i < n; i++)
        if (counts[i].n > counts[best].n ||
            (counts[i].n == counts[best].n &&
             memcmp(counts[i].code.data, counts[best].code.data, 3) < 0))
            best = i;
    if (n > 0)
        memcpy(ret_code, counts[best].code.data, 3);
}

static double rate_of(const struct vt_ingest_options *options, struct vt_slice code)
{
    for (size_t i = 0; i < options->n_rates; i++)
        if (vt_slice_equal(code, vt_slice_str(options->rates[i].code)))
            return options->rates[i].rate;
    return 0;
}

struct vt_err vt_clean_currencies(struct vt_record_set *set,
                                  const struct vt_ingest_options *options, char ret_currency[4])
{
    if (ret_currency[0] == '\0')
        most_frequent(set, ret_currency);
    uint32_t number = vt_intern_add(&set->texts, vt_slice_str(ret_currency));
    VT_CHECK(number != 0, VT_EXHAUSTED, "out of memory");
    struct vt_slice main_code = vt_intern_text(&set->texts, number);
    for (size_t i = 0; i < set->n; i++) {
        struct vt_record *record = &set->records[i];
        struct vt_slice *code = currency_of(record);
        if (code == NULL || code->len == 0 || vt_slice_equal(*code, main_code))
            continue;
        double rate = rate_of(options, *code);
        if (rate > 0) {
            convert(record, rate);
            vt_record_flag(record, VT_RULE_CURRENCY_CONVERTED);
            *code = main_code;
        } else {
            vt_record_flaw(set, record, VT_RULE_CURRENCY_MIXED, "currency_code", *code);
        }
    }
    return vt_ok();
}
