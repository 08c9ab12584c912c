"""The words for the labels and states that stand in the rows; msgids, translated where they are shown."""

from ascolto.web.i18n import N_
from inbox.store.types import ConversationState, ReplyState

SENTIMENT_WORDS = {"negative": N_("Negative"), "neutral": N_("Neutral"), "positive": N_("Positive")}
SENTIMENT_SHORT = {"negative": N_("neg"), "neutral": N_("neu"), "positive": N_("pos")}
SENTIMENT_ICONS = {"negative": "frown", "neutral": "meh", "positive": "smile"}
SENTIMENT_TONES = {"negative": "bad", "neutral": "plain", "positive": "good"}
INTENT_WORDS = {
    "complaint": N_("complaint"),
    "question": N_("question"),
    "praise": N_("praise"),
    "suggestion": N_("suggestion"),
    "purchase_interest": N_("purchase interest"),
    "churn_threat": N_("may leave"),
    "advocacy": N_("recommends us"),
    "crisis_signal": N_("crisis signal"),
    "spam": N_("spam"),
    "other": N_("other"),
}
EMOTION_WORDS = {
    "anger": N_("anger"),
    "disappointment": N_("disappointment"),
    "fear": N_("fear"),
    "joy": N_("joy"),
    "gratitude": N_("gratitude"),
    "surprise": N_("surprise"),
    "none": N_("no emotion"),
}
EMOTION_TONES = {"anger": "bad", "disappointment": "warn", "fear": "warn", "joy": "good", "gratitude": "good"}
URGENCY_WORDS = {
    "0": N_("no answer needed"),
    "1": N_("within the usual time"),
    "2": N_("needed today"),
    "3": N_("needed now"),
}
TOXICITY_WORDS = {"civil": N_("civil"), "toxic": N_("toxic")}
TASK_WORDS = {
    "sentiment": N_("Sentiment"),
    "intents": N_("Intent"),
    "emotion": N_("Emotion"),
    "urgency": N_("Urgency"),
    "toxicity": N_("Toxicity"),
    "language": N_("Language"),
}
TASK_QUESTIONS = {
    "sentiment": N_("What is the author’s attitude?"),
    "intents": N_("What does the author want? Up to three."),
    "emotion": N_("Which emotion is the strongest?"),
    "urgency": N_("When is an answer needed?"),
    "toxicity": N_("Does it insult or threaten people?"),
    "language": N_("Which language is it?"),
}
LABEL_WORDS = {
    "sentiment": SENTIMENT_WORDS,
    "intents": INTENT_WORDS,
    "emotion": EMOTION_WORDS,
    "urgency": URGENCY_WORDS,
    "toxicity": TOXICITY_WORDS,
}
STATE_WORDS = {
    ConversationState.OPEN: N_("still open"),
    ConversationState.PENDING: N_("waits for the author"),
    ConversationState.SNOOZED: N_("snoozed"),
    ConversationState.RESOLVED: N_("resolved"),
}
REPLY_WORDS = {
    ReplyState.DRAFT: N_("Draft"),
    ReplyState.SUBMITTED: N_("Waits for approval"),
    ReplyState.APPROVED: N_("Approved"),
    ReplyState.REJECTED: N_("Sent back"),
    ReplyState.SUPERSEDED: N_("Replaced by a newer one"),
    ReplyState.EXPIRED: N_("Expired"),
    ReplyState.QUEUED: N_("Leaves in a moment"),
    ReplyState.SENDING: N_("Being sent"),
    ReplyState.SENT: N_("Sent"),
    ReplyState.FAILED: N_("Not sent"),
    ReplyState.DRY_RUN: N_("Practice: it stopped before the network"),
    ReplyState.UNKNOWN: N_("Nobody knows yet whether it arrived"),
}
REASON_WORDS = {
    "sla": N_("First response due"),
    "intent": N_("What it is about"),
    "urgency": N_("Urgency"),
    "negative": N_("Negative tone"),
    "audience": N_("Public audience"),
    "vip": N_("VIP author"),
    "crisis": N_("Crisis"),
}
REASON_VALUES = {
    "missed": N_("late"),
    "soon": N_("soon"),
    "running": N_("running"),
    **INTENT_WORDS,
    **URGENCY_WORDS,
}
EVENT_WORDS = {
    "conversation.opened": N_("opened the conversation"),
    "conversation.assigned": N_("assigned it"),
    "conversation.unassigned": N_("took the assignment away"),
    "conversation.resolved": N_("resolved it"),
    "conversation.reopened": N_("opened it again"),
    "conversation.pending": N_("set it to wait for the author"),
    "conversation.snoozed": N_("snoozed it"),
    "conversation.labelled": N_("put a label on"),
    "conversation.unlabelled": N_("took a label off"),
    "conversation.noted": N_("wrote a note"),
    "conversation.marked_spam": N_("marked it as spam"),
    "reply.taken_over": N_("took over the reply"),
    "reply.found_absent": N_("looked: the reply is not there"),
    "reply.dry_run": N_("practice: the reply stopped before the network"),
    "conversation.merged": N_("merged conversations"),
    "reply.queued": N_("wrote a public reply"),
    "reply.sent": N_("the reply was sent"),
    "reply.undone": N_("took the reply back"),
    "reply.failed": N_("the reply was not sent"),
    "reply.unknown": N_("nobody knows whether the reply arrived"),
    "reply.retried": N_("tried the reply again"),
    "reply.resolved": N_("settled what became of the reply"),
    "reply.by_hand": N_("recorded an answer given by hand"),
    "post.corrected": N_("corrected a label"),
    "post.uncorrected": N_("took a correction back"),
}


def event_words(action: str) -> str:
    """Give the msgid for a step of the audit trail; an unknown one as it is written."""
    return EVENT_WORDS.get(action, action.replace(".", ": ").replace("_", " "))
