from django.apps import AppConfig  # type: ignore[import-untyped]


class ShopConfig(AppConfig):  # type: ignore[misc]
    name = "tests.clients.django_shop"
    label = "shop"
    default_auto_field = "django.db.models.BigAutoField"
