from random import random


def inside():
    x = random()
    y = random()
    return x * x + y * y < 1.0


def estimate_pi(points):
    hits = 0
    for _ in range(points):
        if inside():
            hits += 1
    return 4.0 * hits / points


def leibniz(terms):
    total = 0.0
    for k in range(terms):
        total += (-1.0) ** k / (2 * k + 1)
    return 4.0 * total


def main():
    print(f'{estimate_pi(1_000_000):.3f} {leibniz(1_000_000):.3f}')


main()
