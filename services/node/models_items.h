#ifndef VT_NODE_MODELS_ITEMS_H
#define VT_NODE_MODELS_ITEMS_H

#include "models/bundle/bundle.h"
#include "models/dataset/catalog.h"

/*
 * Items of a model as text, a line each: the SKU, or '#' and the item number for an item that the
 * catalog does not describe. What `models export` writes `models import` reads.
 */

/* A new file for the rows of the version. `catalog` may be empty. */
VT_MUST_USE struct vt_err vt_models_items_write(const char *path, const struct vt_bundle_view *view,
                                                const struct vt_catalog *catalog,
                                                struct vt_diag *diag);

/* Reads one item a line, LF or CRLF; *ret_numbers is malloc'd, free with free(). VT_INVALID with
 * the line in `diag`: an empty line, an unknown SKU. A plain number is an item number where the
 * catalog describes nothing. */
VT_MUST_USE struct vt_err vt_models_items_read(const char *path, const struct vt_catalog *catalog,
                                               struct vt_diag *diag, uint32_t **ret_numbers,
                                               uint32_t *ret_n);

#endif
