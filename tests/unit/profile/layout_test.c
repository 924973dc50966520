#include "services/profile/profile_internal.h"
#include "tests/unit/profile/fixture.h"

/* How a store says which version wrote it, and how an older one is brought up. */

static void put_layout(struct fixture *f, const struct vt__layout *layout)
{
    struct vt_store_batch *batch;
    struct vt__buffer row = {0};
    struct vt__key key = vt__key_layout();
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt__layout_encode(layout, &row);
    vt_store_batch_put(batch, VT__STATE, vt__key_slice(&key), vt__buffer_slice(&row));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
    vt__buffer_fini(&row);
}

static void remove_layout(struct fixture *f)
{
    struct vt_store_batch *batch;
    struct vt__key key = vt__key_layout();
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_delete(batch, VT__STATE, vt__key_slice(&key));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
}

static void a_new_store_has_an_id_that_it_keeps(void **state)
{
    struct fixture *f = *state;
    char first[VT_STORE_ID_HEX_BYTES], again[VT_STORE_ID_HEX_BYTES];
    vt_profile_store_id(f->profile, first);
    assert_int_equal(strlen(first), VT_STORE_ID_HEX_BYTES - 1);
    assert_string_not_equal(first, "00000000000000000000000000000000");
    fixture_open(f);
    vt_profile_store_id(f->profile, again);
    assert_string_equal(first, again);
}

static void a_store_of_the_first_layout_is_brought_up_and_keeps_its_rows(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ana", "SKU-1"));
    remove_layout(f);
    fixture_open(f);
    assert_int_equal(f->profile->layout.number, VT__LAYOUT);
    assert_int_equal(fixture_get(f, "ana").n_events, 1);
    char id[VT_STORE_ID_HEX_BYTES];
    vt_profile_store_id(f->profile, id);
    assert_string_not_equal(id, "00000000000000000000000000000000");
}

static void a_store_for_reading_is_not_brought_up(void **state)
{
    struct fixture *f = *state;
    remove_layout(f);
    f->options.read_only = true;
    fixture_open(f);
    assert_int_equal(f->profile->layout.number, 1);
}

static void a_later_layout_is_refused_by_number(void **state)
{
    struct fixture *f = *state;
    put_layout(f, &(struct vt__layout){.number = VT__LAYOUT + 1});
    vt_profile_close(f->profile);
    f->profile = NULL;
    assert_code(vt_profile_open(&f->options, &f->diag, &f->profile), VT_PRECONDITION);
    assert_non_null(strstr(f->diag.text, "has layout 4"));
    assert_non_null(strstr(f->diag.text, "restore a backup"));
}

static void a_damaged_row_of_layout_is_corruption(void **state)
{
    (void)state;
    struct vt__layout layout = {.number = VT__LAYOUT};
    struct vt__buffer row = {0};
    vt__layout_encode(&layout, &row);
    struct vt_slice whole = vt__buffer_slice(&row);
    assert_ok(vt__layout_decode(whole, &layout));
    for (size_t len = 0; len < whole.len; len++)
        assert_code(vt__layout_decode(vt_slice(whole.data, len), &layout), VT_CORRUPT);
    vt__put_u8(&row, 0);
    assert_code(vt__layout_decode(vt__buffer_slice(&row), &layout), VT_CORRUPT);
    vt__buffer_fini(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_store_has_an_id_that_it_keeps, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_store_of_the_first_layout_is_brought_up_and_keeps_its_rows, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(a_store_for_reading_is_not_brought_up, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_later_layout_is_refused_by_number, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(a_damaged_row_of_layout_is_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
