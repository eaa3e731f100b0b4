"""Django's ORM over psycopg 3: migrations, transactions, locks, server-side cursors."""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import django  # type: ignore[import-untyped]
import pytest
from django.conf import settings  # type: ignore[import-untyped]

from tests.clients.endpoint import PATIENCE, Endpoint, await_waiting_for_lock
from tests.clients.reading import ROWS, Readings

pytestmark = pytest.mark.integration

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.postgres",
            "tests.clients.django_shop.apps.ShopConfig",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "set by each test"}},
        USE_TZ=True,
        TIME_ZONE="Europe/Vienna",
        SECRET_KEY="unused",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    )
    django.setup()

from django.contrib.auth.models import Group, User  # type: ignore[import-untyped]  # noqa: E402
from django.core.management import call_command  # type: ignore[import-untyped]  # noqa: E402
from django.db import (  # type: ignore[import-untyped]  # noqa: E402
    DatabaseError,
    IntegrityError,
    connection,
    models,
    transaction,
)
from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, Window  # type: ignore[import-untyped]  # noqa: E402
from django.db.models.functions import Rank, TruncDay, Upper  # type: ignore[import-untyped]  # noqa: E402

from tests.clients.django_shop.models import Line, Product, Purchase  # noqa: E402


def use(endpoint: Endpoint, **options: Any) -> None:
    connection.close()
    connection.settings_dict.update(
        NAME=endpoint.dbname,
        USER=endpoint.user,
        PASSWORD=endpoint.password,
        HOST=endpoint.host,
        PORT=str(endpoint.port),
        OPTIONS={"sslmode": "disable", **options},
        CONN_HEALTH_CHECKS=True,
    )


@pytest.fixture(params=["client-side binding", "server-side binding"])
def shop(request: pytest.FixtureRequest, endpoint: Endpoint) -> Iterator[None]:
    """The application's tables, migrated through the endpoint, with 40 products."""
    use(endpoint, server_side_binding=request.param == "server-side binding")
    call_command("migrate", verbosity=0)
    Product.objects.bulk_create(
        Product(
            name=f"Product {n}",
            price=Decimal(n),
            stock=10,
            labels=["all", f"l{n % 4}"],
            details={"n": n, "é": [n]},
        )
        for n in range(1, 41)
    )
    yield
    connection.close()


def test_migrations_forwards_and_backwards(endpoint: Endpoint) -> None:
    use(endpoint)
    call_command("migrate", verbosity=0)
    tables = set(connection.introspection.table_names())
    assert {"shop_product", "shop_purchase", "shop_line", "auth_user", "django_migrations"} <= tables
    call_command("makemigrations", "shop", check=True, dry_run=True, verbosity=0)
    assert Product.objects.get(name="From the migration").price == Decimal("9.99")
    call_command("migrate", "shop", "zero", verbosity=0)
    assert "shop_product" not in connection.introspection.table_names()
    call_command("migrate", verbosity=0)
    connection.close()


@pytest.mark.usefixtures("shop")
def test_rows_relations_and_queries() -> None:
    purchase = Purchase.objects.create(buyer="a@example.com")
    assert isinstance(purchase.id, uuid.UUID)
    products = list(Product.objects.filter(labels__contains=["l1"]).order_by("id"))
    assert len(products) == 10
    Line.objects.bulk_create(
        [Line(purchase=purchase, product=product, amount=2, image=bytes(range(256))) for product in products]
    )
    again = Purchase.objects.prefetch_related("lines__product").get(pk=purchase.pk)
    assert [line.product.name for line in again.lines.all()] == [product.name for product in products]
    assert bytes(again.lines.all()[0].image) == bytes(range(256))
    assert again.placed.tzinfo is not None
    assert Product.objects.filter(details__n__gt=38).count() == 2
    assert list(Product.objects.filter(details__contains={"é": [7]}).values_list("name", flat=True)) == [
        "Product 7"
    ]
    assert Product.objects.filter(Q(labels__0="all") & ~Q(labels__overlap=["l0", "l1"])).count() == 20
    line_exists = Exists(Line.objects.filter(product=OuterRef("pk")))
    latest = Subquery(Line.objects.filter(product=OuterRef("pk")).order_by("-id").values("amount")[:1])
    sold = Product.objects.annotate(latest=latest).filter(line_exists).values_list("latest", flat=True)
    assert list(sold) == [2] * 10
    ranked = (
        Product.objects.annotate(r=Window(Rank(), order_by=F("price").desc()))
        .order_by("r")
        .values_list("name", "r")
    )
    assert list(ranked[:2]) == [("Product 40", 1), ("Product 39", 2)]
    assert Product.objects.annotate(u=Upper("name")).filter(u=Upper(Value("product 3"))).exists()


