/*
 * The tables of fields. Adding a field is a line here and a member in record.h.
 */
#include "services/ingest/fields.h"

#include "services/ingest/text_clean.h"

#include <string.h>

#define EVENT(member_) offsetof(struct vt_event_row, member_)
#define ITEM(member_) offsetof(struct vt_item_row, item.member_)
#define CUSTOMER(member_) offsetof(struct vt_customer_row, member_)
#define CHANNEL(member_) offsetof(struct vt_channel_row, member_)

static const struct vt_field_spec event_fields[] = {
    {"event_id", VT_FIELD_ID, EVENT(event.event_id), "eventid|event", false},
    {"type", VT_FIELD_TYPE, EVENT(event.type), "event_type|action|behavior|behaviour", true},
    {"customer_id", VT_FIELD_ID, EVENT(event.customer_id),
     "customerid|customer|user_id|userid|user|member_id|household_id|client_id", true},
    {"visitor_id", VT_FIELD_ID, EVENT(event.visitor_id),
     "visitorid|visitor|session_id|device_id|cookie_id", false},
    {"item_id", VT_FIELD_ITEM_KEY, EVENT(event.item_id),
     "itemid|item|sku|product_id|productid|product|stockcode|stock_code|article", true},
    {"time", VT_FIELD_TIME, EVENT(event.time_ms),
     "timestamp|date|datetime|event_time|invoicedate|invoice_date|order_date|created_at|"
     "transaction_timestamp",
     true},
    {"channel", VT_FIELD_ID, EVENT(event.channel), "source|sales_channel", false},
    {"quantity", VT_FIELD_NUMBER, EVENT(event.quantity), "qty|count|pieces", false},
    {"price", VT_FIELD_PRICE, EVENT(price), "unitprice|unit_price", false},
    {"revenue", VT_FIELD_AMOUNT, EVENT(event.revenue), "sales_value|total|sales", false},
    {"cost", VT_FIELD_AMOUNT, EVENT(event.cost), "", false},
    {"currency_code", VT_FIELD_CURRENCY, EVENT(event.currency_code), "currency|currencycode",
     false},
    {"value", VT_FIELD_NUMBER, EVENT(event.value), "rating|stars|score", false},
    {"query", VT_FIELD_TEXT, EVENT(event.query), "search_query|search_term", false},
    {"attribution_token", VT_FIELD_ID, EVENT(event.attribution_token), "attributiontoken", false},
    {"order_id", VT_FIELD_ID, EVENT(group), "orderid|invoiceno|invoice_no|invoice|basket_id",
     false},
    {"title", VT_FIELD_TEXT, EVENT(title), "description|product_name|item_name|name", false},
    {"country", VT_FIELD_TEXT, EVENT(country), "", false},
};

static const struct vt_field_spec item_fields[] = {
    {"id", VT_FIELD_ITEM_KEY, ITEM(id), "sku|item_id|product_id|productid|stockcode|article", true},
    {"title", VT_FIELD_TEXT, ITEM(title), "name|description|product_name|product", true},
    {"categories", VT_FIELD_CATEGORIES, 0, "category|genres|department|product_category", true},
    {"brand", VT_FIELD_TEXT, ITEM(brand), "manufacturer|maker", false},
    {"price", VT_FIELD_PRICE, ITEM(price), "unitprice|unit_price", true},
    {"cost", VT_FIELD_PRICE, ITEM(cost), "", false},
    {"currency_code", VT_FIELD_CURRENCY, ITEM(currency_code), "currency|currencycode", false},
    {"stock", VT_FIELD_STOCK, ITEM(stock), "inventory|on_hand", false},
    {"available_from", VT_FIELD_TIME, ITEM(available_from_ms), "availablefrom", false},
    {"available_until", VT_FIELD_TIME, ITEM(available_until_ms), "availableuntil", false},
    {"image_uri", VT_FIELD_TEXT, ITEM(image_uri), "imageuri|image_url|image", false},
    {"uri", VT_FIELD_TEXT, ITEM(uri), "url|link", false},
    {"attributes", VT_FIELD_ATTRIBUTES, 0, "", false},
};

