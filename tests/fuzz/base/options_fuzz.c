/*
 * Any bytes as a configuration file: accepted or refused with a message, never a crash, a leak, or
 * a refusal that names no line. The file lives in memory, reached by its name under /proc.
 */
#include "services/common/base/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct values {
    bool flag;
    uint32_t small;
    uint64_t large;
    double real;
    const char *text, *choice;
    int64_t duration_ms;
    struct vt_option_list list;
};

static const struct vt_option table[] = {
    {.name = "flag", .kind = VT_OPTION_BOOL, .offset = offsetof(struct values, flag)},
    {.name = "small", .kind = VT_OPTION_U32, .offset = offsetof(struct values, small)},
    {.name = "large", .kind = VT_OPTION_U64, .offset = offsetof(struct values, large), .max = 100},
    {.name = "nested.real", .kind = VT_OPTION_F64, .offset = offsetof(struct values, real)},
    {.name = "text", .kind = VT_OPTION_TEXT, .offset = offsetof(struct values, text)},
    {.name = "choice",
     .kind = VT_OPTION_CHOICE,
     .offset = offsetof(struct values, choice),
     .choices = "a|b"},
    {.name = "wait", .kind = VT_OPTION_DURATION, .offset = offsetof(struct values, duration_ms)},
    {.name = "list", .kind = VT_OPTION_LIST, .offset = offsetof(struct values, list)},
};

static const struct vt_options_spec spec = {
    .command = "fuzz",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .layered = true,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        return 0;
    char path[64], flag[] = "--config", name[] = "fuzz";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char *argv[] = {name, flag, path};
    struct values values = {0};
    struct vt_options options = {0};
    struct vt_diag diag = {0};
    bool help = false;
    struct vt_err err = vt_options_parse(&spec, 3, argv, &values, &options, &help, &diag);
    VT_ASSERT(!vt_failed(err) || err.code == VT_EXHAUSTED || diag.line > 0);
    VT_ASSERT(!vt_failed(err) || err.code == VT_EXHAUSTED || strlen(diag.text) > 0);
    vt_options_fini(&options);
    close(fd);
    return 0;
}
