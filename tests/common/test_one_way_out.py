"""A promise of the house: only apps/common/outbound.py speaks to addresses that people typed."""

import ast
from pathlib import Path

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


def test_nothing_else_opens_outbound_connections() -> None:
    for path in (path for path in FILES if str(path.relative_to(BASE)) not in OWN):
        assert not _opened(path), f"{path.relative_to(BASE)}: go through apps/common/outbound.py"


def _opened(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported |= {str(node.module) for node in named}
    imported |= {f"{node.module}.{alias.name}" for node in named for alias in node.names}
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return imported & (MODULES | CALLS) | called & CALLS
