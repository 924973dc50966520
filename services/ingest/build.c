/*
 * From a row to a record: the rules that look at one row alone. Each form of field has a function
 * that converts, normalises and flags; then a few checks across the fields of the row. Called by
 * the readers for every row, so texts that repeat (customers, titles, countries) are interned, and
 * the fast path of an ASCII text is one pass.
 */
#include "services/ingest/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucurr.h>
#define XXH_STATIC_LINKING_ONLY /* the streaming state on the stack */
#include "services/ingest/text_clean.h"
#include "services/ingest/times.h"

#include <xxhash.h>

struct builder {
    struct vt_record_set *set;
    const struct vt_build_options *options;
    struct vt_record *record;
    const struct vt_field_spec *field;
    void *target; /* the member of the row's body */
    bool out_of_memory;
};

static void flaw(struct builder *b, enum vt_rule rule, const struct vt_cell *cell)
{
    vt_record_flaw(b->set, b->record, rule, b->field->name, cell->text);
}

static struct vt_slice intern(struct builder *b, struct vt_slice text)
{
    uint32_t number = vt_intern_add(&b->set->texts, text);
    if (number != 0)
        return vt_intern_text(&b->set->texts, number);
    b->out_of_memory = true;
    return (struct vt_slice){0};
}

static bool has_control(struct vt_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return true;
    return false;
}

static void set_id(struct builder *b, const struct vt_cell *cell)
{
    struct vt_slice id = vt_text_trim(cell->text);
    if (id.len > VT_ID_BYTES_MAX || has_control(id))
        flaw(b, VT_RULE_BAD_ID, cell);
    else
        *(struct vt_slice *)b->target = intern(b, id);
}

/* Remembers how the key was first written, which is how it is written from then on. False without
 * memory: the table then has no room for the key, and the import has to end. */
static bool remember_spelling(struct vt_record_set *set, uint32_t key, struct vt_slice id)
{
    bool is_power = (key & (key - 1)) == 0;
    if (is_power) {
        struct vt_slice *spelling = realloc(set->item_spelling, (size_t)key * 2 * sizeof *spelling);
        if (spelling == NULL)
            return false;
        set->item_spelling = spelling;
    }
    set->item_spelling[key - 1] = id;
    return true;
}

static void set_item_key(struct builder *b, const struct vt_cell *cell)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice folded;
    set_id(b, cell);
    struct vt_slice *id = b->target;
    if (id->len == 0 || !vt_key_fold(*id, buffer, &folded))
        return;
    uint32_t before = b->set->item_ids.n;
    uint32_t key = vt_intern_add(&b->set->item_ids, folded);
    if (key == 0 || (key > before && !remember_spelling(b->set, key, *id))) {
        b->out_of_memory = true;
        return;
    }
    struct vt_slice spelling = b->set->item_spelling[key - 1];
    if (!vt_slice_equal(spelling, *id))
        vt_record_flag(b->record, VT_RULE_KEY_CASE);
    *id = spelling;
    if (b->record->kind == VT_RECORD_EVENT)
        b->record->of.event->item_key = key;
}

static bool clean_text(struct builder *b, const struct vt_cell *cell, struct vt_slice *ret)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice clean;
    if (!vt_text_clean(cell->text, buffer, &clean) || clean.len > VT_TEXT_BYTES_MAX) {
        flaw(b, VT_RULE_BAD_TEXT, cell);
        return false;
    }
    if (!vt_slice_equal(clean, vt_text_trim(cell->text)))
        vt_record_flag(b->record, VT_RULE_TEXT_NORMALISED);
    *ret = intern(b, clean);
    return true;
}

static void set_text(struct builder *b, const struct vt_cell *cell)
{
    struct vt_slice text;
    if (clean_text(b, cell, &text))
        *(struct vt_slice *)b->target = text;
}

