#ifndef VT_BASE_ERR_H
#define VT_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* What a caller can do about a failure. vt_rpc maps each to one gRPC status, in one place. */
enum vt_code {
    VT_OK = 0,
    VT_INVALID,         /* the input is wrong: mend it, do not retry */
    VT_NOT_FOUND,       /* what was named does not exist */
    VT_EXHAUSTED,       /* a limit is reached: retry later, or ask for less */
    VT_DEADLINE,        /* out of time */
    VT_UNAVAILABLE,     /* a part is away: retry */
    VT_CORRUPT,         /* stored bytes are damaged: an operator must look */
    VT_INTERNAL,        /* our bug */
    VT_UNIMPLEMENTED,   /* the contract has it, this version does not */
    VT_PRECONDITION,    /* right call, wrong state: change the state first */
    VT_DENIED,          /* this caller may not */
    VT_CANCELLED,       /* the caller went away */
    VT_UNAUTHENTICATED, /* nobody knows who calls */
    VT_CODE_COUNT
};

/* An error by value: 16 bytes, nothing to free. `what` is a literal; where it happened in outside
 * input is told in a vt_diag. */
struct vt_err {
    uint16_t code; /* enum vt_code */
    uint16_t line; /* source line that made it, for our own search */
    int32_t sys;   /* errno, or 0 */
    const char *what;
};

#define VT_MUST_USE __attribute__((warn_unused_result))

#define VT_ERR(code_, what_)                                                                       \
    ((struct vt_err){.code = (uint16_t)(code_), .line = (uint16_t)__LINE__, .what = (what_)})
#define VT_ERR_SYS(code_, sys_, what_)                                                             \
    ((struct vt_err){                                                                              \
        .code = (uint16_t)(code_), .line = (uint16_t)__LINE__, .sys = (sys_), .what = (what_)})

/* The only two macros that return. */
#define VT_TRY(call_)                                                                              \
    do {                                                                                           \
        struct vt_err vt_try_err_ = (call_);                                                       \
        if (vt_try_err_.code != VT_OK)                                                             \
            return vt_try_err_;                                                                    \
    } while (0)
#define VT_CHECK(cond_, code_, what_)                                                              \
    do {                                                                                           \
        if (!(cond_))                                                                              \
            return VT_ERR(code_, what_);                                                           \
    } while (0)

/* A broken invariant of ours: prints and aborts, in release builds too. Never for input. */
#define VT_ASSERT(cond_) ((cond_) ? (void)0 : vt_assert_failed(#cond_, __FILE__, __LINE__))
_Noreturn void vt_assert_failed(const char *condition, const char *file, int line);

/* No error. */
static inline struct vt_err vt_ok(void)
{
    return (struct vt_err){.code = VT_OK, .what = "ok"};
}

/* True for every code but VT_OK. */
static inline bool vt_failed(struct vt_err err)
{
    return err.code != VT_OK;
}

/* Drops an error on purpose; `why` is for the reader. */
static inline void vt_err_ignore(struct vt_err err, const char *why)
{
    (void)err;
    (void)why;
}

/* "INVALID", "NOT_FOUND" …; never NULL. */
const char *vt_code_name(enum vt_code code);

#endif
