"""`make bench-state`: how large a state is after 100, 10,000 and 1,000,000 cycles."""

from random import Random

from identity_engine import Observation, birth, encode, process


def main() -> None:
    """Print the table. Shortest float forms differ by some digits, and the counters have more of them; nothing else grows."""
    random, state = Random(1), birth()
    print(f"{'cycles':>10}{'bytes':>8}")
    for cycle in range(1, 1_000_001):
        state, _ = process(state, Observation(random.randrange(7), random.random(), random.random()))
        if cycle in (100, 10_000, 1_000_000):
            print(f"{cycle:>10,}{len(encode(state)):>8,}", flush=True)


if __name__ == "__main__":
    main()
