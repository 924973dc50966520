#ifndef VT_TESTLIB_POWER_CUT_H
#define VT_TESTLIB_POWER_CUT_H

#include <stdint.h>

/*
 * A power cut for one folder: from now on this process's calls that change files below `folder` (an
 * existing one, its path without symbolic links) are noted; at the `at`-th of them (from 1) what
 * was not fsynced is thrown away as `seed` decides, and the process is killed. See power_cut.c for
 * what "not fsynced" means. Call it before other threads start. A program that does not know this
 * gets it by LD_PRELOAD and VITRINE_POWER_CUT=AT:SEED:FOLDER.
 */
void vt_power_cut_arm(const char *folder, uint64_t at, uint64_t seed);

#endif