/* Numbers with point or, when that is the only mark, with comma. */
static bool parse_number(struct vt_slice text, double *ret_number)
{
    char digits[48];
    text = vt_text_trim(text);
    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    char *comma = strchr(digits, ',');
    if (comma != NULL && strchr(digits, '.') == NULL && strchr(comma + 1, ',') == NULL)
        *comma = '.';
    bool hexadecimal = strpbrk(digits, "xXpP") != NULL;
    char *end;
    *ret_number = strtod(digits, &end);
    return !hexadecimal && end != digits && *end == '\0';
}

static bool read_number(struct builder *b, const struct vt_cell *cell, double *ret_number)
{
    *ret_number = cell->number;
    if (!cell->is_number && !parse_number(cell->text, ret_number)) {
        flaw(b, VT_RULE_BAD_NUMBER, cell);
        return false;
    }
    if (!isfinite(*ret_number)) {
        flaw(b, VT_RULE_NOT_FINITE, cell);
        return false;
    }
    return true;
}

static void set_number(struct builder *b, const struct vt_cell *cell)
{
    double number;
    if (read_number(b, cell, &number))
        *(double *)b->target = number;
}

static void set_amount(struct builder *b, const struct vt_cell *cell)
{
    double number;
    if (!read_number(b, cell, &number))
        return;
    if (number < 0)
        flaw(b, b->field->form == VT_FIELD_PRICE ? VT_RULE_NEGATIVE_PRICE : VT_RULE_NEGATIVE_AMOUNT,
             cell);
    else
        *(double *)b->target = number;
}

static void set_time(struct builder *b, const struct vt_cell *cell)
{
    int64_t ms;
    bool assumed = false;
    bool ok = cell->is_number
                  ? vt_time_from_number(cell->number, &ms)
                  : vt_time_parse(b->options->zone, vt_text_trim(cell->text), &ms, &assumed);
    if (!ok) {
        flaw(b, VT_RULE_BAD_TIME, cell);
        return;
    }
    if (assumed)
        vt_record_flag(b->record, VT_RULE_TIME_ZONE_ASSUMED);
    bool is_event = b->record->kind == VT_RECORD_EVENT;
    if (is_event && b->options->time_shift_ms != 0) {
        ms += b->options->time_shift_ms;
        vt_record_flag(b->record, VT_RULE_TIME_SHIFTED);
    }
    if (is_event && ms < VT_EVENT_TIME_MIN_MS)
        flaw(b, VT_RULE_TIME_BEFORE_2000, cell);
    else if (is_event && ms > b->options->now_ms + VT_EVENT_FUTURE_MS)
        flaw(b, VT_RULE_TIME_IN_FUTURE, cell);
    else
        *(int64_t *)b->target = ms;
}

static void set_type(struct builder *b, const struct vt_cell *cell)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice name;
    enum vt_event_type type = VT_EVENT_UNSPECIFIED;
    if (vt_key_fold(cell->text, buffer, &name))
        type = vt_event_type_parse(name);
    if (type == VT_EVENT_UNSPECIFIED)
        flaw(b, VT_RULE_UNKNOWN_TYPE, cell);
    else
        *(enum vt_event_type *)b->target = type;
}

static void set_currency(struct builder *b, const struct vt_cell *cell)
{
    char code[4] = "";
    struct vt_slice text = vt_text_trim(cell->text);
    for (size_t i = 0; i < 3 && text.len == 3; i++)
        code[i] = (char)(text.data[i] & ~0x20);
    if (!vt_currency_known(vt_slice_str(code)))
        flaw(b, VT_RULE_UNKNOWN_CURRENCY, cell);
    else
        *(struct vt_slice *)b->target = intern(b, vt_slice_str(code));
}

static void set_stock(struct builder *b, const struct vt_cell *cell)
{
    double number;
    if (!read_number(b, cell, &number))
        return;
    if (number < -1 || number > 9e15 || number != floor(number))
        flaw(b, VT_RULE_BAD_STOCK, cell);
    else
        *(int64_t *)b->target = (int64_t)number;
}

