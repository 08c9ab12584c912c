"""Listening queries in the syntax of X and of Reddit."""

import pytest

from connectors.errors import BadQueryError
from connectors.query import ListeningQuery
from connectors.reddit_query import build_query as build_for_reddit
from connectors.x_query import build_query as build_for_x


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"any_of": ["caffè"]}, "caffè -is:retweet"),
        ({"any_of": ["uno", "due"], "required": ["tre"]}, "tre (uno OR due) -is:retweet"),
        ({"phrases": ["macchina da caffè"]}, '"macchina da caffè" -is:retweet'),
        ({"any_of": ["OR", "from:anna"]}, '("OR" OR "from:anna") -is:retweet'),
        ({"any_of": ['a"b -c']}, '"a b -c" -is:retweet'),
        (
            {"any_of": ["#scopa"], "excluded": ["usata", "di seconda mano"]},
            '#scopa -usata -"di seconda mano" -is:retweet',
        ),
        ({"any_of": ["x"], "own_handles": ["@brand", "brand@mastodon.social"]}, "x -from:brand -is:retweet"),
        ({"any_of": ["x"], "language": "it"}, "x -is:retweet lang:it"),
    ],
)
def test_a_query_for_x(query: dict[str, object], wanted: str) -> None:
    assert build_for_x(ListeningQuery.model_validate(query)) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"required": ["uno", "due"]}, "uno AND due"),
        ({"any_of": ["uno"], "phrases": ["due tre"], "required": ["zero"]}, 'zero AND (uno OR "due tre")'),
        ({"any_of": ["not"], "excluded": ["usata"]}, '("not") NOT usata'),
        ({"any_of": ["x"], "own_handles": ["u/brand", "@brand"]}, "(x) NOT author:brand NOT author:brand"),
    ],
)
def test_a_query_for_reddit(query: dict[str, object], wanted: str) -> None:
    assert build_for_reddit(ListeningQuery.model_validate(query)) == wanted


@pytest.mark.parametrize("build", [build_for_x, build_for_reddit])
def test_a_query_that_is_too_long_says_so(build: object) -> None:
    query = ListeningQuery(any_of=tuple(f"parola{number}" for number in range(90)))
    with pytest.raises(BadQueryError, match="512"):
        build(query)  # type: ignore[operator]  # one of two functions


@pytest.mark.parametrize("build", [build_for_x, build_for_reddit])
def test_a_term_without_letters_says_so(build: object) -> None:
    with pytest.raises(BadQueryError, match="letter or a digit"):
        build(ListeningQuery(any_of=("!!!",)))  # type: ignore[operator]  # as above
