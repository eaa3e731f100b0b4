from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations  # type: ignore[import-untyped]


def add_first_product(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Product").objects.create(name="From the migration", price="9.99")


class Migration(migrations.Migration):  # type: ignore[misc]
    """Data: outside a transaction, unlike the first migration."""

    atomic = False
    dependencies: ClassVar[list[tuple[str, str]]] = [("shop", "0001_initial")]
    operations: ClassVar[list[Any]] = [
        migrations.RunPython(add_first_product, migrations.RunPython.noop),
    ]
