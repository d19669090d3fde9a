"""Smaller and faster models for serving."""
