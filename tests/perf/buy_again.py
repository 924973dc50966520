#!/usr/bin/env python3
"""What the source "buy again" is worth on Online Retail: trained on all but the last days, moved to
today, then asked for 10 items each for customers who came back within four weeks. Prints, for each
placement, how many of the ten were bought, and how many of those that were due.

    buy_again.py [--held-out-days 28] [--customers 120]     (VITRINE_BIN names the programs)

Choose a weight with --held-out-days 56, and judge it with 28: the weeks asked about do not overlap.
"""
import argparse
import csv
import datetime
import io
import json
import lzma
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, run, run_json, shared  # noqa: E402

DAY_S = 86400
WINDOW_S = 28 * DAY_S
WEIGHTS = (0.2, 0.5, 1, 2)


def read_purchases():
    """(seconds, customer, SKU) of everything bought and not cancelled, by time."""
    path = shared("online-retail") / "online_retail.csv.xz"
    purchases = []
    with lzma.open(path) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, errors="replace")):
            customer = row["CustomerID"].split(".")[0]
            if customer and not row["InvoiceNo"].startswith("C") and float(row["Quantity"]) > 0:
                when = datetime.datetime.fromisoformat(row["InvoiceDate"] + "+00:00")
                purchases.append((int(when.timestamp()), customer, row["StockCode"]))
    return sorted(purchases)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fill(folder, known, shift):
    items = write_lines(folder / "items.jsonl", (
        {"id": sku, "title": sku, "categories": ["shop"], "price": 1, "stock": -1}
        for sku in sorted({sku for _, _, sku in known})))
    events = write_lines(folder / "events.jsonl", (
        {"event_id": f"e{number}", "type": "purchase", "customer_id": customer, "item_id": sku,
         "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when + shift))}
        for number, (when, customer, sku) in enumerate(known)))
    run("import", "--data", folder / "data", items, events)
    trained = run_json("train", "--data", folder / "data", "--algorithm", "ials",
                       "--set", "factors=32", "--set", "iterations=5")
    return trained["metrics"]["rebuy_items"]


def write_placements(path):
    lines = ["placements:", "  hide: {}", "  show: {bought: show, viewed: show}"]
    lines += [f"  again-{weight}: {{sources: {{buy-again: {{weight: {weight}, budget: 100}}}}}}"
              for weight in WEIGHTS]
    path.write_text("\n".join(lines) + "\n")
    return path


def is_due(item):
    return any(score["source"].endswith("BUY_AGAIN") for score in item["sources"])


def measure(server, placement, wanted):
    hits = due = due_hits = 0
    for customer, bought in wanted.items():
        items = server.ask("recommend", "--customer", customer, "--placement", placement,
                           "-n", 10)["items"]
        hits += sum(item["id"] in bought for item in items)
        due += sum(map(is_due, items))
        due_hits += sum(item["id"] in bought for item in items if is_due(item))
    return {"placement": placement, "hits_of_10": round(hits / len(wanted), 3),
            "due_of_10": round(due / len(wanted), 2),
            "hit_rate_of_due": round(due_hits / due, 3) if due else None}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--held-out-days", type=int, default=28)
    options.add_argument("--customers", type=int, default=120)
    chosen = options.parse_args()
    purchases = read_purchases()
    split = purchases[-1][0] - chosen.held_out_days * DAY_S
    known = [row for row in purchases if row[0] < split]
    customers = {customer for _, customer, _ in known}
    later = {}
    for when, customer, sku in purchases:
        if split <= when < split + WINDOW_S and customer in customers:
            later.setdefault(customer, set()).add(sku)
    sample = random.Random(1).sample(sorted(later), min(chosen.customers, len(later)))
    folder = Folder()
    n_rhythms = fill(folder, known, int(time.time()) - split - 3600)
    print(json.dumps({"held_out_days": chosen.held_out_days, "customers": len(sample),
                      "items_with_a_rhythm": n_rhythms}))
    with Server(folder / "data", "--placements", write_placements(folder / "p.yaml")) as server:
        for placement in ["hide", "show", *(f"again-{weight}" for weight in WEIGHTS)]:
            print(json.dumps(measure(server, placement, {c: later[c] for c in sample})), flush=True)


main()
