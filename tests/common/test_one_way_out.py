"""A promise of the house: only apps/common/outbound.py speaks to addresses that people typed."""

import ast
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]
FILES = sorted((BASE / "apps").rglob("*.py"))
MODULES = {
    "http.client",
    "urllib.request",
    "urllib3",
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "telnetlib",
    "websockets",
}
CALLS = {"socket.socket", "socket.create_connection", "asyncio.open_connection", "smtplib.SMTP", "smtplib.SMTP_SSL"}
OWN = {
    "apps/common/outbound.py",
    "apps/config/tree.py",  # our own processes on this machine: is the server up, is the port free
    "apps/config/embedded.py",
    "apps/learning/services/recommending.py",  # whether the model hub, a fixed name, can be reached
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BASE)))
def test_nothing_else_opens_outbound_connections(path: Path) -> None:
    if str(path.relative_to(BASE)) in OWN:
        return
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported |= {str(node.module) for node in named}
    imported |= {f"{node.module}.{alias.name}" for node in named for alias in node.names}
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not imported & (MODULES | CALLS), "go through apps/common/outbound.py"
    assert not called & CALLS, "go through apps/common/outbound.py"
