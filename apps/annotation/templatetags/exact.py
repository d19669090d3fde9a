from django import template
from django.utils.html import format_html, format_html_join

register = template.Library()


@register.filter
def exact(text: str) -> str:
    """Carriage returns as references: an HTML parser makes line feeds of bare ones, and offsets count both."""
    if "\r" not in text:
        return text
    return format_html_join(format_html("&#13;{}", ""), "{}", ((part,) for part in text.split("\r")))