static void set_consent(struct builder *b, const struct vt_cell *cell)
{
    static const struct {
        const char *name;
        int consent;
    } names[] = {{"granted", 1}, {"true", 1}, {"yes", 1}, {"1", 1},          {"denied", 2},
                 {"false", 2},   {"no", 2},   {"0", 2},   {"unspecified", 0}};
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice name;
    if (vt_key_fold(cell->text, buffer, &name))
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (vt_slice_equal(name, vt_slice_str(names[i].name))) {
                *(int *)b->target = names[i].consent;
                return;
            }
    flaw(b, VT_RULE_BAD_CONSENT, cell);
}

static void add_category(struct builder *b, const struct vt_cell *cell, struct vt_slice part)
{
    struct vt_item *item = &b->record->of.item->item;
    struct vt_cell one = {.text = part};
    struct vt_slice text;
    if (vt_text_trim(part).len == 0)
        return;
    if (item->n_categories == VT_ITEM_CATEGORIES_MAX)
        flaw(b, VT_RULE_TOO_MANY_VALUES, cell);
    else if (clean_text(b, &one, &text))
        item->categories[item->n_categories++] = text;
}

/* "Kitchen|Tea" and "Kitchen > Tea" are two categories. */
static void set_categories(struct builder *b, const struct vt_cell *cell)
{
    struct vt_slice rest = cell->text;
    while (rest.len > 0) {
        size_t n = 0;
        while (n < rest.len && rest.data[n] != '|' && rest.data[n] != '>')
            n++;
        add_category(b, cell, vt_slice(rest.data, n));
        n += n < rest.len;
        rest = vt_slice(rest.data + n, rest.len - n);
    }
}

/* Where the kind keeps its attributes; NULL for kinds without. */
static struct vt_attribute **attributes_of(struct vt_record *record, uint32_t **ret_n)
{
    switch ((enum vt_record_kind)record->kind) {
    case VT_RECORD_ITEM:
        *ret_n = &record->of.item->item.n_attributes;
        return &record->of.item->attributes;
    case VT_RECORD_CUSTOMER:
        *ret_n = &record->of.customer->n_attributes;
        return &record->of.customer->attributes;
    case VT_RECORD_CHANNEL:
        *ret_n = &record->of.channel->n_attributes;
        return &record->of.channel->attributes;
    case VT_RECORD_EVENT:
    case VT_RECORD_KIND_COUNT:
        break;
    }
    return NULL;
}

static void add_attribute(struct builder *b, const struct vt_cell *cell)
{
    uint32_t *n;
    struct vt_attribute **list = attributes_of(b->record, &n);
    struct vt_slice value, key = vt_text_trim(cell->key);
    if (list == NULL)
        return;
    if (*list == NULL)
        *list = vt_pool_alloc(&b->set->pool, VT_INGEST_ATTRIBUTES_MAX * sizeof **list);
    if (*list == NULL) {
        b->out_of_memory = true;
        return;
    }
    if (*n == VT_INGEST_ATTRIBUTES_MAX || key.len == 0 || key.len > VT_ID_BYTES_MAX ||
        has_control(key)) {
        flaw(b, VT_RULE_TOO_MANY_VALUES, cell);
        return;
    }
    if (clean_text(b, cell, &value))
        (*list)[(*n)++] = (struct vt_attribute){intern(b, key), value};
    if (b->record->kind == VT_RECORD_ITEM)
        b->record->of.item->item.attributes = *list;
}

