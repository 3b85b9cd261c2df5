"""Pages: HTML files that need nothing but themselves."""

from typing import Any


def render_page(template: str, **values: Any) -> str:
    """Return a page of `templates/`; whatever the values hold is text to it, not HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rungwise.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
