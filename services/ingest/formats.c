/*
 * The list of formats, and how a file's format is found: each looks at the name and the first
 * bytes, the most particular first, csv as the last since any table may be one.
 */
#include "services/ingest/reader.h"

#include <string.h>

const struct vt_format *const vt_formats[] = {
    &vt_format_jsonl,     &vt_format_movielens, &vt_format_online_retail,
    &vt_format_adjacency, &vt_format_csv,       NULL,
};

const struct vt_format *vt_format_pick(const char *name, const char *path, struct vt_slice head)
{
    for (size_t i = 0; vt_formats[i] != NULL; i++)
        if (name != NULL ? strcmp(vt_formats[i]->name, name) == 0
                         : vt_formats[i]->sniff(path, head))
            return vt_formats[i];
    return NULL;
}

struct vt_slice vt_path_stem(const char *path)
{
    static const char *const packed[] = {".xz", ".gz", ".zst"};
    const char *slash = strrchr(path, '/');
    struct vt_slice stem = vt_slice_str(slash != NULL ? slash + 1 : path);
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++) {
        size_t len = strlen(packed[i]);
        if (stem.len > len && memcmp(stem.data + stem.len - len, packed[i], len) == 0)
            stem.len -= len;
    }
    return stem;
}

struct vt_slice vt_first_line(struct vt_slice head)
{
    const char *end = head.len > 0 ? memchr(head.data, '\n', head.len) : NULL;
    size_t len = end != NULL ? (size_t)(end - head.data) : head.len;
    if (len > 0 && head.data[len - 1] == '\r')
        len--;
    return vt_slice(head.data, len);
}

bool vt_slice_starts(struct vt_slice text, const char *beginning)
{
    size_t len = strlen(beginning);
    return text.len >= len && memcmp(text.data, beginning, len) == 0;
}

size_t vt_slice_split(struct vt_slice text, char at, struct vt_slice *ret_parts, size_t max)
{
    size_t n = 0;
    while (n + 1 < max) {
        const char *end = text.len > 0 ? memchr(text.data, at, text.len) : NULL;
        if (end == NULL)
            break;
        size_t len = (size_t)(end - text.data);
        ret_parts[n++] = vt_slice(text.data, len);
        text = vt_slice(end + 1, text.len - len - 1);
    }
    ret_parts[n++] = text;
    return n;
}
