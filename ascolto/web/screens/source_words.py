"""Words about sources: what a state means, what to do about it, and what a network asks for."""

from dataclasses import dataclass

from ascolto.web.i18n import N_
from inbox.store.tables import Source
from inbox.store.types import SourceState


@dataclass(frozen=True, slots=True)
class StateWords:
    """How a state is shown: never by colour alone."""

    label: str
    tone: str
    icon: str


STATES = {
    SourceState.OK: StateWords(N_("Listening"), "good", "circle-check"),
    SourceState.LAGGING: StateWords(N_("Behind"), "warn", "clock-alert"),
    SourceState.RATE_LIMITED: StateWords(N_("Waiting"), "warn", "hourglass"),
    SourceState.AUTH_NEEDED: StateWords(N_("Needs credentials"), "bad", "key"),
    SourceState.GONE: StateWords(N_("Gone"), "bad", "ban"),
    SourceState.PAUSED: StateWords(N_("Paused"), "plain", "pause"),
    SourceState.OVER_BUDGET: StateWords(N_("Budget used up"), "warn", "ban"),
}


@dataclass(frozen=True, slots=True)
class Cure:
    """What to do about a state: words, and a link when a page helps."""

    words: str
    link: str = ""
    link_words: str = ""


def cure_of(source: Source) -> Cure | None:
    """Give what helps a source that is not well; None when it is."""
    edit = f"/sources/{source.id}/edit"
    match source.state:
        case SourceState.OK | SourceState.PAUSED:
            return None
        case SourceState.LAGGING:
            return Cure(N_("The network is slow or out of reach. We try again by ourselves, less and less often."))
        case SourceState.RATE_LIMITED:
            return Cure(N_("The network asked us to wait. It goes on by itself."))
        case SourceState.AUTH_NEEDED:
            return Cure(
                N_("The network refuses our credentials. Nothing is read until new ones are entered."),
                edit,
                N_("Enter new ones"),
            )
        case SourceState.GONE:
            return Cure(
                N_("The account, page or feed is no longer there, or has another name now."),
                edit,
                N_("Check the address"),
            )
        case SourceState.OVER_BUDGET:
            return Cure(
                N_("This month's budget is used up. It goes on with the next month, or with a higher budget."),
                edit,
                N_("Change the budget"),
            )


# What to have at hand before filling in a network's form.
GUIDES = {
    "x": N_(
        "One of three ways in: an OAuth 2 user token (with its refresh token), the four OAuth 1 keys, or a bearer "
        "token that can only read. X charges for every post read."
    ),
    "facebook": N_("The page's number and the page's own access token, from a Meta app that manages the page."),
    "reddit": N_(
        "The client id of a Reddit app. To answer, also the account's refresh token, or its name and password for "
        "a script app. To listen only, name communities."
    ),
    "mastodon": N_("The address of a server, and an access token with read and write rights to answer."),
    "rss": N_("The address of a feed. No key is needed; feeds can be heard, not answered."),
}
