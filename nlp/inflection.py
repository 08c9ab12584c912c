"""How people write a word: its plurals, its genders, its slips. Folded words in, folded words out; no dictionary."""

import string

_MIN_INFLECTED = 4
_MIN_PLURAL_S = 3
_MIN_SLIP = 7  # letters from which a doubled, a single or a swapped letter is still the same word …
_MIN_WRONG_LETTER = 8  # … and from which any one letter may be missing or wrong
_VOWELS = "aeiou"

# Ending → endings of the plural, the longest first (Italian grammar: -ca, -ga, -co, -go keep their sound or not).
_PLURALS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cia", ("ce", "cie")),
    ("gia", ("ge", "gie")),
    ("ca", ("che",)),
    ("ga", ("ghe",)),
    ("co", ("chi", "ci")),
    ("go", ("ghi", "gi")),
    ("io", ("i", "ii")),
    ("a", ("e", "i")),
    ("o", ("i",)),
    ("e", ("i",)),
)
_SINGULARS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("che", ("ca",)),
    ("ghe", ("ga",)),
    ("chi", ("co", "ca")),
    ("ghi", ("go", "ga")),
    ("i", ("o", "e", "a", "io")),
    ("e", ("a",)),
)
_GENDERS = (("o", "a"), ("a", "o"))
_SIBILANTS = ("s", "x", "z", "ch", "sh")


def plurals(word: str, *, is_accented: bool = False) -> set[str]:
    """Give a name's plurals in Italian and English, the word itself among them; an accented last vowel has none."""
    found = {word}
    if not word.isalpha():
        return found
    if len(word) >= _MIN_INFLECTED and not is_accented:
        found |= _exchange(word, _PLURALS)
    if len(word) >= _MIN_PLURAL_S:
        found.add(word + ("es" if word.endswith(_SIBILANTS) else "s"))
        if word[-1] == "y" and word[-2] not in _VOWELS:
            found.add(word[:-1] + "ies")
    return found


def inflections(word: str, *, is_accented: bool = False) -> set[str]:
    """Give an ordinary word's numbers and genders in Italian and English: whichever form is given, all are found."""
    found = plurals(word, is_accented=is_accented)
    if len(word) < _MIN_INFLECTED or not word.isalpha() or is_accented:
        return found
    singles = {word, *_exchange(word, _SINGULARS)}
    for one in singles.union(*map(_turn_gender, singles)):
        found |= {one, *_exchange(one, _PLURALS)}
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    elif word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    return found


def _exchange(word: str, endings: tuple[tuple[str, tuple[str, ...]], ...]) -> set[str]:
    for ending, others in endings:
        if word.endswith(ending):
            return {word[: -len(ending)] + other for other in others}
    return set()


def _turn_gender(word: str) -> set[str]:
    return {word[:-1] + other for ending, other in _GENDERS if word.endswith(ending)}


def slips(word: str) -> set[str]:
    """Give what a hurried hand makes of a long word: never another first letter, never another ending.

    A changed last letter is grammar, not a slip ("borbotta" is no "Borbotto").
    """
    if len(word) < _MIN_SLIP or not word.isalpha() or not word.isascii():
        return set()
    found = {word[:at] + word[at] + word[at:] for at in range(1, len(word))}
    found |= {word[:at] + word[at + 1 :] for at in range(1, len(word)) if word[at] == word[at - 1]}
    found |= {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)}
    if len(word) >= _MIN_WRONG_LETTER:
        inner = range(1, len(word) - 1)
        found |= {word[:at] + word[at + 1 :] for at in inner}
        found |= {word[:at] + letter + word[at + 1 :] for at in inner for letter in string.ascii_lowercase}
    return found - {word}
