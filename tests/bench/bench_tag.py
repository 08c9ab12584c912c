"""Times the tiers of the tagger on one core: posts a second, load time, memory, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from nlp.pipeline import DEFAULT_MODEL, TIER_0

ROOT = Path(__file__).resolve().parents[2]
PACE = 1_500
_MEASURE = """
import json, sys, time
import psutil
begin, spent = time.perf_counter(), time.process_time()
from nlp.entities import BrandTerms
from nlp.pipeline import load_tagger
terms = BrandTerms(brands={"Lumea": ["Lumea Telecom"]}, competitors=["Nubifon", "Telamar"])
tagger = load_tagger(terms=terms, **json.loads(sys.argv[1]))
tagger.tag(["Pronti, via", "ready, steady, go"])
loaded, loaded_cpu = time.perf_counter() - begin, time.process_time() - spent
if tagger.health().degraded:
    sys.exit(tagger.health().degraded)
from nlp.corpus.check import load_corpus
posts = load_corpus()
texts = [posts[place * 7919 % len(posts)].text for place in range(int(sys.argv[2]))]
rates, stand_ins = [], 0
for _ in range(3):
    begin, spent, stand_ins = time.perf_counter(), time.process_time(), 0
    for at in range(0, len(texts), 256):
        stand_ins += len(tagger.tag(texts[at : at + 256]).stand_ins)
    rates.append((len(texts) / (time.perf_counter() - begin), len(texts) / (time.process_time() - spent)))
print(json.dumps({
    "posts per second": round(max(wall for wall, _ in rates)),
    "posts per CPU second": round(max(cpu for _, cpu in rates)),
    "seconds from nothing to the first answer": round(loaded, 2),
    "CPU seconds of it": round(loaded_cpu, 2),
    "resident MB": round(psutil.Process().memory_info().rss / 1e6),
    "share read by the encoder": round(1 - stand_ins / len(texts), 2),
}))
"""


def run() -> dict[str, float]:
    """Measure every tier with one thread, so that nothing else loaded counts."""
    found = {f"tier 0, {name}": value for name, value in _measure(40_000, model=TIER_0).items() if "share" not in name}
    if DEFAULT_MODEL == TIER_0:
        return found
    for title, count, options in (
        ("tier 1", 4_000, {}),
        ("cascade of a fifth", 8_000, {"share": 0.2}),
        (f"cascade at {PACE:,} a second", 16_000, {"throughput": float(PACE)}),
    ):
        found |= {f"{title}, {name}": value for name, value in _measure(count, **options).items()}
    return found


def _measure(count: int, **options: object) -> dict[str, float]:
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, json.dumps(options), str(count)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=600,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
