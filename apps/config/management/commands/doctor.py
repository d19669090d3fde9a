from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.config.doctor import findings


class Command(BaseCommand):
    help = "Say in words what is missing or wrong; the exit status is not zero when something is."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        faults = 0
        for finding in findings():
            faults += finding.wrong
            mark = self.style.ERROR("wrong") if finding.wrong else self.style.SUCCESS("   ok")
            self.stdout.write(f"{mark}  {finding.text}")
        if faults:
            raise CommandError(f"{faults} thing{'s' if faults > 1 else ''} to mend.")
        self.stdout.write("All is well.")
