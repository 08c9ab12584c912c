"""docs/connectors/quality.toml claims nothing the code does not do, and hides nothing it does."""

import re
import tomllib
from pathlib import Path

import pytest

from connectors.base import Connector
from connectors.registry import load_registry

ROOT = Path(__file__).parents[3]
CLAIMS: dict[str, dict[str, str]] = tomllib.loads((ROOT / "docs/connectors/quality.toml").read_text("utf-8"))
RULES = (
    "contract",
    "check",
    "page",
    "budget",
    "auth_refusal",
    "rate_limit_and_5xx",
    "log_once",
    "reply_read_back",
    "threads",
    "back_fill",
    "refresh",
    "diagnostics",
)
OURS = ("archive", "facebook", "mastodon", "reddit", "rss", "x")


def contract_file(network: str) -> str:
    path = ROOT / "tests" / "contract" / f"test_connector_{network}.py"
    return path.read_text("utf-8") if path.exists() else ""


def page(network: str) -> str:
    path = ROOT / "docs" / "connectors" / f"{network}.md"
    return path.read_text("utf-8") if path.exists() else ""


def has_own(network: str, method: str) -> bool:
    connector_class = load_registry().get(network)
    return getattr(connector_class, method) is not getattr(Connector, method)


def is_logged_once() -> bool:
    """Whether a test shows one log line down and one back; the poll does it for all networks alike."""
    words = re.compile(r"def test_one_log_line_down_and_one_back")
    return any(words.search(path.read_text("utf-8")) for path in (ROOT / "tests").rglob("test_poll*.py"))


def facts_of(network: str) -> dict[str, bool]:
    """What the code, a test or a page bears out."""
    tests = contract_file(network)
    suite = re.search(r"class Test\w+\(ConnectorContract\)", tests) is not None
    return {
        "contract": suite,
        "check": has_own(network, "check"),
        "page": bool(page(network)),
        "budget": re.search(r"(?im)^#+ .*\b(limits|cost|price|quota)", page(network)) is not None,
        "auth_refusal": suite and "has_sign_in = False" not in tests,
        "rate_limit_and_5xx": suite and "has_network = False" not in tests,
        "log_once": is_logged_once(),
        "reply_read_back": has_own(network, "reply") and has_own(network, "find_reply"),
        "threads": has_own(network, "thread"),
        "back_fill": suite,  # the suite's first sync and the next two cannot be skipped
        "refresh": has_own(network, "refresh"),
        "diagnostics": suite,
    }


def test_every_network_and_rule_is_claimed() -> None:
    assert set(CLAIMS) == set(OURS)
    for network, claims in CLAIMS.items():
        assert tuple(claims) == RULES, network


@pytest.mark.parametrize("network", OURS)
@pytest.mark.parametrize("rule", RULES)
def test_claim_is_true(network: str, rule: str) -> None:
    claim = CLAIMS[network][rule]
    assert claim in {"done", "todo"} or re.fullmatch(r"exempt: \S.{8,}", claim), "done, todo or exempt with a reason"
    assert (claim == "done") is facts_of(network)[rule], f"{network}.{rule} is {claim!r}, the code says otherwise"


@pytest.mark.parametrize("network", OURS)
def test_page_names_every_setting(network: str) -> None:
    fields = load_registry().get(network).config_class.model_fields
    missing = [name for name in fields if f"`{name}`" not in page(network)]
    assert not missing
