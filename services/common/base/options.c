#include "services/common/base/options.h"

const char *vt_nearest_name(const char *wrong, const char *const *names, size_t n_names)
{
    (void)wrong;
    (void)names;
    (void)n_names;
    return NULL;
}
