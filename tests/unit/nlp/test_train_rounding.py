"""The student learns with the roundings of the shipped file: torch's pass and ONNX Runtime's must agree."""

import os
import subprocess
import sys
from pathlib import Path

from tests.torch_here import require_torch

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from nlp.train.encoder_net import Forward, fuse, pool, states
from nlp.train.export import write_encoder
from nlp.train.finish import to_hub_names
from nlp.train.student import round_like_export

rng = np.random.default_rng(1)
hidden, inner, pieces = 384, 512, 50


def some(*shape, scale=0.05):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


weights = {"words": some(pieces, hidden, scale=1.0), "positions": some(80, hidden, scale=0.1)}
weights |= {"norm.weight": 1 + some(hidden), "norm.bias": some(hidden)}
for layer in range(2):
    for part in ("query", "key", "value", "attention_out"):
        weights |= {f"{layer}.{part}.weight": some(hidden, hidden), f"{layer}.{part}.bias": some(hidden)}
    weights |= {f"{layer}.inner.weight": some(inner, hidden), f"{layer}.inner.bias": some(inner)}
    weights |= {f"{layer}.outer.weight": some(hidden, inner), f"{layer}.outer.bias": some(hidden)}
    for part in ("attention_norm", "outer_norm"):
        weights |= {f"{layer}.{part}.weight": 1 + some(hidden), f"{layer}.{part}.bias": some(hidden)}
for name, value in weights.items():  # weights that 8 bits hold exactly, so that only the products' inputs are rounded
    if value.ndim == 2 and name != "positions":
        step = np.abs(value).max(axis=1, keepdims=True) / 127
        weights[name] = np.round(value / step) * step
fused = fuse(weights)
path = Path(sys.argv[1])
write_encoder(to_hub_names(fused), path)
ids = rng.integers(4, pieces, (3, 12)).astype(np.int64)
mask = np.ones_like(ids)
mask[1, 7:] = 0
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
shipped = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
tensors = {name: torch.from_numpy(value) for name, value in fused.items()}
seen = {}
for name, watch in (("rounded", round_like_export), ("plain", None)):
    with torch.no_grad():
        out = states(tensors, torch.from_numpy(ids), torch.from_numpy(mask), Forward((0, 1), watch=watch))
        seen[name] = pool(out, torch.from_numpy(mask)).numpy()
distance = {name: float(np.abs(value - shipped).max()) for name, value in seen.items()}
print(distance["rounded"], distance["plain"])
"""


def test_torch_with_roundings_agrees_with_the_shipped_file(tmp_path: Path) -> None:
    environment = require_torch()
    environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "encoder.onnx")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rounded, plain = map(float, done.stdout.split())
    assert rounded < plain / 3
    assert rounded < 0.01  # of numbers about 1
