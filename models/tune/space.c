/*
 * The spaces as one table of texts: they go through the same `--set` as what people write, so a
 * value out of range cannot slip in.
 */
#include "models/tune/space.h"

#include "models/dataset/mix.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *family;
    struct vt_tune_axis axes[VT_TUNE_AXES_MAX + 1];
} spaces[] = {
    {"ials",
     {{"factors", "32|64|128|256"},
      {"regularization", "0.001|0.003|0.01|0.02|0.05|0.1|0.2"},
      {"regularization_exponent", "0.5|0.75|1"},
      {"unobserved_weight", "0|0.001|0.003|0.01|0.03|0.1|0.3"},
      {0}}},
    {"ease",
     {{"regularization", "0|3|10|30|100|300|1000"},
      {"dropout", "0|0.3|0.5|0.7"},
      {"user_exponent", "0|0.25|0.5|0.75"},
      {"popularity_exponent", "0|0.1|0.2|0.35|0.5"},
      {0}}},
    {"graph",
     {{"vectors", "64|128|256"},
      {"low_pass", "0.1|0.2|0.3|0.5|1"},
      {"item_exponent", "0.3|0.4|0.5|0.6"},
      {"user_exponent", "0.3|0.5|0.7"},
      {"popularity_exponent", "0|0.1|0.2"},
      {0}}},
    {"sharpened",
     {{"vectors", "64|128|256"},
      {"low_pass", "0.1|0.2|0.3|0.5|1"},
      {"sharpening", "0.5|1|1.5|2"},
      {"item_exponent", "0.3|0.4|0.5|0.6"},
      {"user_exponent", "0.3|0.5|0.7"},
      {"popularity_exponent", "0|0.1|0.2"},
      {0}}},
    {"itemcf", {{"neighbors", "30|100|300|1000"}, {"shrinkage", "0|1|3|10|30|100"}, {0}}},
};

const struct vt_tune_axis *vt_tune_space(const char *family)
{
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (strcmp(spaces[i].family, family) == 0)
            return spaces[i].axes;
    return NULL;
}

static uint32_t count_values(const char *values)
{
    uint32_t n = 1;
    for (; *values != '\0'; values++)
        n += *values == '|';
    return n;
}

uint32_t vt_tune_trial(const struct vt_tune_axis *axes, uint32_t trial, uint64_t seed,
                       char ret_settings[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES])
{
    uint32_t n = 0;
    for (; trial > 0 && axes[n].key != NULL; n++) {
        const uint64_t draw = vt_mix64(vt_mix64(seed * VT_MIX64_STEP + trial) + n);
        const char *value = axes[n].values;
        for (uint64_t skip = draw % count_values(value); skip > 0; skip--)
            value = strchr(value, '|') + 1;
        snprintf(ret_settings[n], VT_TUNE_SETTING_BYTES, "%s=%.*s", axes[n].key,
                 (int)strcspn(value, "|"), value);
    }
    return n;
}
