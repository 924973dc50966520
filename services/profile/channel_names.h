#ifndef VT_PROFILE_CHANNEL_NAMES_H
#define VT_PROFILE_CHANNEL_NAMES_H

#include "services/profile/profile_internal.h"

/* The names of all channels, as of loading: 128 KiB. Zero it first. One thread. */
struct vt__channel_names {
    char (*names)[VT_ID_BYTES_MAX + 1]; /* owned; by number, NUL-terminated */
};
/* VT_EXHAUSTED, VT_CORRUPT. Iterates: on a thread that may block. */
VT_MUST_USE struct vt_err vt__channel_names_load(struct vt_profile *profile,
                                                 struct vt__channel_names *names);
void vt__channel_names_fini(struct vt__channel_names *names);
/* Empty for 0 and for what has no name. Borrowed. */
struct vt_slice vt__channel_name(const struct vt__channel_names *names, uint16_t number);

#endif