@pytest.mark.usefixtures("shop")
def test_aggregates() -> None:
    totals = Product.objects.filter(id__gt=1).aggregate(
        Sum("price"), Avg("stock"), n=Count("id", filter=Q(price__gt=20))
    )
    assert totals == {"price__sum": Decimal("820.00"), "stock__avg": 10.0, "n": 20}
    today = Purchase.objects.create(buyer="b@example.com")
    Line.objects.create(purchase=today, product=Product.objects.get(name="Product 2"), amount=5)
    days = (
        Purchase.objects.annotate(day=TruncDay("placed"))
        .values("day")
        .annotate(sold=Sum(F("lines__amount") * F("lines__product__price")))
        .values_list("day", "sold")
    )
    ((day, sold),) = days
    assert isinstance(day, datetime.datetime)
    assert sold == Decimal("10.00")
    assert list(Product.objects.values_list("stock").annotate(n=Count("*")).filter(stock=10)) == [(10, 40)]


@pytest.mark.usefixtures("shop")
def test_transactions_and_constraints() -> None:
    with pytest.raises(IntegrityError, match="product_name_once"), transaction.atomic():
        Product.objects.create(name="PRODUCT 1", price=1)
    with transaction.atomic():
        Product.objects.filter(name="Product 1").update(stock=F("stock") - 1)
        with pytest.raises(IntegrityError, match="price_not_negative"), transaction.atomic():
            Product.objects.filter(name="Product 1").update(price=-1)
        point = transaction.savepoint()
        Product.objects.filter(name="Product 1").update(stock=0)
        transaction.savepoint_rollback(point)
    assert Product.objects.get(name="Product 1").stock == 9
    committed: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append("yes"))
        assert committed == []
    assert committed == ["yes"]

    @transaction.atomic  # type: ignore[untyped-decorator]
    def change_one_s_mind() -> None:
        Product.objects.all().update(stock=1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        change_one_s_mind()
    assert not Product.objects.filter(stock=1).exists()
    product, created = Product.objects.update_or_create(name="Product 2", defaults={"price": Decimal("7.5")})
    assert (created, product.price) == (False, Decimal("7.5"))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")


@pytest.mark.usefixtures("shop")
def test_select_for_update_waits_for_the_other_transaction(direct: Endpoint) -> None:
    order: list[str] = []

    def second() -> None:
        try:
            with transaction.atomic():
                product = Product.objects.select_for_update().get(name="Product 1")
                order.append("second has the lock")
                product.stock -= 1
                product.save(update_fields=["stock"])
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        product = Product.objects.select_for_update().get(name="Product 1")
        thread.start()
        await_waiting_for_lock(direct)
        assert not Product.objects.select_for_update(skip_locked=True).filter(name="nothing").exists()
        product.stock -= 1
        product.save(update_fields=["stock"])
        order.append("first commits")
    thread.join(PATIENCE)
    assert order == ["first commits", "second has the lock"]
    assert Product.objects.get(name="Product 1").stock == 8


@pytest.mark.usefixtures("shop")
def test_bulk_operations() -> None:
    created = Product.objects.bulk_create(
        [Product(name=f"bulk {n}", price=n, details={"n": n}) for n in range(3000)], batch_size=700
    )
    assert len({product.pk for product in created}) == 3000
    for product in created:
        product.stock = int(product.price) % 7
    assert Product.objects.bulk_update(created, ["stock"], batch_size=500) == 3000
    assert Product.objects.filter(name__startswith="bulk", stock=6).count() == 428
    merged = Product.objects.bulk_create(
        [Product(name="bulk 1", price=5), Product(name="entirely new", price=5)], ignore_conflicts=True
    )
    assert len(merged) == 2
    assert Product.objects.filter(name="entirely new").count() == 1
    deleted, _ = Product.objects.filter(name__startswith="bulk").delete()
    assert deleted == 3000


@pytest.mark.usefixtures("shop")
def test_iterator_reads_through_a_server_side_cursor() -> None:
    Product.objects.bulk_create([Product(name=f"many {n}", price=n) for n in range(4000)])
    with transaction.atomic():
        names = [
            p.name
            for p in Product.objects.filter(name__startswith="many").order_by("id").iterator(chunk_size=150)
        ]
    assert names == [f"many {n}" for n in range(4000)]
    outside = Product.objects.order_by("id").iterator(chunk_size=100)
    assert next(outside).name == "From the migration"
    outside.close()
    assert (
        Product.objects.raw("SELECT * FROM shop_product WHERE price = %s", [Decimal(3999)])[0].name
        == "many 3999"
    )
    assert "Scan" in Product.objects.filter(price=1).explain()


@pytest.mark.usefixtures("shop")
def test_contributed_applications_and_reconnection(direct: Endpoint) -> None:
    user = User.objects.create_user("ann", password="secret")
    user.groups.add(Group.objects.create(name="staff"))
    assert User.objects.get(groups__name="staff").check_password("secret")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    direct.query("SELECT pg_terminate_backend(%s, 10000)", pid)
    connection.close_if_unusable_or_obsolete()
    connection.health_check_done = False
    assert User.objects.count() == 1


def test_connection_pool(endpoint: Endpoint) -> None:
    use(endpoint, pool={"min_size": 1, "max_size": 3})
    connection.settings_dict["CONN_HEALTH_CHECKS"] = False
    try:
        call_command("migrate", verbosity=0)
        pids = set()
        for _ in range(10):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.add(cursor.fetchone()[0])
            connection.close()
        assert 1 <= len(pids) <= 3
    finally:
        connection.close()
        connection.close_pool()
        use(endpoint)


class Reading(models.Model):  # type: ignore[misc]
    """Of a table that no migration makes."""

    id = models.IntegerField(primary_key=True)
    flag = models.BooleanField(null=True)
    small = models.SmallIntegerField(null=True)
    exact = models.DecimalField(max_digits=12, decimal_places=3, null=True)
    words = models.TextField(null=True)
    instant = models.DateTimeField(null=True)
    label = models.UUIDField(null=True)
    document = models.JSONField(null=True)

    class Meta:
        app_label = "elsewhere"
        managed = False
        db_table = "readings"


@pytest.mark.parametrize("server_side", [False, True])
def test_reads_of_a_table(readings: Readings, server_side: bool) -> None:
    every = Reading.objects.order_by("id")

    def ask(endpoint: Endpoint) -> list[Any]:
        use(endpoint, server_side_binding=server_side)
        found: list[Any] = []
        for _ in range(2):
            found += [
                list(every.filter(id__lt=30).values_list()),
                Reading.objects.get(id=7).words,
                list(every.filter(label=uuid.UUID(int=0x17)).values_list("id", flat=True)),
                list(every.filter(words__startswith="wörd 1", flag=True)[:5].values_list("id", "exact")),
                list(
                    every.values_list("small").annotate(rows=Count("id"), all=Sum("exact")).order_by("small")
                ),
                every.filter(Q(small=3) | Q(flag__isnull=True)).count(),
                every.filter(id=ROWS + 1).exists(),
            ]
        with transaction.atomic():
            found.append([reading.instant for reading in every.filter(id__in=[3, 5, 9])])
            found.append(every.last().document)
        connection.close()
        return found

    assert readings.same(ask)
