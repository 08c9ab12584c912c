"""Times the tagger in the package on one core: posts a second, load time, memory."""

import json
import subprocess
import sys
from pathlib import Path

_MEASURE = """
import json, time
import psutil
begin = time.perf_counter()
from nlp.entities import BrandTerms
from nlp.pipeline import load_tagger
tagger = load_tagger(terms=BrandTerms(brands={"Lumea": ["Lumea Telecom"]}, competitors=["Nubifon", "Telamar"]))
tagger.tag(["Pronti, via", "ready, steady, go"])
loaded = time.perf_counter() - begin
from nlp.corpus.check import load_corpus
texts = [f"{post.text} {turn}" for turn in range(10) for post in load_corpus()]
rates = []
for _ in range(3):
    begin, spent = time.perf_counter(), time.process_time()
    for at in range(0, len(texts), 256):
        tagger.tag(texts[at : at + 256])
    rates.append((len(texts) / (time.perf_counter() - begin), len(texts) / (time.process_time() - spent)))
print(json.dumps({
    "posts": len(texts),
    "posts_per_second": round(max(wall for wall, _ in rates)),
    "posts_per_cpu_second": round(max(cpu for _, cpu in rates)),
    "load_seconds": round(loaded, 3),
    "rss_mb": round(psutil.Process().memory_info().rss / 1e6),
}))
"""


def run() -> dict[str, float]:
    """Measure in a process of its own with one thread, so that nothing else loaded counts."""
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        timeout=300,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
