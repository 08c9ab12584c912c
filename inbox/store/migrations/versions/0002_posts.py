"""The first schema: posts."""

import sqlalchemy as sa
from alembic import op

from inbox.store.search_index import create_search_index, drop_search_index
from inbox.store.types import UtcDateTime

revision = "0002_posts"
down_revision = "0001_people_and_sources"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "conversation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("thread_key", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "pending", "snoozed", "resolved", name="conversationstate", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("snoozed_until", UtcDateTime(), nullable=True),
        sa.Column("is_spam", sa.Boolean(), nullable=False),
        sa.Column("is_muted", sa.Boolean(), nullable=False),
        sa.Column("is_crisis", sa.Boolean(), nullable=False),
        sa.Column("is_unread", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("priority_reasons", sa.JSON(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("team_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("preview", sa.Text(), nullable=False),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("sentiment", sa.Text(), nullable=True),
        sa.Column("sentiment_confidence", sa.Double(), nullable=True),
        sa.Column("sentiment_unsure", sa.Boolean(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("intent_confidence", sa.Double(), nullable=True),
        sa.Column("intents", sa.JSON(), nullable=False),
        sa.Column("emotion", sa.Text(), nullable=True),
        sa.Column("urgency", sa.Integer(), nullable=True),
        sa.Column("is_toxic", sa.Boolean(), nullable=False),
        sa.Column("post_count", sa.Integer(), nullable=False),
        sa.Column("reply_count", sa.Integer(), nullable=False),
        sa.Column("first_inbound_at", UtcDateTime(), nullable=True),
        sa.Column("last_inbound_at", UtcDateTime(), nullable=True),
        sa.Column("first_reply_at", UtcDateTime(), nullable=True),
        sa.Column("last_reply_at", UtcDateTime(), nullable=True),
        sa.Column("last_activity_at", UtcDateTime(), nullable=False),
        sa.Column(
            "sla_state",
            sa.Enum("none", "active", "hit", "missed", "paused", name="slastate", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("sla_started_at", UtcDateTime(), nullable=True),
        sa.Column("sla_due_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["user.id"], name=op.f("fk_conversation_assignee_id_user"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["author_id"], ["identity.id"], name=op.f("fk_conversation_author_id_identity")),
        sa.ForeignKeyConstraint(["brand_id"], ["brand.id"], name=op.f("fk_conversation_brand_id_brand")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["team.id"], name=op.f("fk_conversation_team_id_team"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint("brand_id", "network", "instance", "thread_key", name="uq_conversation_thread"),
    )
    op.create_index(
        "ix_conversation_brand_activity", "conversation", ["brand_id", "state", "last_activity_at", "id"], unique=False
    )
    op.create_index("ix_conversation_by_activity", "conversation", ["state", "last_activity_at", "id"], unique=False)
    op.create_index("ix_conversation_by_priority", "conversation", ["state", "priority", "id"], unique=False)
    op.create_index("ix_conversation_by_sla", "conversation", ["state", "sla_due_at", "id"], unique=False)
    op.create_index("ix_conversation_mine", "conversation", ["assignee_id", "state", "sla_due_at", "id"], unique=False)
    op.create_index("ix_conversation_snooze", "conversation", ["state", "snoozed_until"], unique=False)
    op.create_index(
        "ix_conversation_spam",
        "conversation",
        ["state", "brand_id"],
        unique=False,
        sqlite_where=sa.text("is_spam IS 1"),
        postgresql_where=sa.text("is_spam IS true"),
    )
    op.create_table(
        "post",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("new", "tagged", "routed", "ignored", name="poststate", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("parent_external_id", sa.Text(), nullable=True),
        sa.Column("thread_key", sa.Text(), nullable=False),
        sa.Column("repost_of", sa.Text(), nullable=True),
        sa.Column("mentions_us", sa.Boolean(), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("is_history", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("language_hint", sa.Text(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("likes", sa.Integer(), nullable=True),
        sa.Column("replies", sa.Integer(), nullable=True),
        sa.Column("reposts", sa.Integer(), nullable=True),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("media", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("fetched_at", UtcDateTime(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=True),
        sa.Column("hidden_at_source", UtcDateTime(), nullable=True),
        sa.Column("deleted_at_source", UtcDateTime(), nullable=True),
        sa.Column("tag_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["identity.id"], name=op.f("fk_post_author_id_identity")),
        sa.ForeignKeyConstraint(["brand_id"], ["brand.id"], name=op.f("fk_post_brand_id_brand")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_post_conversation_id_conversation"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_post_source_id_source"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
        sa.UniqueConstraint("brand_id", "network", "instance", "external_id", name="uq_post_identity"),
    )
    op.create_index("ix_post_author", "post", ["author_id", "created_at"], unique=False)
    op.create_index("ix_post_brand_created", "post", ["brand_id", "created_at", "id"], unique=False)
    op.create_index("ix_post_conversation", "post", ["conversation_id", "created_at", "id"], unique=False)
    op.create_index("ix_post_parent", "post", ["brand_id", "network", "instance", "parent_external_id"], unique=False)
    op.create_index("ix_post_state", "post", ["state", "id"], unique=False)
    op.create_index("ix_post_thread", "post", ["brand_id", "network", "instance", "thread_key"], unique=False)
    op.create_table(
        "correction",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("post_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("machine_value", sa.JSON(), nullable=False),
        sa.Column("tagger", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_correction_post_id_post"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_correction_user_id_user"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("brand_id", "post_id", "task", name=op.f("uq_correction_brand_id_post_id_task")),
    )
    op.create_table(
        "post_source",
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("post_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_source_post_id_post"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_post_source_source_id_source"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("brand_id", "post_id", "source_id", name=op.f("pk_post_source")),
    )
    op.create_index("ix_post_source_source", "post_source", ["source_id", "post_id"], unique=False)
    op.create_table(
        "post_tags",
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("post_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tagger", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("language_confidence", sa.Double(), nullable=False),
        sa.Column("sentiment_label", sa.Text(), nullable=False),
        sa.Column("sentiment_confidence", sa.Double(), nullable=False),
        sa.Column("sentiment_unsure", sa.Boolean(), nullable=False),
        sa.Column("sentiment", sa.JSON(), nullable=False),
        sa.Column("intent_labels", sa.JSON(), nullable=False),
        sa.Column("intents_unsure", sa.Boolean(), nullable=False),
        sa.Column("intents", sa.JSON(), nullable=False),
        sa.Column("emotion_label", sa.Text(), nullable=False),
        sa.Column("emotion_unsure", sa.Boolean(), nullable=False),
        sa.Column("emotion", sa.JSON(), nullable=False),
        sa.Column("toxicity", sa.Double(), nullable=False),
        sa.Column("toxicity_unsure", sa.Boolean(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("urgency_unsure", sa.Boolean(), nullable=False),
        sa.Column("urgency_probabilities", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("entities", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("tagged_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_tags_post_id_post"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("brand_id", "post_id", name=op.f("pk_post_tags")),
    )
    op.create_index("ix_post_tags_tagger", "post_tags", ["brand_id", "tagger", "post_id"], unique=False)
    create_search_index(op.get_bind())


def downgrade() -> None:
    """Drop."""
    drop_search_index(op.get_bind())
    op.drop_index("ix_post_tags_tagger", table_name="post_tags")
    op.drop_table("post_tags")
    op.drop_index("ix_post_source_source", table_name="post_source")
    op.drop_table("post_source")
    op.drop_table("correction")
    op.drop_index("ix_post_thread", table_name="post")
    op.drop_index("ix_post_state", table_name="post")
    op.drop_index("ix_post_parent", table_name="post")
    op.drop_index("ix_post_conversation", table_name="post")
    op.drop_index("ix_post_brand_created", table_name="post")
    op.drop_index("ix_post_author", table_name="post")
    op.drop_table("post")
    op.drop_index(
        "ix_conversation_spam",
        table_name="conversation",
        sqlite_where=sa.text("is_spam IS 1"),
        postgresql_where=sa.text("is_spam IS true"),
    )
    op.drop_index("ix_conversation_snooze", table_name="conversation")
    op.drop_index("ix_conversation_mine", table_name="conversation")
    op.drop_index("ix_conversation_by_sla", table_name="conversation")
    op.drop_index("ix_conversation_by_priority", table_name="conversation")
    op.drop_index("ix_conversation_by_activity", table_name="conversation")
    op.drop_index("ix_conversation_brand_activity", table_name="conversation")
    op.drop_table("conversation")
