from typing import Any

from django.core.management.base import BaseCommand

from apps.config.demo.seed import seed


class Command(BaseCommand):
    help = "Make the demonstration project and three people in a running Marginalia; `demo` calls this."

    def handle(self, *args: Any, **options: Any) -> None:
        logins = seed(self.stdout.write)
        if not logins:
            self.stdout.write("The demonstration project is there already; its people keep their passwords.")
            return
        self.stdout.write("Three people to sign in as. These passwords are shown this once and stored only hashed:")
        for login in logins:
            self.stdout.write(f"  {login.role:<16} {login.email:<28} {login.password}")
