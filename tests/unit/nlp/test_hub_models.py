"""Models of the hub: what is told without torch, and tests/hub_checks.py in a process that has it."""

import subprocess
import sys
from pathlib import Path

import pytest

from nlp.hub import HubError, HubModel
from nlp.hub_tagger import HubTagger, HubTask
from nlp.pipeline import load_tagger
from tests.torch_here import require_torch

ROOT = Path(__file__).resolve().parents[3]


def test_without_torch_the_cure_is_told_and_the_package_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(HubError, match="pip install torch"):
        HubModel("cardiffnlp/twitter-xlm-roberta-base-sentiment").load()
    tagger = HubTagger(load_tagger(), [HubTask(HubModel("cardiffnlp/twitter-xlm-roberta-base-sentiment"))])
    tags = tagger.tag(["Grazie, ottimo servizio"])
    assert tags.tagger == load_tagger().name
    assert "pip install torch" in str(tagger.health().degraded)


@pytest.mark.timeout(600)
def test_models_of_the_hub_on_small_real_checkpoints() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/hub_checks.py"]
    done = subprocess.run(command, cwd=ROOT, env=require_torch(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout or "the card" in done.stdout
