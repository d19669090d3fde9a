"""Watching content and answers over time: surges, silence, drift, topics, rising phrases. Arrays in, verdicts out."""
