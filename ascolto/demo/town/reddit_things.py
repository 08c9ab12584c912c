"""The shapes of the town's Reddit: listings, submissions, comments, trees with folded branches."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ascolto.demo.town.state import TownPost

if TYPE_CHECKING:
    from ascolto.demo.town.reddit import RedditTown


def listing(children: list[dict[str, Any]], *, after: str | None = None) -> dict[str, Any]:
    """Give a listing of things."""
    return {"kind": "Listing", "data": {"modhash": None, "children": children, "after": after, "before": None}}


class Things:
    """Turns the town's posts into Reddit's things."""

    def __init__(self, town: "RedditTown") -> None:
        self._town = town

    def thing(self, post: TownPost) -> dict[str, Any]:
        """Give a submission (t3) or a comment (t1)."""
        return self._comment(post) if post.parent_id else self._submission(post)

    def inbox_comment(self, post: TownPost, kind: str) -> dict[str, Any]:
        """Give a comment as the inbox shows it: no link_id, a context path instead of a permalink."""
        comment = self._comment(post)
        data = comment["data"]
        root = self._town.root_of(post)
        data |= {"context": f"{data['permalink']}?context=3", "type": kind, "was_comment": True, "new": True}
        data |= {"subject": kind.replace("_", " "), "link_title": root.title or root.text[:100], "dest": ""}
        del data["link_id"], data["permalink"]
        return comment

    def tree(self, root: TownPost, *, fold_after: int) -> list[dict[str, Any]]:
        """Give the comments of a submission, nested; answers to it beyond `fold_after` are folded."""
        top = self._town.answers_of(root)
        things = [self.nested(post) for post in top[:fold_after]]
        folded = top[fold_after:]
        if folded:
            below = sum(1 + len(list(self._town.descendants(post))) for post in folded)
            names = [post.id for post in folded]
            parent = self._town.external_id(root)
            data = {"count": below, "name": f"t1_{names[0]}", "id": names[0], "parent_id": parent, "depth": 0}
            things.append({"kind": "more", "data": {**data, "children": names}})
        return things

    def nested(self, post: TownPost) -> dict[str, Any]:
        """Give a comment with its answers in it."""
        comment = self._comment(post)
        answers = [self.nested(child) for child in self._town.answers_of(post)]
        comment["data"]["replies"] = listing(answers) if answers else ""
        return comment

    def _submission(self, post: TownPost) -> dict[str, Any]:
        community = post.place or "town"
        data = {
            **self._common(post),
            "title": post.title or post.text[:300],
            "selftext": "[deleted]" if post.is_deleted else (post.text if post.title else ""),
            "is_self": True,
            "num_comments": len(list(self._town.descendants(post))),
            "permalink": f"/r/{community}/comments/{post.id}/_/",
            "url": f"https://www.reddit.com/r/{community}/comments/{post.id}/_/",
            "subreddit_subscribers": int(self._town.options["subscribers"]),
            "locked": bool(post.extra.get("locked")),
        }
        return {"kind": "t3", "data": data | post.extra.get("json", {})}

    def _comment(self, post: TownPost) -> dict[str, Any]:
        root, parent = self._town.root_of(post), self._town.posts[post.parent_id or ""]
        text = "[deleted]" if post.is_deleted else post.text
        data = {
            **self._common(post),
            "body": text,
            "body_html": "",
            "link_id": self._town.external_id(root),
            "parent_id": self._town.external_id(parent),
            "permalink": f"/r/{root.place or 'town'}/comments/{root.id}/_/{post.id}/",
            "replies": "",
        }
        return {"kind": "t1", "data": data | post.extra.get("json", {})}

    def _common(self, post: TownPost) -> dict[str, Any]:
        account = self._town.account(post.author)
        author = {"author": "[deleted]"} if post.is_deleted else {}
        return {
            "id": post.id,
            "name": self._town.external_id(post),
            "author": account.handle,
            "author_fullname": None if post.is_deleted else f"t2_{account.id}",
            "subreddit": self._town.root_of(post).place or "town",
            "created_utc": _seconds(post.created_at),
            "created": _seconds(post.created_at),
            "edited": _seconds(post.edited_at) if post.edited_at else False,
            "score": post.likes,
            "ups": post.likes,
            **author,
        }


def _seconds(moment: datetime) -> float:
    return float(int(moment.timestamp()))
