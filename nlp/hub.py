"""Tier 3: any sequence-classification model of `transformers`, by its name on the hub or from a folder.

    model = open_hub("cardiffnlp/twitter-xlm-roberta-base-sentiment")
    probabilities = model.classify(["Treno in ritardo. Di nuovo."])      # (n, labels of its own)

    open_hub("MoritzLaurer/mDeBERTa-v3-base-mnli-xnli").rank(texts, ["refund", "delivery", "staff"])

Needs torch, which is not installed with the rest. A name is fetched once into the hub's own cache; a folder is never
looked up on the network. No code that comes with a model is run.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_CHARS = 10_000
_MAX_TOKENS = 512
_TEMPLATES = {"it": "Questo testo parla di {}.", "en": "This text is about {}."}
_INSTALL = (
    "pip install torch (without a graphics card: pip install torch --index-url https://download.pytorch.org/whl/cpu)"
)


class HubError(RuntimeError):
    """A model cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Parts:
    torch: Any
    tokenizer: Any
    network: Any
    device: str


class HubModel:
    """A classifier of `transformers`; loaded at first use. `classify` and `rank` may be called from several threads."""

    def __init__(self, name: str, *, device: str = "auto", batch: int = 16) -> None:
        self.name = name
        self._device = device
        self._batch = batch
        self._lock = threading.Lock()
        self._parts: _Parts | None = None

    def load(self) -> "HubModel":
        """Load now; raises HubError."""
        self._loaded()
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Its own labels, in the order of its outputs. Raises HubError."""
        return _labels(self._loaded().network.config)

    @property
    def device(self) -> str:
        """Where it runs: "cpu", "cuda", "mps". Raises HubError."""
        return self._loaded().device

    def classify(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, labels of its own) float32: rows sum to 1, or independent values for a multi-label model."""
        parts = self._loaded()
        logits = self._logits([(text, None) for text in texts])
        if parts.network.config.problem_type == "multi_label_classification" or logits.shape[1] == 1:
            return _logistic(logits)
        return _softmax(logits)

    def rank(
        self, texts: Sequence[str], labels: Sequence[str], *, several: bool = False, template: str = _TEMPLATES["en"]
    ) -> NDArray[np.float32]:
        """(n, len(labels)) float32 for labels of your own, by a model that judges whether one sentence follows another.

        Rows sum to 1; with `several`, each label stands by itself. `template` holds {} where the label goes. Raises
        HubError for a model that was not trained for it.
        """
        if not labels or "{}" not in template:
            raise ValueError("rank needs at least one label, and a template with {} in it")
        config = self._loaded().network.config
        follows, against = _entailment(config, self.name)
        logits = self._logits([(text, template.format(label)) for text in texts for label in labels])
        if several:
            pairs = logits[:, [against, follows]]
            return _softmax(pairs)[:, 1].reshape(len(texts), len(labels))
        return _softmax(logits[:, follows].reshape(len(texts), len(labels)))

    def _logits(self, pairs: Sequence[tuple[str, str | None]]) -> NDArray[np.float32]:
        """(n, outputs) float32; texts of like length run together."""
        parts = self._loaded()
        outputs = len(_labels(parts.network.config))
        found = np.zeros((len(pairs), outputs), dtype=np.float32)
        for rows in _batches(pairs, self._batch):
            first = [pairs[row][0][:MAX_CHARS] or " " for row in rows]
            second = [pairs[row][1] for row in rows]
            encoded = parts.tokenizer(
                first,
                second if second[0] is not None else None,
                padding=True,
                truncation=True if second[0] is None else "only_first",
                max_length=_length(parts.tokenizer, parts.network.config),
                return_tensors="pt",
            ).to(parts.device)
            with parts.torch.inference_mode():
                found[rows] = parts.network(**encoded).logits.float().cpu().numpy()
        return found

    def _loaded(self) -> _Parts:
        if self._parts is None:
            with self._lock:
                if self._parts is None:
                    self._parts = _load(self.name, self._device)
        return self._parts