typedef void (*set_fn)(struct builder *b, const struct vt_cell *cell);
static const set_fn setters[] = {
    [VT_FIELD_ID] = set_id,
    [VT_FIELD_ITEM_KEY] = set_item_key,
    [VT_FIELD_TEXT] = set_text,
    [VT_FIELD_NUMBER] = set_number,
    [VT_FIELD_PRICE] = set_amount,
    [VT_FIELD_AMOUNT] = set_amount,
    [VT_FIELD_TIME] = set_time,
    [VT_FIELD_TYPE] = set_type,
    [VT_FIELD_CURRENCY] = set_currency,
    [VT_FIELD_STOCK] = set_stock,
    [VT_FIELD_CONSENT] = set_consent,
    [VT_FIELD_CATEGORIES] = set_categories,
    [VT_FIELD_ATTRIBUTES] = add_attribute,
};

bool vt_currency_known(struct vt_slice code)
{
    if (code.len != 3)
        return false;
    UChar units[4] = {(UChar)code.data[0], (UChar)code.data[1], (UChar)code.data[2], 0};
    static _Thread_local UChar last[4]; /* nearly every row has the currency of the row before */
    if (memcmp(units, last, sizeof units) == 0)
        return true;
    UErrorCode status = U_ZERO_ERROR;
    if (ucurr_getNumericCode(units) == 0 ||
        !ucurr_isAvailable(units, U_DATE_MIN, U_DATE_MAX, &status))
        return false;
    memcpy(last, units, sizeof units);
    return true;
}

/* Whole codes, and beginnings marked by a star. Seen in real invoices; matched without case. */
static const char *const fee_codes[] = {
    "post",     "postage", "dot",    "bank charges", "amazonfee", "m",       "d",        "s",
    "b",        "c2",      "cruk",   "manual",       "fee",       "fees",    "discount", "shipping",
    "delivery", "voucher", "adjust", "gift_*",       "test*",     "samples",
};

/* True for codes of fees, postage, vouchers and tests that shops book like products. Codes of one
 * or two letters count in invoice lines only: a catalog may have an item "b". */
static bool is_fee_code(struct vt_slice item_id, bool invoices)
{
    char code[24];
    if (item_id.len == 0 || item_id.len >= sizeof code || (item_id.len <= 2 && !invoices))
        return false;
    for (size_t i = 0; i < item_id.len; i++)
        code[i] = (char)(item_id.data[i] >= 'A' && item_id.data[i] <= 'Z' ? item_id.data[i] | 0x20
                                                                          : item_id.data[i]);
    code[item_id.len] = '\0';
    for (size_t i = 0; i < sizeof fee_codes / sizeof fee_codes[0]; i++) {
        size_t len = strlen(fee_codes[i]);
        bool beginning = fee_codes[i][len - 1] == '*';
        if (beginning ? strncmp(code, fee_codes[i], len - 1) == 0 : strcmp(code, fee_codes[i]) == 0)
            return true;
    }
    return false;
}

static void missing(struct builder *b, enum vt_rule rule, const char *field)
{
    vt_record_flaw(b->set, b->record, rule, field, (struct vt_slice){0});
}

static struct vt_slice guest_of(struct builder *b, struct vt_slice order)
{
    char id[VT_ID_BYTES_MAX + 8] = "guest-";
    memcpy(id + 6, order.data, order.len);
    size_t len = order.len + 6 < VT_ID_BYTES_MAX ? order.len + 6 : VT_ID_BYTES_MAX;
    return intern(b, vt_slice(id, len));
}

static void judge_who(struct builder *b, struct vt_event_row *row)
{
    if (row->event.customer_id.len > 0 || row->event.visitor_id.len > 0 ||
        vt_record_has(b->record, VT_RULE_BAD_ID))
        return;
    if (b->options->guests && row->group.len > 0) {
        vt_record_flag(b->record, VT_RULE_GUEST_CUSTOMER);
        row->event.visitor_id = guest_of(b, row->group);
    } else {
        missing(b, VT_RULE_MISSING_CUSTOMER, "customer_id");
    }
}

static const uint64_t TIME_RULES = UINT64_C(1) << VT_RULE_BAD_TIME |
                                   UINT64_C(1) << VT_RULE_TIME_BEFORE_2000 |
                                   UINT64_C(1) << VT_RULE_TIME_IN_FUTURE;

