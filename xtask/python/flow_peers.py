"""Measures dataflow libraries from PyPI on the graphs of `cargo xtask bench flow`.

Prints a JSON object per measurement. Each library does what it does by default: one of them always
records lineage, the other never does.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

LANES, LAYERS, CHAIN, ITEMS = 10, 100, 1_000, 1_000
ROUNDS = 3


def tell(peer, figure, seconds, nodes):
    print(json.dumps({"peer": peer, "figure": figure, "value": nodes / seconds, "unit": "1/s"}))


def dag(add):
    """Ten lanes of a hundred layers; a node reads its own lane's and the next one's last."""
    last = [add(f"n0_{lane}", []) for lane in range(LANES)]
    for layer in range(1, LAYERS):
        last = [
            add(f"n{layer}_{lane}", [last[lane], last[(lane + 1) % LANES]]) for lane in range(LANES)
        ]


def chain(add):
    last = add("n0", [])
    for n in range(1, CHAIN):
        last = add(f"n{n}", [last])


GRAPHS = {"dag": (dag, LANES * LAYERS), "chain": (chain, CHAIN)}


def pirn(history, suffix):
    from pirn.core.knot_config import KnotConfig
    from pirn.core.knot_factory import knot
    from pirn.core.run_request import RunRequest
    from pirn.nodes.map_markers import Map
    from pirn.tapestry import Tapestry

    @knot
    async def zero() -> int:
        return 0

    @knot
    async def one(a: int) -> int:
        return a

    @knot
    async def two(a: int, b: int) -> int:
        return a + 1

    @knot
    async def items() -> list:
        return list(range(ITEMS))

    def add(name, parents):
        config = KnotConfig(id=name)
        match parents:
            case []:
                return zero(_config=config)
            case [a]:
                return one(a=a, _config=config)
            case [a, b]:
                return two(a=a, b=b, _config=config)

    def measure(figure, define, nodes):
        for _ in range(ROUNDS):
            with Tapestry(history=history()) as tapestry:
                began = time.perf_counter()
                define()
                built = time.perf_counter()
            if suffix == "lineage" and figure != "map":
                tell("pirn", f"{figure}_build", built - began, nodes)
            began = time.perf_counter()
            result = asyncio.run(tapestry.run(RunRequest()))
            seconds = time.perf_counter() - began
            assert result.succeeded, result.exceptions[:1]
            tell("pirn", f"{figure}_{suffix}", seconds, nodes)

    for figure, (graph, nodes) in GRAPHS.items():
        measure(figure, lambda: graph(add), nodes)

    def mapped():
        source = items(_config=KnotConfig(id="items"))
        one(a=Map(source), _config=KnotConfig(id="each"))

    measure("map", mapped, ITEMS)


def pirn_durable():
    from pirn.backends.sqlite import SQLiteHistory

    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1_000))
        pirn(lambda: SQLiteHistory(path=str(Path(folder) / f"{next(numbers)}.db")), "journal")


def justpipe():
    from justpipe import EventType, Pipe

    def measure(figure, make, nodes):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            pipe = make()
            built = time.perf_counter()
            if figure != "map":
                tell("justpipe", f"{figure}_build", built - began, nodes)

            async def run():
                ended = 0
                async for event in pipe.run(None):
                    ended += event.type == EventType.STEP_END
                return ended

            began = time.perf_counter()
            ended = asyncio.run(run())
            seconds = time.perf_counter() - began
            assert ended >= nodes, f"{ended} of {nodes} steps ended"
            tell("justpipe", f"{figure}_plain", seconds, nodes)

    async def nothing():
        return None

    def made(graph):
        def make():
            children, names = {}, []

            def add(name, parents):
                names.append(name)
                children[name] = []
                for parent in parents:
                    children[parent].append(name)
                return name

            graph(add)
            pipe = Pipe(allow_multi_root=True, queue_size=10_000)
            for name in names:
                pipe.step(name, to=children[name] or None)(nothing)
            return pipe

        return make

    for figure, (graph, nodes) in GRAPHS.items():
        measure(figure, made(graph), nodes)

    def mapped():
        pipe = Pipe(queue_size=10_000)

        @pipe.map("each", each="worker")
        async def each():
            return list(range(ITEMS))

        @pipe.step("worker")
        async def worker(item: int):
            return None

        return pipe

    measure("map", mapped, ITEMS)


SUBJECTS = {
    "pirn": lambda: pirn(lambda: None, "lineage"),
    "pirn_durable": pirn_durable,
    "justpipe": justpipe,
}

if __name__ == "__main__":
    # One of them follows a chain by recursion.
    sys.setrecursionlimit(100_000)
    threading.stack_size(512 << 20)
    for name in sys.argv[1:] or SUBJECTS:
        thread = threading.Thread(target=SUBJECTS[name])
        thread.start()
        thread.join()