def open_hub(name: str, *, device: str = "auto", batch: int = 16) -> HubModel:
    """Load a model now, by its name on the hub or a folder. `device`: "auto", "cpu", "cuda", "mps". Raises HubError."""
    return HubModel(name, device=device, batch=batch).load()


def _load(name: str, device: str) -> _Parts:
    torch = _import_torch()
    chosen = _choose_device(torch, device)
    import transformers

    folder = Path(name)
    is_local = folder.is_dir()
    if not is_local and (folder.is_absolute() or name.startswith(".") or name.count("/") > 1):
        raise HubError(f"{name}: there is no such folder")
    config = _fetch(name, "its description", lambda: transformers.AutoConfig.from_pretrained(name))
    _check_task(name, config)
    tokenizer = _fetch(name, "its tokeniser", lambda: transformers.AutoTokenizer.from_pretrained(name))
    network = _fetch(
        name,
        "its weights",
        lambda: transformers.AutoModelForSequenceClassification.from_pretrained(name, config=config),
    )
    return _Parts(torch, tokenizer, network.to(chosen).eval(), chosen)


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise HubError(f"models of the hub need torch: {_INSTALL}") from error
    return torch


def _choose_device(torch: Any, wanted: str) -> str:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    kind = wanted.split(":", 1)[0]
    if not there.get(kind):
        here = ", ".join(name for name, is_there in there.items() if is_there)
        raise HubError(f'there is no device "{wanted}" here; there is {here}')
    return wanted


def _fetch(name: str, what: str, load: Callable[[], Any]) -> Any:
    """Load a part, with the library's many errors told in one way."""
    try:
        return load()
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    except Exception as failure:  # noqa: BLE001 - the hub's client and the weights' readers raise classes of their own
        first = f"{type(failure).__name__}: {failure}"
    if Path(name).is_dir():
        raise HubError(f"{name}: {what} cannot be read from this folder: {first}")
    raise HubError(
        f"{name}: {what} cannot be fetched: no network, no such model on the hub, or one that needs a sign-in. Where "
        f"there is no network, copy the model's folder here and give its path. ({first})"
    )


def _check_task(name: str, config: Any) -> None:
    """Refuse a model that would be given a head of random numbers."""
    kinds = [str(kind) for kind in config.architectures or ()]
    if kinds and not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise HubError(
            f"{name} is made for another task ({', '.join(kinds)}); one for sequence classification is needed"
        )
    if not kinds:
        raise HubError(f"{name} does not tell what task it is made for; one for sequence classification is needed")


def _labels(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label[number]) for number in sorted(config.id2label))


def _entailment(config: Any, name: str) -> tuple[int, int]:
    """Where a model says that the second sentence follows from the first, and where that it does not."""
    places = {label.lower(): place for place, label in enumerate(_labels(config))}
    follows = next((place for label, place in places.items() if label.startswith("entail")), None)
    against = next((place for label, place in places.items() if label.startswith(("contra", "not_entail"))), None)
    if follows is None or against is None:
        raise HubError(
            f"{name} cannot rank labels of your own: it has the labels {', '.join(places)}, and a model that judges "
            "whether one sentence follows from another (entailment, contradiction) is needed"
        )
    return follows, against


def _length(tokenizer: Any, config: Any) -> int:
    """Tokens that fit: some tokenisers know no end, and some models count places from two."""
    places = int(getattr(config, "max_position_embeddings", 0) or _MAX_TOKENS)
    if getattr(config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"}:
        places -= 2
    return max(8, min(int(tokenizer.model_max_length), places, _MAX_TOKENS))


def _batches(pairs: Sequence[tuple[str, str | None]], size: int) -> Iterator[list[int]]:
    order = sorted(range(len(pairs)), key=lambda row: len(pairs[row][0]))
    for at in range(0, len(order), size):
        yield order[at : at + size]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _logistic(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    likely: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -30, 30)))).astype(np.float32)
    return likely
