"""Decisions and writes, by topic: projects, labels, members, invitations."""
