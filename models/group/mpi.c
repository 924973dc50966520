/*
 * Finds and loads vitrine-mpi.so. It is a file of its own so that the program needs no MPI to
 * serve, nor to train on one machine; docs/adr/0095 says more.
 */
#include "models/group/mpi.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {"", "../lib/vitrine/"}; /* seen from the program's */

/* The folder of this program, with its last slash; "" when it cannot be found. */
static void program_folder(char ret_path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
    ret_path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(ret_path, '/');
    if (slash != NULL)
        slash[1] = '\0';
}

/* RTLD_GLOBAL: plug-ins that MPI loads itself look for MPI's symbols. */
static void *load(void)
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    void *module = NULL;
    program_folder(folder);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && module == NULL; i++) {
        snprintf(path, sizeof path, "%s%s" VT_MPI_MODULE, folder, folders[i]);
        module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    }
    return module;
}

struct vt_err vt_mpi_open(struct vt_diag *diag, struct vt_mpi *ret_mpi)
{
    vt_mpi_open_fn open = NULL;
    void *module = load();
    if (module == NULL) {
        const char *why = dlerror();
        vt_diag_set(diag, "mpi",
                    "--mpi needs " VT_MPI_MODULE " beside the program, and OpenMPI (Debian: "
                    "openmpi-bin, and libopenmpi-dev when vitrine is built): %s",
                    why != NULL ? why : "not found");
        return VT_ERR(VT_UNAVAILABLE, "MPI is not there");
    }
    *(void **)&open = dlsym(module, VT_MPI_OPEN); /* POSIX allows it */
    VT_CHECK(open != NULL, VT_INTERNAL, VT_MPI_MODULE " is of another version");
    return open(ret_mpi);
}