static void judge_when(struct builder *b, struct vt_event_row *row)
{
    if (row->event.time_ms != 0 || (b->record->rules & TIME_RULES) != 0)
        return;
    missing(b, VT_RULE_MISSING_TIME, "time");
}

static void judge_what(struct builder *b, struct vt_event_row *row)
{
    struct vt_event *event = &row->event;
    if (event->type == VT_EVENT_UNSPECIFIED && !vt_record_has(b->record, VT_RULE_UNKNOWN_TYPE))
        event->type = b->options->type;
    if (event->type == VT_EVENT_UNSPECIFIED && !vt_record_has(b->record, VT_RULE_UNKNOWN_TYPE))
        missing(b, VT_RULE_MISSING_TYPE, "type");
    if (event->item_id.len == 0 && event->type != VT_EVENT_SEARCH &&
        !vt_record_has(b->record, VT_RULE_BAD_ID))
        missing(b, VT_RULE_MISSING_ITEM, "item_id");
    if (event->type == VT_EVENT_RATING && (event->value < 0 || event->value > 10))
        missing(b, VT_RULE_RATING_OUT_OF_RANGE, "value");
    if (is_fee_code(event->item_id, b->options->guests))
        vt_record_flag(b->record, VT_RULE_FEE_CODE);
}

static bool field_told(const struct vt_record *record, const char *name)
{
    int index = vt_field_index((enum vt_record_kind)record->kind, name);
    return (record->fields >> index & 1) != 0;
}

static void assume_currency(struct builder *b, struct vt_slice *code)
{
    if (code->len > 0 || b->options->currency.len == 0 ||
        vt_record_has(b->record, VT_RULE_UNKNOWN_CURRENCY))
        return;
    *code = b->options->currency;
    vt_record_flag(b->record, VT_RULE_CURRENCY_ASSUMED);
}

/* Signs, zero, and what was paid. A negative quantity is a return of as many pieces. */
static void judge_how_much(struct builder *b, struct vt_event_row *row)
{
    struct vt_event *event = &row->event;
    bool sells = event->type == VT_EVENT_PURCHASE || event->type == VT_EVENT_ORDER;
    bool told = field_told(b->record, "quantity");
    bool anonymous = event->customer_id.len == 0;
    if (event->quantity < 0 && anonymous && row->price == 0 && row->group.len > 0 && sells) {
        vt_record_flag(b->record, VT_RULE_STOCK_ADJUSTMENT);
    } else if (event->quantity < 0 && sells) {
        event->type = VT_EVENT_RETURN;
    } else if (told && event->quantity <= 0 && event->type != VT_EVENT_RETURN) {
        missing(b, VT_RULE_ZERO_QUANTITY, "quantity");
    }
    event->quantity = told ? fabs(event->quantity) : 1;
    if (!field_told(b->record, "revenue"))
        event->revenue = row->price * event->quantity;
    if (sells && event->revenue == 0 && !vt_record_has(b->record, VT_RULE_NEGATIVE_AMOUNT) &&
        (field_told(b->record, "price") || field_told(b->record, "revenue")))
        vt_record_flag(b->record, VT_RULE_FREE_ITEM);
    if (event->revenue != 0 || event->cost != 0)
        assume_currency(b, &event->currency_code);
}

static void judge_event(struct builder *b)
{
    struct vt_event_row *row = b->record->of.event;
    judge_what(b, row);
    judge_who(b, row);
    if (b->options->time_from_order)
        vt_record_flag(b->record, VT_RULE_TIME_FROM_ORDER);
    else
        judge_when(b, row);
    judge_how_much(b, row);
}

