/*
 * What may enter the store. Runs on the caller's thread, touches nothing shared. Each check returns
 * true when all is well; the first fault stops the chain and says which field and what would be
 * right. The domain checks although wire has: importers and tests come in by the same door.
 */
#include "services/common/base/text.h"
#include "services/profile/profile_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { CURRENCY_LETTERS = 3 };
static const double RATING_MAX = 10;

bool vt__fault_set(struct vt__fault *fault, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    fault->field = field;
    return false;
}

bool vt__check_text(struct vt_slice text, size_t max_bytes, const char *field,
                    struct vt__fault *fault)
{
    size_t offset = 0;
    if (text.len > max_bytes)
        return vt__fault_set(fault, field, "%zu bytes, at most %zu", text.len, max_bytes);
    if (!vt_text_valid(text, &offset))
        return vt__fault_set(fault, field, "byte %zu is not UTF-8 or is NUL: send UTF-8 text",
                             offset);
    return true;
}

bool vt__check_id(struct vt_slice id, const char *field, struct vt__fault *fault)
{
    if (id.len == 0)
        return vt__fault_set(fault, field, "empty: an id has 1 to %d bytes", VT_ID_BYTES_MAX);
    return vt__check_text(id, VT_ID_BYTES_MAX, field, fault);
}

bool vt__check_currency(struct vt_slice code, struct vt__fault *fault)
{
    bool letters = code.len == CURRENCY_LETTERS;
    for (size_t i = 0; i < code.len && letters; i++)
        letters = code.data[i] >= 'A' && code.data[i] <= 'Z';
    if (code.len != 0 && !letters)
        return vt__fault_set(fault, "currency_code",
                             "not an ISO 4217 code: three capital letters such as EUR, or empty");
    return true;
}

static bool check_finite(double value, const char *field, struct vt__fault *fault)
{
    if (!isfinite(value))
        return vt__fault_set(fault, field, "not a finite number");
    if (fabs(value) > VT_AMOUNT_MAX)
        return vt__fault_set(fault, field, "%g: at most %g", value, VT_AMOUNT_MAX);
    return true;
}

bool vt__check_not_negative(double value, const char *field, struct vt__fault *fault)
{
    if (!check_finite(value, field, fault))
        return false;
    if (value < 0)
        return vt__fault_set(fault, field, "%g is negative: at least 0", value);
    return true;
}

bool vt__check_attributes(const struct vt_attribute *attributes, uint32_t n,
                          struct vt__fault *fault)
{
    if (n > VT_ITEM_ATTRIBUTES_MAX)
        return vt__fault_set(fault, "attributes", "%u entries, at most %d", n,
                             VT_ITEM_ATTRIBUTES_MAX);
    for (uint32_t i = 0; i < n; i++)
        if (!vt__check_id(attributes[i].key, "attributes", fault) ||
            !vt__check_text(attributes[i].value, VT_TEXT_BYTES_MAX, "attributes", fault))
            return false;
    return true;
}

static bool check_type(const struct vt_event *event, struct vt__fault *fault)
{
    if (vt_event_type_name((unsigned)event->type) == NULL || event->type == VT_EVENT_UNSPECIFIED)
        return vt__fault_set(fault, "type", "%d is no event type: 1 (impression) to %d (custom)",
                             (int)event->type, VT_EVENT_TYPE_COUNT - 1);
    return true;
}

/* One that may be absent. */
static bool check_optional_id(struct vt_slice id, const char *field, struct vt__fault *fault)
{
    return vt__check_text(id, VT_ID_BYTES_MAX, field, fault);
}

static bool check_identity(const struct vt_identity *identity, struct vt__fault *fault)
{
    struct vt_diag diag = {0};
    return vt_identity_valid(identity, &diag) ||
           vt__fault_set(fault, "identity", "%s: %s", diag.field, diag.text);
}

bool vt__check_who(struct vt_slice customer_id, struct vt_slice visitor_id,
                   const struct vt_identity *identity, struct vt__fault *fault)
{
    bool identified = vt_identity_given(identity);
    if (customer_id.len == 0 && visitor_id.len == 0 && !identified)
        return vt__fault_set(fault, "customer_id",
                             "empty, and visitor_id and identity too: give one of them");
    return check_optional_id(customer_id, "customer_id", fault) &&
           check_optional_id(visitor_id, "visitor_id", fault) &&
           (!identified || check_identity(identity, fault));
}

static bool check_item(const struct vt_event *event, struct vt__fault *fault)
{
    if (event->type == VT_EVENT_SEARCH && event->item_id.len == 0)
        return true;
    return vt__check_id(event->item_id, "item_id", fault);
}

static bool check_time(const struct vt_event *event, int64_t now_ms, struct vt__fault *fault)
{
    if (event->time_ms < VT_EVENT_TIME_MIN_MS)
        return vt__fault_set(fault, "time", "before 2000-01-01 or absent: when did it happen?");
    if (event->time_ms > now_ms + VT_EVENT_FUTURE_MS)
        return vt__fault_set(
            fault, "time", "more than 24 h ahead of the server's clock: check the sender's clock");
    return true;
}

static bool check_numbers(const struct vt_event *event, struct vt__fault *fault)
{
    if (!vt__check_not_negative(event->quantity, "quantity", fault) ||
        !vt__check_not_negative(event->revenue, "revenue", fault) ||
        !vt__check_not_negative(event->cost, "cost", fault) ||
        !check_finite(event->value, "value", fault))
        return false;
    if (event->type == VT_EVENT_RATING && (event->value < 0 || event->value > RATING_MAX))
        return vt__fault_set(fault, "value", "%g stars: a rating has 0 to %g", event->value,
                             RATING_MAX);
    return true;
}

bool vt__check_event(const struct vt_event *event, int64_t now_ms, struct vt__fault *fault)
{
    return vt__check_id(event->event_id, "event_id", fault) && check_type(event, fault) &&

           vt__check_who(event->customer_id, event->visitor_id, &event->identity, fault) &&
           check_item(event, fault) && check_time(event, now_ms, fault) &&
           check_numbers(event, fault) && vt__check_currency(event->currency_code, fault) &&
           vt__check_text(event->channel, VT_ID_BYTES_MAX, "channel", fault) &&
           vt__check_text(event->query, VT_TEXT_BYTES_MAX, "query", fault) &&
           vt__check_text(event->attribution_token, VT_TEXT_BYTES_MAX, "attribution_token", fault);
}
