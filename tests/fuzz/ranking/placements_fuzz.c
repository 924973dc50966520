/*
 * Any bytes as a file of placements: read whole, or refused with a line and a reason; never a
 * crash, a leak, or a placement over a limit. The file lives in memory, reached under /proc.
 */
#include "services/ranking/placement.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check(const struct vt_placements *placements)
{
    VT_ASSERT(placements->n_placements >= 1 && placements->n_placements <= VT_PLACEMENTS_MAX);
    VT_ASSERT(placements->n_campaigns <= VT_CAMPAIGNS_MAX);
    for (uint32_t p = 0; p < placements->n_placements; p++) {
        const struct vt_placement *placement = &placements->placements[p];
        VT_ASSERT(placement->n_pins <= VT_PINS_MAX && placement->n_boosts <= VT_BOOSTS_MAX);
        VT_ASSERT(placement->n_caps <= VT_CAPS_MAX + 1 && placement->n_slots <= VT_SLOTS_MAX);
        for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
            VT_ASSERT(placement->weights[source] >= 0 && placement->weights[source] <= 100 &&
                      placement->budgets[source] <= VT_CANDIDATES_MAX);
        for (uint32_t b = 0; b < placement->n_boosts; b++)
            VT_ASSERT(placement->boosts[b].factor > 0);
        for (uint32_t c = 0; c < placement->n_caps; c++)
            VT_ASSERT(placement->caps[c].at_most > 0);
        VT_ASSERT(vt_placements_find(placements, placement->name) == placement || p == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char path[64];
    struct vt_diag diag = {0};
    struct vt_placement base;
    struct vt_placements *placements = NULL;
    int fd = memfd_create("placements", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    vt_placement_default(&base);
    struct vt_err err = vt_placements_load(path, &base, &diag, &placements);
    if (vt_failed(err)) {
        VT_ASSERT(placements == NULL);
        VT_ASSERT(err.code == VT_EXHAUSTED || (diag.line > 0 && strlen(diag.text) > 0));
    } else {
        check(placements);
        vt_published_release(&placements->published);
    }
    close(fd);
    return 0;
}
