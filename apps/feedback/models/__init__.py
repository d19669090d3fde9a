from apps.feedback.models.cases import RegressionCase
from apps.feedback.models.intake import FeedbackPolicy, IntakeKey, Signal
from apps.feedback.models.rewards import RewardEntry, RewardRule
from apps.feedback.models.tickets import SavedQueue, Ticket, TicketMove

__all__ = [
    "FeedbackPolicy",
    "IntakeKey",
    "RegressionCase",
    "RewardEntry",
    "RewardRule",
    "SavedQueue",
    "Signal",
    "Ticket",
    "TicketMove",
]
