"""`lora-demo bench data`: opening a file as long as LLaVA's instruction mix, beside reading it whole with `json.load`.

Each reading comes from a fresh process, so that peaks are its own and no cache of Python's carries over; the two ways
take turns. Memory is what the process's peak grew by while the file was opened.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today

ITEMS = 665_000
"""About as many as llava_v1_5_mix665k has, and about as long (1.5 kB each)."""
TEXTS = 512
WORDS = 'the a red "small" dog car street holds near wooden table 图片 里面 {left} [right] two'
WAYS = ("index", "json.load")
LOOKUPS = 2000
RECORD = "bench-data"


def run(items: int = ITEMS, repeats: int = 3, seed: int = 0) -> Record:
    """Write a file of `items` items, open it both ways `repeats` times, delete it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "conversations.json"
        write_conversations(path, items, seed)
        size = path.stat().st_size
        readings = {way: [] for way in WAYS}
        for _ in range(repeats):
            for way in WAYS:
                readings[way].append(_in_fresh_process(way, path))
    configuration = {"items": items, "file_bytes": size, "repeats": repeats, "lookups": LOOKUPS}
    return Record(RECORD, configuration, readings, seed, "cpu", installed_versions(), today())


def summary(record: Record) -> dict[str, Any]:
    """Medians per way: seconds and processor seconds to open, peak bytes gained, also as a fraction of the file."""
    size = record.configuration["file_bytes"]
    result: dict[str, Any] = {"items": record.configuration["items"], "file_bytes": size}
    for way in WAYS:
        readings = record.samples[way]
        result[way] = {name: statistics.median(reading[name] for reading in readings) for name in readings[0]}
        result[way]["peak_of_file"] = result[way]["peak_bytes"] / size
    return result


def save(record: Record) -> Path:
    return record.save(records_dir())


def write_conversations(path: Path, items: int, seed: int) -> None:
    """A synthetic file in LLaVA's format: one to six rounds per item, quotes and non-English text included."""
    dice = random.Random(seed)
    words = WORDS.split()
    texts = [json.dumps(" ".join(dice.choices(words, k=dice.randint(5, 52)))) for _ in range(TEXTS)]
    with path.open("w", encoding="utf-8") as stream:
        for index in range(items):
            stream.write("[" if index == 0 else ", ")
            stream.write(f'{{"id": "{index:012d}", "image": "coco/train2017/{index:012d}.jpg", "conversations": [')
            stream.write(", ".join(_round(dice, texts) for _ in range(dice.randint(1, 6))))
            stream.write("]}")
        stream.write("]\n")


def _round(dice: random.Random, texts: list[str]) -> str:
    question, answer = dice.choice(texts), dice.choice(texts)
    return f'{{"from": "human", "value": {question}}}, {{"from": "gpt", "value": {answer}}}'


def _in_fresh_process(way: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "lora_demo.commands.bench_data", way, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _open_and_look_up(way: str, path: Path) -> dict[str, Any]:
    from lora_demo.data.json_index import index_items

    before = _peak_bytes()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    if way == "index":
        opened = index_items(path)
        item, count = opened.item, len(opened)
    else:
        with path.open(encoding="utf-8") as stream:
            whole = json.load(stream)
        item, count = whole.__getitem__, len(whole)
    opening = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - begin_cpu}
    opening["peak_bytes"] = _peak_bytes() - before
    begin = time.perf_counter()
    for index in random.Random(0).choices(range(count), k=LOOKUPS):
        item(index)
    return opening | {"lookup_seconds": (time.perf_counter() - begin) / LOOKUPS}


def _peak_bytes() -> int:
    """The largest resident size that this process has had (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    print(json.dumps(_open_and_look_up(sys.argv[1], Path(sys.argv[2]))))
