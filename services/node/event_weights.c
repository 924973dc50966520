/*
 * Event weights, and how much an event's own value enters them, from the command line. The manifest
 * keeps both, so what serves counts a history as training did.
 */
#include "services/node/event_weights.h"

#include "services/common/base/event.h"

#include <stdlib.h>
#include <string.h>

/* What "TYPE=NUMBER" sets, and within what. */
struct kind {
    const char *option;
    const char *what;
    double min, max;
};
static const struct kind weight_kind = {"weight", "the weight", -VT_EVENT_WEIGHT_MAX,
                                        VT_EVENT_WEIGHT_MAX};
static const struct kind value_kind = {"value", "the exponent", 0, 1};

static struct vt_err refuse_type(const struct kind *kind, struct vt_slice name, const char *text,
                                 struct vt_diag *diag)
{
    const char *names[VT_EVENT_TYPE_COUNT];
    char wanted[64] = "";
    size_t n = 0;
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        if (vt_event_type_name(type) != NULL)
            names[n++] = vt_event_type_name(type);
    memcpy(wanted, name.data, name.len < sizeof wanted ? name.len : sizeof wanted - 1);
    const char *nearest = vt_nearest_name(wanted, names, n);
    vt_diag_set(diag, kind->option, "'%s' names no event type%s%s%s; wanted is TYPE=NUMBER", text,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'" : "");
    return VT_ERR(VT_INVALID, "unknown event type");
}

static struct vt_err set_one(const struct kind *kind, const char *text, struct vt_diag *diag,
                             float *numbers)
{
    size_t name_len = strcspn(text, "=");
    struct vt_slice name = {text, name_len};
    enum vt_event_type type = vt_event_type_parse(name);
    if (type == VT_EVENT_UNSPECIFIED)
        return refuse_type(kind, name, text, diag);
    const char *number = text + name_len + (text[name_len] == '=');
    char *end;
    const double value = strtod(number, &end);
    if (end == number || *end != '\0' || !(value >= kind->min && value <= kind->max)) {
        vt_diag_set(diag, kind->option, "'%s': %s must be a number from %g to %g", text, kind->what,
                    kind->min, kind->max);
        return VT_ERR(VT_INVALID, "a number of an event type is out of range");
    }
    numbers[type] = (float)value;
    return vt_ok();
}

static struct vt_err set_all(const struct kind *kind, const struct vt_option_list *list,
                             struct vt_diag *diag, float numbers[VT_EVENT_TYPE_COUNT])
{
    float copy[VT_EVENT_TYPE_COUNT];
    memcpy(copy, numbers, sizeof copy);
    for (size_t i = 0; i < list->n; i++)
        VT_TRY(set_one(kind, list->items[i], diag, copy));
    memcpy(numbers, copy, sizeof copy);
    return vt_ok();
}

struct vt_err vt_event_weights_set(const struct vt_option_list *list, struct vt_diag *diag,
                                   struct vt_dataset_options *dataset)
{
    return set_all(&weight_kind, list, diag, dataset->event_weights);
}

struct vt_err vt_value_exponents_set(const struct vt_option_list *list, struct vt_diag *diag,
                                     struct vt_dataset_options *dataset)
{
    return set_all(&value_kind, list, diag, dataset->value_exponents);
}

struct vt_err vt_event_weights_check_file(const struct vt_option_list *weights,
                                          const struct vt_option_list *values,
                                          double half_life_days, struct vt_diag *diag)
{
    if (weights->n == 0 && values->n == 0 && !(half_life_days > 0))
        return vt_ok();
    vt_diag_set(diag,
                weights->n > 0  ? "weight"
                : values->n > 0 ? "value"
                                : "half-life",
                "an adjacency file has no event types, values or times: this is for --data");
    return VT_ERR(VT_INVALID, "an option says nothing about a file");
}
