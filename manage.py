#!/usr/bin/env python
import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apps.config.settings")
    from django.core.management import execute_from_command_line

    from apps.config.env import BadSetting

    try:
        execute_from_command_line(sys.argv)
    except BadSetting as refusal:
        print(f"Marginalia does not start: {refusal}", file=sys.stderr)
        return 78  # EX_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
