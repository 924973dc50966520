/*
 * RocksDB's words as errors of ours. Damage is told by file and key range: RocksDB names the file
 * and the offset, and the list of live files knows the family and the first and last key of it. A
 * family whose keys hold what people are called (personal_keys) is named without them.
 */
#include "services/common/store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SHOWN_BYTES = 24, KEY_TEXT_BYTES = 2 * KEY_SHOWN_BYTES + 4, FILE_NAME_BYTES = 64 };

static struct vt_err classify(const char *text)
{
    if (strstr(text, "No space left") != NULL || strstr(text, "quota exceeded") != NULL)
        return VT_ERR_SYS(VT_EXHAUSTED, ENOSPC, "the disk of the store is full");
    if (strncmp(text, "Corruption", 10) == 0)
        return VT_ERR(VT_CORRUPT, "the store is damaged");
    return VT_ERR(VT_UNAVAILABLE, "the store cannot be read or written");
}

/* "… in /data/live/000012.sst offset 17 size 4096 …" → "000012.sst". Empty when there is none. */
static void find_file_name(const char *text, char ret_name[FILE_NAME_BYTES])
{
    static const char *const marks[] = {".sst", ".log", "MANIFEST-", "CURRENT"};
    ret_name[0] = '\0';
    const char *at = NULL;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0] && at == NULL; i++)
        at = strstr(text, marks[i]);
    if (at == NULL)
        return;
    const char *begin = at, *end = at;
    while (begin > text && strchr("/ :\"", begin[-1]) == NULL)
        begin--;
    while (*end != '\0' && strchr(" :;,\"", *end) == NULL)
        end++;
    snprintf(ret_name, FILE_NAME_BYTES, "%.*s", (int)(end - begin), begin);
}

static void key_text(const char *key, size_t len, char ret_text[KEY_TEXT_BYTES])
{
    size_t shown = len < KEY_SHOWN_BYTES ? len : KEY_SHOWN_BYTES;
    for (size_t i = 0; i < shown; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", (unsigned)(unsigned char)key[i]);
    snprintf(ret_text + 2 * shown, 4, "%s", shown < len ? "..." : "");
}

static const struct vt_store_family *find_family(const struct vt_store *store, const char *name)
{
    for (uint32_t i = 0; i < store->n_families; i++)
        if (strcmp(store->families[i].name, name) == 0)
            return &store->families[i];
    return NULL;
}

struct place {
    char file[FILE_NAME_BYTES];
    const char *family;
    char first[KEY_TEXT_BYTES], last[KEY_TEXT_BYTES];
};

/* Family and keys of a table, as the version in memory has them. */
static void look_up_table(const struct vt_store *store, const struct vt__opening *opening,
                          struct place *place)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(opening->db);
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        const char *name = rocksdb_livefiles_name(files, i);
        if (strcmp(name + (name[0] == '/'), place->file) != 0)
            continue;
        const struct vt_store_family *family =
            find_family(store, rocksdb_livefiles_column_family_name(files, i));
        if (family == NULL)
            break;
        place->family = family->name;
        if (family->personal_keys)
            break;
        size_t len = 0;
        const char *key = rocksdb_livefiles_smallestkey(files, i, &len);
        key_text(key, len, place->first);
        key = rocksdb_livefiles_largestkey(files, i, &len);
        key_text(key, len, place->last);
        break;
    }
    rocksdb_livefiles_destroy(files);
}

static void report_damage(const struct vt_store *store, const struct vt__opening *opening,
                          const char *text, struct vt_diag *diag)
{
    struct place place = {.family = ""};
    find_file_name(text, place.file);
    if (opening != NULL && strstr(place.file, ".sst") != NULL)
        look_up_table(store, opening, &place);
    if (place.first[0] != '\0')
        vt_diag_set(diag, place.file, "family %s, keys %s to %s: %s", place.family, place.first,
                    place.last, text);
    else if (place.family[0] != '\0')
        vt_diag_set(diag, place.file, "family %s: %s", place.family, text);
    else
        vt_diag_set(diag, place.file[0] != '\0' ? place.file : "store", "%s", text);
    if (store->on_damage != NULL && opening != NULL) /* else the opening fails, and says so */
        store->on_damage(store->damage_ctx, &(struct vt_store_damage){.text = text,
                                                                      .file = place.file,
                                                                      .family = place.family,
                                                                      .first_key = place.first,
                                                                      .last_key = place.last});
}

struct vt_err vt__store_take_error(const struct vt_store *store, const struct vt__opening *opening,
                                   char *text, struct vt_diag *diag)
{
    if (text == NULL)
        return vt_ok();
    struct vt_err err = classify(text);
    if (err.code == VT_CORRUPT)
        report_damage(store, opening, text, diag);
    else
        vt_diag_set(diag, "store", "%s", text);
    rocksdb_free(text);
    return err;
}
