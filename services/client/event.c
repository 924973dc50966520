/* vitrine event: WriteEvents with one event. */
#include "services/client/client.h"
#include "services/client/identity.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "vitrine/v1/event.pb-c.h"

#include <stdio.h>

static int print_result(const struct vt_client *client, const void *message)
{
    const Vitrine__V1__WriteEventsResponse *answer = message;
    int status = answer->rejected == 0 ? 0 : 1;
    if (client->json) {
        int failed = vt__print_json(&answer->base);
        return failed != 0 ? failed : status;
    }
    const Vitrine__V1__EventResult *result = answer->n_results != 0 ? answer->results[0] : NULL;
    if (status != 0)
        fprintf(stderr, "vitrine event: rejected: %s: %s\n", result != NULL ? result->field : "",
                result != NULL ? result->reason : "");
    else if (answer->duplicates != 0)
        puts("duplicate: this event id was accepted before; nothing changed");
    else
        printf("accepted, on disk (sequence %llu)\n",
               result != NULL ? (unsigned long long)result->sequence : 0ULL);
    return status;
}

/* The texts of a vt_event that came from the command line end with NUL. */
static char *text(struct vt_slice slice)
{
    return (char *)(slice.len != 0 ? slice.data : "");
}

int vt_client_event(const struct vt_client *client, const struct vt_event *given)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = given->time_ms / 1000;
    time.nanos = (int32_t)(given->time_ms % 1000) * 1000000;
    Vitrine__V1__Event event = VITRINE__V1__EVENT__INIT;
    event.event_id = text(given->event_id);
    event.type = (Vitrine__V1__EventType)given->type;
    event.customer_id = text(given->customer_id);
    event.visitor_id = text(given->visitor_id);
    event.item_id = text(given->item_id);
    event.time = &time;
    event.channel = text(given->channel);
    event.quantity = given->quantity;
    event.revenue = given->revenue;
    event.cost = given->cost;
    event.currency_code = text(given->currency_code);
    event.value = given->value;
    event.query = text(given->query);
    event.attribution_token = text(given->attribution_token);
    event.bot = given->bot;
    struct vt__identity_message identity;
    event.identity = vt__identity_fill(&identity, &given->identity);
    Vitrine__V1__Event *events[] = {&event};
    Vitrine__V1__WriteEventsRequest request = VITRINE__V1__WRITE_EVENTS_REQUEST__INIT;
    request.events = events;
    request.n_events = 1;
    const char *key =
        vt__identity_key(given->customer_id.data, given->visitor_id.data, event.identity);
    return vt__session_ask(client, "/vitrine.v1.EventService/WriteEvents", key, &request.base,
                           &vitrine__v1__write_events_response__descriptor, print_result);
}
