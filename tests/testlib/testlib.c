#include "tests/testlib/testlib.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void vt_test_assert_ok(struct vt_err err, const char *call, const char *file, int line)
{
    if (!vt_failed(err))
        return;
    print_error("%s: %s: %s (errno %d)\n", call, vt_code_name(err.code), err.what, err.sys);
    _fail(file, line);
}

void vt_test_assert_code(struct vt_err err, enum vt_code code, const char *call, const char *file,
                         int line)
{
    if (err.code == code)
        return;
    print_error("%s: %s, not %s: %s\n", call, vt_code_name(err.code), vt_code_name(code), err.what);
    _fail(file, line);
}

char *vt_test_folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/vitrine-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return strdup(path);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void vt_test_folder_remove(char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}
