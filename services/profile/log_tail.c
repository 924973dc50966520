/*
 * Opening a store whose log RocksDB refuses (mode 0: damage that is not a torn end).
 *
 * A power cut may save the pages of the last write in any order and leave a hole in its middle. To
 * RocksDB that is damage like any other, but nothing was lost: a write is acknowledged after its
 * fsync, and the next one begins after that, so a write with a hole that is the last was never
 * acknowledged. Whether it is, is asked of two openings for reading, which change nothing:
 *
 *   - reading the log up to the damage and reading around it come to the same last write: nothing
 *     that was written later is left behind the damage;
 *   - what stands before the damage reaches the mark of what was acknowledged.
 *
 * Only then the store is opened without that write. Anything else stays refused, as it was found.
 */
#include "services/profile/log_tail.h"

#include "services/common/base/log.h"
#include "services/profile/acked.h"
#include "services/profile/memory.h"
#include "services/profile/profile_internal.h"

#include <errno.h>
#include <unistd.h>

/* How far the store reads with the log taken like this: RocksDB's count, and our sequence. */
static struct vt_err look(struct vt_profile *profile, const struct vt_store_options *options,
                          enum vt_store_log log, uint64_t *ret_last_write, uint64_t *ret_sequence)
{
    struct vt_store_options reading = *options;
    struct vt_diag diag = {0};
    reading.read_only = true;
    reading.create = false;
    reading.log = log;
    reading.on_damage = NULL;
    VT_TRY(vt_store_open(&reading, &diag, &profile->store));
    struct vt_err err = vt__state_load(profile, &diag);
    *ret_last_write = vt_store_last_write(profile->store);
    *ret_sequence = profile->state.sequence;
    vt_store_close(profile->store);
    profile->store = NULL;
    return err;
}

static struct vt_err read_mark(const char *acked_path, uint64_t *ret_sequence)
{
    int fd = -1;
    VT_TRY(vt__acked_open(acked_path, NULL, &fd, ret_sequence));
    vt__acked_close(fd);
    return vt_ok();
}

/* Is what is damaged one write that nobody was told of? */
static bool is_torn_end(struct vt_profile *profile, const struct vt_store_options *options,
                        const char *acked_path, uint64_t *ret_sequence)
{
    uint64_t before = 0, around = 0, sequence = 0, acked = 0;
    if (vt_failed(look(profile, options, VT_STORE_LOG_AROUND_DAMAGE, &around, &sequence)) ||
        vt_failed(look(profile, options, VT_STORE_LOG_UNTIL_DAMAGE, &before, ret_sequence)) ||
        vt_failed(read_mark(acked_path, &acked)))
        return false;
    return before == around && *ret_sequence >= acked;
}

struct vt_err vt__open_store(struct vt_profile *profile, const struct vt_store_options *options,
                             const char *acked_path, struct vt_diag *diag)
{
    uint64_t sequence = 0;
    struct vt_err err = vt_store_open(options, diag, &profile->store);
    if (err.code != VT_CORRUPT || options->read_only ||
        !is_torn_end(profile, options, acked_path, &sequence))
        return err;
    struct vt_store_options torn = *options;
    torn.log = VT_STORE_LOG_UNTIL_DAMAGE;
    VT_TRY(vt_store_open(&torn, diag, &profile->store));
    vt_log(VT_LOG_WARN, "store_log_end_torn", VT_F_INT("sequence", sequence),
           VT_F_STR("detail", "the last write was cut off before it was acknowledged: left out"));
    return vt_ok();
}

struct vt_err vt__mark_sync(struct vt_profile *profile)
{
    if (fdatasync(profile->acked_fd) != 0)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot sync the mark of acknowledged events");
    return vt_ok();
}
