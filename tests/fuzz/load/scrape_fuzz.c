/* A metrics page of any bytes, twice, so that the second one looks series up. */
#include "loadtest/scrape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scrape *scrape = scrape_new();
    if (scrape == NULL)
        return 0;
    scrape_read_page(scrape, vt_slice(data, size), 0);
    size_t n = scrape->n_series;
    scrape_read_page(scrape, vt_slice(data, size), 1);
    if (scrape->n_series != n || n > SCRAPE_SERIES_MAX)
        abort();
    scrape_free(scrape);
    return 0;
}
