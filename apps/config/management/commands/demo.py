"""`up` with a project to try: real questions, some labelled already, three people whose passwords are printed once."""

from apps.config import tree
from apps.config.management.commands import up
from apps.config.supervise import Tree, say


class Command(up.Command):
    help = "Start Marginalia and seed a demonstration project on the first start."

    def when_up(self, running: Tree, url: str) -> None:
        status = running.run_once(tree.seeding())
        if running.stopping:
            return
        if status:
            say("demo", "The demonstration could not be seeded; the lines above say why. Marginalia itself runs.")
        else:
            say("demo", f"Ready: open {url}")
