"""One process tree: web, workers, beat, and the servers they need where no address of others is given."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.config import env, tree
from apps.config.embedded import DidNotStart
from apps.config.home import AlreadyRunning
from apps.config.supervise import Tree

LOOPBACK = {"127.0.0.1", "::1", "[::1]", "localhost"}


class Command(BaseCommand):
    help = "Start Marginalia: web server, workers, beat and, unless given by URL, PostgreSQL and Valkey."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="0 takes any free one (8000)")
        parser.add_argument("--workers", type=int, default=2, help="web processes (2)")
        parser.add_argument("--no-worker", action="store_true", help="web only here; workers run elsewhere")
        parser.add_argument("--only", choices=tree.ROLES, help="one part alone, for set-ups over several machines")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["host"] not in LOOPBACK and set(settings.ALLOWED_HOSTS) <= LOOPBACK:
            self.stderr.write("Only this machine will be answered: set ALLOWED_HOSTS to the names that others use.")
        try:
            status = tree.run(chosen(options), self.when_up)
        except (AlreadyRunning, DidNotStart, tree.Refused) as error:
            raise CommandError(str(error)) from error
        if status:
            raise CommandError("Marginalia did not start; the lines above say why.")

    def when_up(self, running: Tree, url: str) -> None:
        """The tree answers at url."""


def chosen(options: dict[str, Any]) -> tree.Options:
    only: str | None = options["only"]
    roles: tuple[str, ...] = (only,) if only else tree.ROLES
    if settings.SERVE_URL_GIVEN and not only:
        roles = tuple(role for role in roles if role != "serve")  # it runs elsewhere
    if options["no_worker"]:
        roles = ("web",)
    outside_database, outside_broker = bool(env.secret("DATABASE_URL")), bool(env.secret("BROKER_URL"))
    if only and only != "serve" and not settings.SERVERS_KNOWN:
        raise tree.Refused("--only needs DATABASE_URL and BROKER_URL: a part alone must know what to join.")
    if only and not settings.SECRET_KEY_KNOWN:
        raise tree.Refused("--only needs SECRET_KEY: all parts must share one.")
    return tree.Options(
        base=settings.BASE_DIR,
        home=settings.HOME,
        host=options["host"],
        port=options["port"],
        workers=options["workers"],
        roles=roles,
        whole=only is None,
        embed_database=not outside_database and only is None,
        embed_broker=not outside_broker and only is None,
        make_key=not settings.SECRET_KEY_KNOWN,
        secret=settings.SECRET_KEY if settings.SECRET_KEY_KNOWN else "",
        device=settings.DEVICE,
    )
