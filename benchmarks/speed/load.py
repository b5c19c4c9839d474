"""Requests a second of the local server with DynamoDB Local behind it: one process, which serves one request at a time."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.speed.story import observation
from benchmarks.speed.table import Row
from tests.serving import serving


def rows(seconds: float = 10, clients: int = 4) -> list[Row]:
    """Single observations from several clients, each with an instance of its own."""
    what = f"local server on DynamoDB Local, {clients} clients: process"
    if shutil.which("java") is None:
        print(f"{what:<72} SKIPPED: needs Java")
        return []
    with serving("local") as (url, keys):
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(clients) as pool:
            times = [t for part in pool.map(lambda _: _client(url, keys["enterprise"], end), range(clients)) for t in part]
    times.sort()
    return [
        Row(what, len(times) / seconds, None, "req/s"),
        Row("  half of them within", times[len(times) // 2] * 1000, None, "ms"),
        Row("  99 of 100 within", times[len(times) * 99 // 100] * 1000, None, "ms"),
    ]


def _client(url: str, key: str, end: float) -> list[float]:
    times = []
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:
        instance = client.post(f"{url}/instances", json={"name": "load"}).raise_for_status().json()["data"]["id"]
        while (start := time.monotonic()) < end:
            client.post(f"{url}/instances/{instance}/process", json=observation(len(times))).raise_for_status()
            times.append(time.monotonic() - start)
    return times
