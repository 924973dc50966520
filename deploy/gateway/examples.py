"""A first request for each call, as the OpenAPI document and the page to try calls show it. None of
them changes anything: what writes is only judged (validate_only)."""

PARAMETERS = {"customer_id": "C000001", "page_size": "10"}

BODIES = {
    "Recommend": {"customerId": "C000001", "placement": "home", "n": 5, "explain": True,
                  "returnDetails": True},
    "Rank": {"customerId": "C000001", "itemIds": ["mug-1", "mug-2"], "placement": "search"},
    "SimilarItems": {"itemIds": ["mug-1"], "n": 5, "returnDetails": True},
    "RecommendAll": {"request": {"placement": "email", "n": 3}, "minEvents": 1},
    "WhoWouldLike": {"itemIds": ["mug-1"], "n": 10},
    "Explain": {"attributionToken": "the token of an answer"},
    "WriteEvents": {"events": [{"eventId": "try-1", "type": "EVENT_TYPE_VIEW",
                                "visitorId": "visitor-7", "itemId": "mug-1",
                                "time": "2026-01-05T10:00:00Z", "channel": "web"}],
                    "validateOnly": True},
    "BatchGetProfiles": {"requests": [{"customerId": "C000001", "maxEvents": 10}]},
    "UpsertCustomers": {"customers": [{"id": "ann"}], "validateOnly": True},
    "LinkIdentities": {"identities": [{"type": "IDENTITY_TYPE_MEMBER", "id": "ann"},
                                      {"type": "IDENTITY_TYPE_VISITOR", "id": "visitor-7"}],
                       "validateOnly": True},
    "ExportCustomer": {"customerId": "ann"},
    "EraseCustomer": {"customerId": "ann", "validateOnly": True},
    "UpsertItems": {"items": [{"id": "mug-1", "title": "Blue mug",
                               "categories": ["Kitchen", "Mugs"], "price": 12.5,
                               "currencyCode": "EUR", "stock": "40"}], "validateOnly": True},
    "GetItems": {"ids": ["mug-1", "mug-2"]},
    "DeleteItems": {"ids": ["mug-1"], "validateOnly": True},
    "Activate": {"version": "the name of a version", "validateOnly": True},
    "Rollback": {"validateOnly": True},
}
