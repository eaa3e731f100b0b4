from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField  # type: ignore[import-untyped]
from django.db import models  # type: ignore[import-untyped]
from django.db.models.functions import Lower  # type: ignore[import-untyped]


class Product(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    labels = ArrayField(models.CharField(max_length=20), default=list)
    details = models.JSONField(default=dict)

    class Meta:
        app_label = "shop"
        constraints = (
            models.UniqueConstraint(Lower("name"), name="product_name_once"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
        )


class Purchase(models.Model):  # type: ignore[misc]
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    buyer = models.EmailField(db_index=True)
    placed = models.DateTimeField(auto_now_add=True)
    products = models.ManyToManyField(Product, through="Line")

    class Meta:
        app_label = "shop"


class Line(models.Model):  # type: ignore[misc]
    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    amount = models.PositiveIntegerField()
    image = models.BinaryField(null=True)

    class Meta:
        app_label = "shop"
