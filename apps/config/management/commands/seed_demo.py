from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.config.demo import seed


class Command(BaseCommand):
    help = "Make the demonstration project and three people in a running Marginalia; `demo` calls this."

    def handle(self, *args: Any, **options: Any) -> None:
        logins = seed.people()
        try:
            seed.fill(self.stdout.write)
        except seed.SeedingStopped as error:
            raise CommandError(str(error)) from error
        finally:
            self.tell(logins)

    def tell(self, logins: list[seed.Login]) -> None:
        """Last, where it is read; and also when filling was cut short, because nobody can see them again."""
        if not logins:
            self.stdout.write("The demonstration's people keep their passwords (manage.py changepassword E-MAIL).")
            return
        self.stdout.write("Three people to sign in as. These passwords are shown this once and stored only hashed:")
        for login in logins:
            self.stdout.write(f"  {login.role:<16} {login.email:<28} {login.password}")
