from __future__ import annotations

import uuid
from typing import Any, ClassVar

import django.contrib.postgres.fields as postgres_fields  # type: ignore[import-untyped]
from django.db import migrations, models  # type: ignore[import-untyped]
from django.db.models.functions import Lower  # type: ignore[import-untyped]


class Migration(migrations.Migration):  # type: ignore[misc]
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
                ("stock", models.PositiveIntegerField(default=0)),
                (
                    "labels",
                    postgres_fields.ArrayField(
                        base_field=models.CharField(max_length=20), default=list, size=None
                    ),
                ),
                ("details", models.JSONField(default=dict)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(Lower("name"), name="product_name_once"),
                    models.CheckConstraint(condition=models.Q(("price__gte", 0)), name="price_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.PositiveIntegerField()),
                ("image", models.BinaryField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=models.deletion.PROTECT, related_name="lines", to="shop.product"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Purchase",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("buyer", models.EmailField(db_index=True, max_length=254)),
                ("placed", models.DateTimeField(auto_now_add=True)),
                ("products", models.ManyToManyField(through="shop.Line", to="shop.product")),
            ],
        ),
        migrations.AddField(
            model_name="line",
            name="purchase",
            field=models.ForeignKey(
                on_delete=models.deletion.CASCADE, related_name="lines", to="shop.purchase"
            ),
        ),
    ]