static const struct vt_field_spec customer_fields[] = {
    {"id", VT_FIELD_ID, CUSTOMER(id), "customer_id|customerid|user_id|userid", true},
    {"consent", VT_FIELD_CONSENT, CUSTOMER(consent), "", false},
    {"attributes", VT_FIELD_ATTRIBUTES, 0, "", false},
};

static const struct vt_field_spec channel_fields[] = {
    {"id", VT_FIELD_ID, CHANNEL(id), "channel", true},
    {"name", VT_FIELD_TEXT, CHANNEL(name), "title", false},
    {"cost_per_day", VT_FIELD_AMOUNT, CHANNEL(cost_per_day), "", false},
    {"cost_per_click", VT_FIELD_AMOUNT, CHANNEL(cost_per_click), "", false},
    {"cost_per_order", VT_FIELD_AMOUNT, CHANNEL(cost_per_order), "", false},
    {"commission", VT_FIELD_AMOUNT, CHANNEL(commission), "", false},
    {"currency_code", VT_FIELD_CURRENCY, CHANNEL(currency_code), "currency|currencycode", false},
    {"attributes", VT_FIELD_ATTRIBUTES, 0, "", false},
};

#define TABLE(fields_)                                                                             \
    {                                                                                              \
        fields_, sizeof fields_ / sizeof fields_[0]                                                \
    }
static const struct {
    const struct vt_field_spec *fields;
    size_t n;
} tables[VT_RECORD_KIND_COUNT] = {
    [VT_RECORD_EVENT] = TABLE(event_fields),
    [VT_RECORD_ITEM] = TABLE(item_fields),
    [VT_RECORD_CUSTOMER] = TABLE(customer_fields),
    [VT_RECORD_CHANNEL] = TABLE(channel_fields),
};

const struct vt_field_spec *vt_fields(enum vt_record_kind kind, size_t *ret_n)
{
    *ret_n = tables[kind].n;
    return tables[kind].fields;
}

enum { FIELD_NAME_BYTES = 64 };

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* "Unit Price", "unit-price" and "unitPrice" become "unit_price"; "" when it is too long. */
static void canonical_name(struct vt_slice name, char ret[FIELD_NAME_BYTES])
{
    size_t n = 0;
    name = vt_text_trim(name);
    for (size_t i = 0; i < name.len && n + 2 < FIELD_NAME_BYTES; i++) {
        char c = name.data[i];
        bool hump = is_upper(c) && i > 0 && name.data[i - 1] >= 'a' && name.data[i - 1] <= 'z';
        if (hump)
            ret[n++] = '_';
        ret[n++] = (char)(is_upper(c) ? c + ('a' - 'A') : c == ' ' || c == '-' ? '_' : c);
    }
    ret[name.len < FIELD_NAME_BYTES / 2 ? n : 0] = '\0';
}

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; len > 0 && (at = strstr(at, name)) != NULL; at += len) {
        bool starts = at == list || at[-1] == '|';
        if (starts && (at[len] == '|' || at[len] == '\0'))
            return true;
    }
    return false;
}

int vt_field_index(enum vt_record_kind kind, const char *name)
{
    for (size_t i = 0; i < tables[kind].n; i++)
        if (strcmp(tables[kind].fields[i].name, name) == 0)
            return (int)i;
    return -1;
}

int vt_field_find(enum vt_record_kind kind, struct vt_slice name)
{
    char canonical[FIELD_NAME_BYTES];
    canonical_name(name, canonical);
    int index = vt_field_index(kind, canonical);
    for (size_t i = 0; index < 0 && i < tables[kind].n; i++)
        if (list_has(tables[kind].fields[i].synonyms, canonical))
            index = (int)i;
    return index;
}
