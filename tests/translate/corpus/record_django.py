"""Prints what Django sends for a small shop and blog, with constants in the text as its cursor puts them there.

python -m tests.translate.corpus.record_django > tests/translate/corpus/django.sql
"""

# ruff: noqa: E402
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "none"}},
    INSTALLED_APPS=["tests.translate.corpus"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.db import models  # type: ignore[import-untyped]
from django.db.models import Avg, Case, Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum, Value, When  # type: ignore[import-untyped]
from django.db.models.functions import Coalesce, ExtractYear, Lower, TruncMonth  # type: ignore[import-untyped]
from psycopg import sql


class Author(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=60)
    email = models.TextField(null=True)
    born = models.DateField(null=True)
    rating = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    active = models.BooleanField()
    referrer = models.ForeignKey("self", models.CASCADE, null=True, db_column="referrer")

    class Meta:
        app_label, db_table = "corpus", "author"


class Tag(models.Model):  # type: ignore[misc]
    label = models.CharField(max_length=20)

    class Meta:
        app_label, db_table = "corpus", "tag"


class Book(models.Model):  # type: ignore[misc]
    author = models.ForeignKey(Author, models.CASCADE, null=True, related_name="books")
    title = models.TextField()
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pages = models.SmallIntegerField(null=True)
    published = models.DateTimeField(null=True)
    in_print = models.BooleanField(null=True)
    tags = models.ManyToManyField(Tag, through="BookTag")

    class Meta:
        app_label, db_table = "corpus", "book"


class BookTag(models.Model):  # type: ignore[misc]
    book = models.ForeignKey(Book, models.CASCADE, primary_key=True)
    tag = models.ForeignKey(Tag, models.CASCADE)

    class Meta:
        app_label, db_table = "corpus", "book_tag"


def reads() -> Iterator[tuple[str, Any]]:
    authors, books = Author.objects.all(), Book.objects.all()
    yield "1", authors.filter(pk=3)[:21]
    yield "1", books.filter(id=5).only("title")[:1]
    yield "2", books.filter(author_id=8)
    yield "2", books.filter(author=4).order_by("-id")[:10]
    yield "3", authors.filter(id__in=[1, 2, 3]).order_by("name")
    yield "3", books.exclude(author_id__in=[1, 2, 3])
    yield "4", books.filter(in_print=True, price__gt=Decimal("10.50")).order_by("-price", "id")[5:15]
    yield "4", authors.filter(active=False, email__isnull=True)
    yield "4", books.filter(published__gte=datetime(2020, 3, 1, 12, tzinfo=UTC)).order_by("published", "id")
    yield "4", authors.filter(born__lt=date(1960, 1, 1)).values_list("id", "born")
    yield "4", books.filter(published__year=2020).values("id")
    yield "6", books.select_related("author").filter(pages__gte=100).order_by("id")
    yield "6", books.filter(author__name="Ann 7")
    yield "6", Tag.objects.filter(book__id=12)
    yield "6", books.filter(tags__label="tag3").order_by("id")
    yield "6", authors.filter(referrer__referrer__name__startswith="Ann").order_by("id")
    yield "7", authors.filter(Q(name__icontains="ann") | Q(email__endswith=".org")).order_by("id")
    yield "7", authors.filter(~Q(active=True) & Q(rating__range=(Decimal("-1"), Decimal("3"))))
    yield "7", authors.filter(name__startswith="100%").exclude(email__contains="_x")
    yield "7", authors.filter(name__iexact="ANN 7")
    yield "8", books.values("author_id").annotate(n=Count("id"), avg=Avg("pages")).order_by("-n", "author_id")
    yield "8", books.order_by().values("author").annotate(total=Sum("price")).filter(total__gt=20)
    yield "8", authors.annotate(n=Count("books")).order_by("-n", "id")[:5]
    yield (
        "8",
        books.values("author__name").annotate(low=Min("price"), high=Max("price")).order_by("author__name"),
    )
    yield "10", books.order_by("author_id").values_list("author_id", flat=True).distinct()
    yield "10", books.order_by("author_id", "-id").distinct("author_id")
    yield "10", books.values("in_print").annotate(n=Count("author_id", distinct=True)).order_by("in_print")
    yield "10", books.values("in_print").annotate(n=Count("id", filter=Q(price__gt=20))).order_by("in_print")
    yield (
        "11",
        authors.filter(Exists(Book.objects.filter(author=OuterRef("pk"), price__gt=40))).order_by("id"),
    )
    yield "11", authors.filter(~Exists(Book.objects.filter(author=OuterRef("pk"))))
    yield "11", authors.exclude(books__title__contains="second").order_by("id")
    yield "11", authors.filter(pk__in=books.filter(in_print=True).values("author_id")).order_by("id")
    yield (
        "12",
        authors.annotate(who=Coalesce("email", Value("none", output_field=models.TextField())))
        .order_by("id")
        .values("id", "who"),
    )
    yield "12", books.annotate(gross=F("price") * Decimal("1.19")).order_by("id").values_list("id", "gross")
    grade = Case(
        When(rating__gte=3, then=Value("good")), default=Value("bad"), output_field=models.TextField()
    )
    yield "12", authors.annotate(grade=grade, low=Lower("name")).order_by("id").values("id", "grade", "low")
    latest = books.filter(author=OuterRef("pk")).order_by("-published", "id")
    yield (
        "13",
        authors.annotate(last=Subquery(latest.values("title")[:1])).order_by("id").values("id", "last"),
    )
    yield "13", books.filter(author__in=Subquery(authors.order_by("-id").values("id")[:5])).order_by("id")
    yield "14", authors.order_by(F("email").desc(nulls_last=True), "id").values("id")
    by_month = books.annotate(m=TruncMonth("published")).values("m").annotate(n=Count("id")).order_by("m")
    yield "14", by_month
    yield "14", books.annotate(y=ExtractYear("published")).order_by("id").values("id", "y")
    yield "14", authors.values_list("name").union(books.values_list("title")).order_by("name")


def written(query: Any) -> str:
    text, values = query.query.get_compiler("default").as_sql()
    return str(text % tuple(sql.Literal(value).as_string(None) for value in values))


if __name__ == "__main__":
    print(f"-- Django {django.get_version()}")
    for group, query in reads():
        print(f"{group}| {written(query)}")
