/*
 * Event weights from the command line. The manifest keeps them, so what serves counts a history as
 * training did.
 */
#include "services/node/event_weights.h"

#include "services/common/base/event.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct vt_err refuse_type(struct vt_slice name, const char *text, struct vt_diag *diag)
{
    const char *names[VT_EVENT_TYPE_COUNT];
    char wanted[64] = "";
    size_t n = 0;
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        if (vt_event_type_name(type) != NULL)
            names[n++] = vt_event_type_name(type);
    memcpy(wanted, name.data, name.len < sizeof wanted ? name.len : sizeof wanted - 1);
    const char *nearest = vt_nearest_name(wanted, names, n);
    vt_diag_set(diag, "weight", "'%s' names no event type%s%s%s; wanted is TYPE=NUMBER", text,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'" : "");
    return VT_ERR(VT_INVALID, "unknown event type");
}

static struct vt_err set_one(const char *text, struct vt_diag *diag, float *weights)
{
    size_t name_len = strcspn(text, "=");
    struct vt_slice name = {text, name_len};
    enum vt_event_type type = vt_event_type_parse(name);
    if (type == VT_EVENT_UNSPECIFIED)
        return refuse_type(name, text, diag);
    const char *number = text + name_len + (text[name_len] == '=');
    char *end;
    double weight = strtod(number, &end);
    if (end == number || *end != '\0' || !(fabs(weight) <= VT_EVENT_WEIGHT_MAX)) {
        vt_diag_set(diag, "weight", "'%s': the weight must be a number from -%d to %d", text,
                    VT_EVENT_WEIGHT_MAX, VT_EVENT_WEIGHT_MAX);
        return VT_ERR(VT_INVALID, "an event weight is out of range");
    }
    weights[type] = (float)weight;
    return vt_ok();
}

struct vt_err vt_event_weights_set(const struct vt_option_list *list, struct vt_diag *diag,
                                   struct vt_dataset_options *dataset)
{
    float weights[VT_EVENT_TYPE_COUNT];
    memcpy(weights, dataset->event_weights, sizeof weights);
    for (size_t i = 0; i < list->n; i++)
        VT_TRY(set_one(list->items[i], diag, weights));
    memcpy(dataset->event_weights, weights, sizeof weights);
    return vt_ok();
}
