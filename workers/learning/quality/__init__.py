"""The quality of labels: agreement, consensus, label errors."""
