"""The tables, one noun a file. Importing this package fills `Base.metadata`."""

from inbox.store.tables.adaptation import Adaptation
from inbox.store.tables.audit import AuditEvent
from inbox.store.tables.base import Base
from inbox.store.tables.brand import Brand
from inbox.store.tables.conversation import (
    Assignment,
    Conversation,
    ConversationLabel,
    Label,
    Note,
    SlaEvent,
)
from inbox.store.tables.people import Contact, Identity
from inbox.store.tables.post import Correction, Post, PostSource, PostTags, Tombstone
from inbox.store.tables.reply import Attempt, Reply, ReplyLease
from inbox.store.tables.reputation import Cell, DirtyBucket
from inbox.store.tables.source import PollRun, Quarantine, RateBucket, Source
from inbox.store.tables.tag_rule import TagRule
from inbox.store.tables.topic import PostTopic, Topic
from inbox.store.tables.user import SignIn, SignInFailure, SystemValue, Team, TeamMember, User

__all__ = [
    "Adaptation",
    "Assignment",
    "Attempt",
    "AuditEvent",
    "Base",
    "Brand",
    "Cell",
    "Contact",
    "Conversation",
    "ConversationLabel",
    "Correction",
    "DirtyBucket",
    "Identity",
    "Label",
    "Note",
    "PollRun",
    "Post",
    "PostSource",
    "PostTags",
    "PostTopic",
    "Quarantine",
    "RateBucket",
    "Reply",
    "ReplyLease",
    "SignIn",
    "SignInFailure",
    "SlaEvent",
    "Source",
    "SystemValue",
    "TagRule",
    "Team",
    "TeamMember",
    "Tombstone",
    "Topic",
    "User",
]
