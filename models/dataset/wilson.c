/*
 * How little a share can be, given how few were counted. Wilson's interval stays within [0, 1] and
 * holds for small counts, where the normal one does not.
 */
#include "models/dataset/wilson.h"

#include <math.h>

double vt_wilson_lower(double n_hits, double n, double z)
{
    if (!(n > 0))
        return 0;
    double share = n_hits / n, squared = z * z;
    double middle = share + squared / (2 * n);
    double reach = z * sqrt((share * (1 - share) + squared / (4 * n)) / n);
    return fmax((middle - reach) / (1 + squared / n), 0);
}
