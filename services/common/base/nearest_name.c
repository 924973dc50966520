/*
 * What someone may have meant: the name at the least edit distance, where exchanging two
 * neighbouring letters counts as one edit (optimal string alignment). Runs only when a name is
 * already known to be wrong.
 */
#include "services/common/base/options.h"

#include <stdint.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64 };

static unsigned min_unsigned(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Both of at most NAME_BYTES_MAX bytes. O(len(a) * len(b)). */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];
    for (unsigned j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *above_two = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = min_unsigned(above[j - 1] + change, min_unsigned(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_unsigned(row[j], above_two[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *vt_nearest_name(const char *wrong, const char *const *names, size_t n_names)
{
    size_t wrong_len = strlen(wrong);
    if (wrong_len > NAME_BYTES_MAX)
        return NULL;
    const char *nearest = NULL;
    /* A third of the letters may be wrong, and at least two: further away is another word. */
    unsigned least = wrong_len < 6 ? 3 : (unsigned)wrong_len / 3 + 1;
    for (size_t i = 0; i < n_names; i++) {
        size_t len = strlen(names[i]);
        if (len > NAME_BYTES_MAX)
            continue;
        unsigned distance = edit_distance(wrong, wrong_len, names[i], len);
        if (distance < least && distance < (wrong_len > len ? wrong_len : len)) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
