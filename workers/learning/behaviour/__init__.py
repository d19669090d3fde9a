"""What people did with the answers: rates, what another policy would have earned, and the scores of surveys."""

from .offpolicy import LEAST_SIZE, Estimate, estimate
from .scores import Mean, NetScore, mean_of, net_score

__all__ = ["LEAST_SIZE", "Estimate", "Mean", "NetScore", "estimate", "mean_of", "net_score"]