static void judge_item(struct builder *b)
{
    struct vt_item *item = &b->record->of.item->item;
    if (item->id.len == 0 && !vt_record_has(b->record, VT_RULE_BAD_ID))
        missing(b, VT_RULE_MISSING_ID, "id");
    if (item->title.len == 0 && !vt_record_has(b->record, VT_RULE_BAD_TEXT))
        missing(b, VT_RULE_MISSING_TITLE, "title");
    if (!field_told(b->record, "price"))
        missing(b, VT_RULE_MISSING_PRICE, "price");
    else
        assume_currency(b, &item->currency_code);
    if (item->n_categories == 0)
        missing(b, VT_RULE_MISSING_CATEGORY, "categories");
    if (item->available_until_ms != 0 && item->available_until_ms <= item->available_from_ms)
        missing(b, VT_RULE_AVAILABILITY_REVERSED, "available_until");
    if (!field_told(b->record, "stock"))
        item->stock = -1;
    if (is_fee_code(item->id, b->options->guests))
        vt_record_flag(b->record, VT_RULE_FEE_CODE);
}

static void judge_customer(struct builder *b)
{
    if (b->record->of.customer->id.len == 0 && !vt_record_has(b->record, VT_RULE_BAD_ID))
        missing(b, VT_RULE_MISSING_ID, "id");
}

static void judge_channel(struct builder *b)
{
    struct vt_channel_row *channel = b->record->of.channel;
    if (channel->id.len == 0 && !vt_record_has(b->record, VT_RULE_BAD_ID))
        missing(b, VT_RULE_MISSING_ID, "id");
    if (channel->commission > 1)
        missing(b, VT_RULE_NEGATIVE_AMOUNT, "commission");
}

static void (*const judges[VT_RECORD_KIND_COUNT])(struct builder *b) = {
    [VT_RECORD_EVENT] = judge_event,
    [VT_RECORD_ITEM] = judge_item,
    [VT_RECORD_CUSTOMER] = judge_customer,
    [VT_RECORD_CHANNEL] = judge_channel,
};

/* Of the values as they stand, in the order of the row: what makes two rows the same. */
static void hash_row(const struct vt_row *row, uint64_t ret[2])
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, &row->kind, sizeof row->kind);
    for (size_t i = 0; i < row->n_cells; i++) {
        const struct vt_cell *cell = &row->cells[i];
        struct vt_slice text = vt_text_trim(cell->text);
        uint64_t head[3] = {(uint64_t)cell->field, cell->key.len, text.len};
        XXH3_128bits_update(&state, head, sizeof head);
        XXH3_128bits_update(&state, cell->key.data, cell->key.len);
        XXH3_128bits_update(&state, text.data, text.len);
        if (cell->is_number)
            XXH3_128bits_update(&state, &cell->number, sizeof cell->number);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    ret[0] = hash.low64;
    ret[1] = hash.high64;
}

static void set_field(struct builder *b, const struct vt_cell *cell)
{
    size_t n_fields;
    b->field = &vt_fields((enum vt_record_kind)b->record->kind, &n_fields)[cell->field];
    b->target = (char *)b->record->of.any + b->field->offset;
    b->record->fields |= 1u << cell->field;
    setters[b->field->form](b, cell);
}

struct vt_err vt_build_record(struct vt_record_set *set, const struct vt_build_options *options,
                              const struct vt_row *row)
{
    struct builder b = {.set = set, .options = options};
    VT_TRY(vt_record_set_add(set, row->kind, &b.record));
    b.record->line = row->line;
    b.record->file = options->file;
    hash_row(row, b.record->content);
    for (size_t i = 0; i < row->n_cells; i++)
        if (row->cells[i].is_number || vt_text_trim(row->cells[i].text).len > 0)
            set_field(&b, &row->cells[i]);
    if (options->time_from_order)
        b.record->of.event->event.time_ms = row->order_ms;
    judges[row->kind](&b);
    VT_CHECK(!b.out_of_memory, VT_EXHAUSTED, "out of memory for the records");
    return vt_ok();
}
