/*
 * The UCI Online Retail invoices: a CSV whose columns, zone and currency are known. Returns are
 * told by the quantity's sign and by invoice numbers that begin with C; both are handled where all
 * signs are, in build.c.
 */
#include "services/ingest/reader_csv.h"

#include <string.h>

static const char *const retail_maps[] = {
    "order_id=InvoiceNo", "item_id=StockCode",      "title=Description",
    "quantity=Quantity",  "time=InvoiceDate",       "price=UnitPrice",
    "country=Country",    "customer_id=CustomerID", NULL,
};

static bool retail_sniff(const char *path, struct vt_slice head)
{
    (void)path;
    return vt_slice_starts(vt_first_line(head), "InvoiceNo,StockCode,");
}

static struct vt_err retail_open(const struct vt_reader_options *options, struct vt_diag *diag,
                                 void **ret_reader)
{
    return vt__csv_open(options, retail_maps, diag, ret_reader);
}

const struct vt_format vt_format_online_retail = {
    .name = "online-retail",
    .timezone = "Europe/London",
    .currency = "GBP",
    .type = "purchase",
    .guests = true,
    .sniff = retail_sniff,
    .open = retail_open,
    .line = vt__csv_line,
    .end = vt__csv_end,
    .close = vt__csv_close,
};
