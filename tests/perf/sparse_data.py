#!/usr/bin/env python3
"""Writes stand-in data for sparse, large storefronts: adjacency train and test files of users with
tastes. Items belong to clusters and are popular by a power law; a user likes a few clusters and has a
power-law number of items, of which a share is chance. Seeded: the same files each time.

    sparse_data.py --out DIR [--users 40000] [--items 40000] [--pairs 700000] [--seed 1]
"""
import argparse
import bisect
import itertools
import pathlib
import random

CLUSTERS_PER_USER = 3
CHANCE_SHARE = 0.15
ITEMS_MIN = 8
TEST_SHARE = 0.2


def weighted_picker(rng, members):
    """Draws from `members`, the n-th with weight 1 / (n + 3)^0.8."""
    sums = list(itertools.accumulate((place + 3) ** -0.8 for place in range(len(members))))
    return lambda: members[bisect.bisect_left(sums, rng.random() * sums[-1])]


def user_sizes(rng, users, pairs):
    draws = [rng.paretovariate(1.6) for _ in range(users)]
    scale = (pairs - ITEMS_MIN * users) / sum(draws)
    return [ITEMS_MIN + int(draw * scale) for draw in draws]


def make_rows(rng, users, items, pairs):
    order = list(range(items))
    rng.shuffle(order)
    n_clusters = max(4, items // 60)
    anywhere = weighted_picker(rng, order)
    clusters = [weighted_picker(rng, order[c::n_clusters]) for c in range(n_clusters)]
    for size in user_sizes(rng, users, pairs):
        tastes = [clusters[rng.randrange(n_clusters)]
                  for _ in range(CLUSTERS_PER_USER + size // 20)]
        row = {}
        for _ in range(min(size, items // 4) * 2):
            if len(row) == size:
                break
            pick = anywhere if rng.random() < CHANCE_SHARE else rng.choice(tastes)
            row.setdefault(pick())
        yield list(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--users", type=int, default=40000)
    parser.add_argument("--items", type=int, default=40000)
    parser.add_argument("--pairs", type=int, default=700000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "train.txt", "w") as train, open(options.out / "test.txt", "w") as test:
        for user, row in enumerate(make_rows(rng, options.users, options.items, options.pairs)):
            rng.shuffle(row)
            n_test = max(1, int(len(row) * TEST_SHARE))
            train.write(" ".join(map(str, [user] + row[n_test:])) + "\n")
            test.write(" ".join(map(str, [user] + row[:n_test])) + "\n")


if __name__ == "__main__":
    main()
