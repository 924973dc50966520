/* vitrine export and erase: ExportCustomer, EraseCustomer. */
#include "services/client/client.h"
#include "services/client/identity.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "services/common/base/time_text.h"
#include "vitrine/v1/profile.pb-c.h"

#include <errno.h>
#include <string.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };

static struct vt_err print_line(void *ctx, const void *message)
{
    const Vitrine__V1__ExportCustomerResponse *response = message;
    FILE *out = ctx;
    fputs(response->json_line, out);
    if (putc('\n', out) == EOF || ferror(out) != 0)
        return VT_ERR_SYS(VT_EXHAUSTED, errno, "cannot write what was exported");
    return vt_ok();
}

int vt_client_export(const struct vt_client *client, const struct vt_client_person *person,
                     FILE *out)
{
    struct vt__identity_message room;
    Vitrine__V1__ExportCustomerRequest request = VITRINE__V1__EXPORT_CUSTOMER_REQUEST__INIT;
    struct vt_session session;
    if (person->customer != NULL)
        request.customer_id = (char *)(uintptr_t)person->customer; /* only read */
    request.identity = vt__identity_fill(&room, &person->identity);
    struct vt_err err = vt__session_open(client, &session);
    if (vt_failed(err))
        return vt__session_exit_status(err);
    err = vt__session_stream(&session, "/vitrine.v1.ProfileService/ExportCustomer", &request.base,
                             &vitrine__v1__export_customer_response__descriptor, print_line, out);
    vt__session_close(&session);
    return vt_failed(err) ? vt__session_exit_status(err) : 0;
}

static int print_text(const Vitrine__V1__EraseCustomerResponse *answer)
{
    char by[VT_TIME_TEXT_BYTES];
    const Google__Protobuf__Timestamp *time = answer->complete_by_time;
    vt_time_print(time != NULL ? time->seconds * MS_PER_S + time->nanos / NS_PER_MS : 0, by);
    bool asked_only = answer->receipt_id[0] == '\0';
    printf("customer %llu%s%s\n", (unsigned long long)answer->customer_number,
           answer->customers > 1 ? " and those merged into it" : "",
           asked_only     ? " would be erased"
           : answer->done ? " is erased, and nothing is left on the disk"
                          : " is forgotten");
    if (!answer->done && !asked_only)
        printf("what is left on the disk goes by %s\n", by);
    if (!asked_only)
        printf("receipt %s\n", answer->receipt_id);
    return 0;
}

static int print_answer(const struct vt_client *client, const void *message)
{
    const Vitrine__V1__EraseCustomerResponse *answer = message;
    return client->json ? vt__print_json(&answer->base) : print_text(answer);
}

int vt_client_erase(const struct vt_client *client, const struct vt_client_person *person, bool now,
                    bool validate_only)
{
    struct vt__identity_message room;
    Vitrine__V1__EraseCustomerRequest request = VITRINE__V1__ERASE_CUSTOMER_REQUEST__INIT;
    if (person->customer != NULL)
        request.customer_id = (char *)(uintptr_t)person->customer; /* only read */
    request.identity = vt__identity_fill(&room, &person->identity);
    request.now = now;
    request.validate_only = validate_only;
    return vt__session_ask(client, "/vitrine.v1.ProfileService/EraseCustomer",
                           vt__identity_key(person->customer, NULL, request.identity),
                           &request.base, &vitrine__v1__erase_customer_response__descriptor,
                           print_answer);
}

int vt_client_print_erased(bool json, const struct vt_client_erased *erased)
{
    const struct vt_client client = {.json = json};
    Google__Protobuf__Timestamp by = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Vitrine__V1__EraseCustomerResponse answer = VITRINE__V1__ERASE_CUSTOMER_RESPONSE__INIT;
    by.seconds = erased->complete_by_ms / MS_PER_S;
    by.nanos = (int32_t)(erased->complete_by_ms % MS_PER_S) * NS_PER_MS;
    answer.receipt_id = (char *)(uintptr_t)erased->receipt; /* only read */
    answer.done = erased->done;
    answer.complete_by_time = &by;
    answer.customer_number = erased->customer_number;
    answer.customers = erased->n_customers;
    return print_answer(&client, &answer);
}
