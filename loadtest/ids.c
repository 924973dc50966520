/* Whom and what the load is about: names made, read from a file, or asked from the target. */
#include "loadtest/ids.h"

#include "loadtest/wire.h"
#include "services/common/base/file.h"
#include "services/common/rpc/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_BYTES_MAX = 160, /* the contract's 128, with its end and alignment */
    NUMBERED_BYTES = 16,
    PAGE_BYTES = 24 << 20,
    ASK_TIMEOUT_MS = 10000,
};

static struct vt_err init(struct id_list *list, size_t capacity, size_t bytes)
{
    list->ids = calloc(capacity, sizeof *list->ids);
    VT_CHECK(list->ids != NULL && vt_arena_init_owned(&list->arena, bytes), VT_EXHAUSTED,
             "no memory for so many ids");
    return vt_ok();
}

static struct vt_err add(struct id_list *list, struct vt_slice id)
{
    struct vt_slice copy = vt_arena_copy(&list->arena, id);
    VT_CHECK(copy.data != NULL, VT_EXHAUSTED, "ids of more than 128 bytes");
    list->ids[list->n++] = copy.data;
    return vt_ok();
}

static struct vt_err add_numbered(struct id_list *list, const char *format, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char id[NUMBERED_BYTES + 8];
        snprintf(id, sizeof id, format, (unsigned)(first + i));
        VT_TRY(add(list, vt_slice_str(id)));
    }
    return vt_ok();
}

struct vt_err ids_numbered(size_t n, struct id_list *list)
{
    VT_TRY(init(list, n, n * (size_t)NUMBERED_BYTES * 2));
    return add_numbered(list, "C%06u", 1, n);
}

static struct vt_err add_lines(struct id_list *list, char *text, size_t len)
{
    size_t n_lines = 1;
    for (const char *at = text; *at != '\0'; at++)
        n_lines += *at == '\n' ? 1 : 0;
    VT_CHECK(n_lines <= IDS_MAX, VT_EXHAUSTED, "more than a million ids in the file");
    VT_TRY(init(list, n_lines, len + n_lines * (size_t)NUMBERED_BYTES * 2));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\r\n")) != NULL;)
        if (line[0] != '\0')
            VT_TRY(add(list, vt_slice_str(line)));
    VT_CHECK(list->n > 0, VT_INVALID, "no id in the file");
    return vt_ok();
}

struct vt_err ids_from_file(const char *path, struct vt_diag *diag, struct id_list *list)
{
    char *text = NULL;
    size_t len = 0;
    VT_TRY(vt_file_read(path, IDS_FILE_BYTES_MAX, diag, &text, &len));
    struct vt_err err = add_lines(list, text, len);
    free(text);
    return err;
}

/* ---- from the target ---- */

static struct vt_err ask_page(struct vt_rpc_channel *channel, size_t n, const char *token,
                              struct vt_arena *arena, struct vt_diag *diag,
                              struct load_item_page *ret_page)
{
    const struct vt_rpc_call_options call = {.timeout_ms = ASK_TIMEOUT_MS};
    struct vt_slice body, answer;
    VT_TRY(load_wire_list_items((uint32_t)n, token, arena, &body));
    VT_TRY(vt_rpc_client_call(channel, LOAD_PATH_LIST_ITEMS, body, &call, arena, diag, &answer));
    return load_wire_read_items(answer, arena, diag, ret_page);
}

static struct vt_err ask_all(struct vt_rpc_channel *channel, size_t n, struct vt_arena *arena,
                             struct vt_diag *diag, struct id_list *list)
{
    struct load_item_page page = {0};
    char token[LOAD_TOKEN_BYTES_MAX] = "";
    do {
        vt_arena_reset(arena);
        VT_TRY(ask_page(channel, n - list->n, token, arena, diag, &page));
        for (size_t i = 0; i < page.n && list->n < n; i++)
            VT_TRY(add(list, vt_slice_str(page.ids[i])));
        snprintf(token, sizeof token, "%s", page.next_token);
    } while (token[0] != '\0' && page.n > 0 && list->n < n);
    return vt_ok();
}

struct vt_err ids_ask_catalog(struct vt_rpc_channel *channel, size_t n, struct vt_diag *diag,
                              struct id_list *list)
{
    struct vt_arena arena = {0};
    VT_TRY(init(list, n, n * (size_t)ID_BYTES_MAX));
    struct vt_err err = vt_arena_init_owned(&arena, PAGE_BYTES)
                            ? ask_all(channel, n, &arena, diag, list)
                            : VT_ERR(VT_EXHAUSTED, "no memory for the catalog");
    vt_arena_fini(&arena);
    return vt_failed(err) || list->n > 0 ? err : add_numbered(list, "SKU%06u", 0, n);
}

void ids_fini(struct id_list *list)
{
    vt_arena_fini(&list->arena);
    free(list->ids);
    *list = (struct id_list){0};
}
