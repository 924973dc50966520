#ifndef VT_NODE_DOCTOR_H
#define VT_NODE_DOCTOR_H

#include "services/common/rpc/tls.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What `vitrine doctor` looks at: each check says one thing or several, in words of the operator.
 * Nothing is changed but a scratch file in the data folder, which is removed. One thread; blocking.
 */
enum vt_doctor_level { VT_DOCTOR_OK, VT_DOCTOR_WARN, VT_DOCTOR_BAD };
const char *vt_doctor_level_name(enum vt_doctor_level level); /* "ok", "warn", "bad" */

struct vt_doctor_finding {
    enum vt_doctor_level level;
    const char *check; /* literal */
    const char *what;  /* valid during the call */
    const char *todo;  /* literal; empty when it is ok */
};

struct vt_doctor {
    const char *data_dir;        /* NULL: only the machine */
    struct vt_rpc_tls_flags tls; /* all NULL: none */
    void (*found)(void *ctx, const struct vt_doctor_finding *finding);
    void *ctx;
};

/* One finding; `todo` is a literal, what to do about it. */
__attribute__((format(printf, 5, 6))) void vt_doctor_say(const struct vt_doctor *doctor,
                                                         enum vt_doctor_level level,
                                                         const char *check, const char *todo,
                                                         const char *format, ...);

/* doctor_machine.c: BLAS, CPU, limits, memory, clocks, certificates. */
void vt_doctor_check_machine(const struct vt_doctor *doctor);
/* doctor_disk.c: space, speed and sync of the file system of `data_dir`. */
void vt_doctor_check_disk(const struct vt_doctor *doctor);
/* doctor_folder.c: who holds it, permissions, leftovers, the mark, the models. */
void vt_doctor_check_folder(const struct vt_doctor *doctor);

#endif
