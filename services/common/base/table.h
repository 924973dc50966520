#ifndef VT_BASE_TABLE_H
#define VT_BASE_TABLE_H

#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdio.h>

/*
 * Aligned tables for people on a terminal. Cells are collected, then printed with columns as wide
 * as their widest cell (as a terminal counts: wide scripts take two places, accents none);
 * over-long cells are cut with "…". One thread.
 */
struct vt_table;

enum { VT_TABLE_COLUMNS_MAX = 16, VT_TABLE_CELL_PLACES_MAX = 60 };

/* `heads` is one text per column; one that begins with '>' makes the column right-aligned (numbers)
 * and is shown without it. NULL when out of memory: the functions below accept that. */
struct vt_table *vt_table_new(const char *const *heads, size_t n_columns);
void vt_table_free(struct vt_table *table);
/* Cells go from left to right, top to bottom; the text is copied, control characters become spaces.
 */
void vt_table_cell(struct vt_table *table, struct vt_slice text);
/* As printf; longer than a cell may be is cut. */
void vt_table_cellf(struct vt_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints heads and all full rows. */
void vt_table_print(const struct vt_table *table, FILE *out);

#endif
