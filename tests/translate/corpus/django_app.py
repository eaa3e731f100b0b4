"""A shop and a blog in Django, reading: python -m tests.translate.corpus.django_app HOST PORT DATABASE [server]

With `server`, parameters are bound by the server; else they are put into the text by the cursor.
"""

# ruff: noqa: E402
from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": sys.argv[1],
            "PORT": sys.argv[2],
            "NAME": sys.argv[3],
            "USER": "postgres",
            "OPTIONS": {"sslmode": "disable", "server_side_binding": sys.argv[4:] == ["server"]},
        }
    },
    INSTALLED_APPS=["tests.translate.corpus"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.core.paginator import Paginator  # type: ignore[import-untyped]
from django.db import connection, models  # type: ignore[import-untyped]
from django.db.models import (  # type: ignore[import-untyped]
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import (  # type: ignore[import-untyped]
    Cast,
    Coalesce,
    Concat,
    ExtractHour,
    ExtractYear,
    Lag,
    Length,
    Lower,
    Rank,
    Round,
    RowNumber,
    Substr,
    TruncDate,
    TruncMonth,
    Upper,
)


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


def pages(query: Any) -> None:
    """As a list of many pages is shown."""
    paginator = Paginator(query, 10)
    for number in (1, 2, paginator.num_pages):
        list(paginator.page(number))


def more() -> Iterator[tuple[str, Any]]:
    """What is sent by doing more with a query than going through it."""
    authors, books = Author.objects.all(), Book.objects.all()
    yield "1", lambda: authors.get(pk=5)
    yield "1", lambda: [book.author for book in books.filter(pk__in=[1, 2, 3])]
    yield "1", lambda: Tag.objects.get(label="tag3")
    yield "2", lambda: [list(author.books.all()) for author in authors.filter(pk__lt=4)]
    yield "3", lambda: authors.in_bulk([1, 2, 3, 40])
    yield "3", lambda: list(authors.prefetch_related("books").filter(pk__in=[1, 2]))
    yield "3", lambda: list(books.prefetch_related("tags", "author").filter(pk__in=[3, 4, 5]))
    yield "4", lambda: authors.order_by("-rating", "pk").first()
    yield "4", lambda: books.order_by("published", "pk").last()
    yield "4", lambda: books.filter(price__isnull=False, in_print=False).earliest("price", "pk")
    yield "4", lambda: pages(books.filter(pages__lt=500).order_by("title", "pk"))
    yield "5", lambda: authors.filter(active=True).exists()
    yield "5", lambda: (books.count(), books.filter(price__gt=10).count(), authors.none().count())
    yield "5", lambda: books.filter(tags__label__in=["tag1", "tag2"]).distinct().count()
    yield "5", lambda: authors.annotate(n=Count("books")).filter(n__gt=2).count()
    yield "5", lambda: books.filter(pk=7).contains(Book(pk=7))
    yield "6", lambda: list(books.filter(tags__label="tag1").filter(tags__label="tag2").order_by("pk"))
    yield (
        "6",
        lambda: list(authors.filter(books__price__gt=30, books__in_print=True).order_by("pk", "books__pk")),
    )
    yield "6", lambda: list(authors.filter(books__isnull=True).order_by("pk"))
    yield "7", lambda: list(books.filter(Q(price__lt=5) | Q(price__gt=45), ~Q(author=None)).order_by("pk"))
    yield "7", lambda: list(books.exclude(Q(in_print=True) | Q(pages__in=[17, 34])).order_by("pk"))
    yield "7", lambda: list(books.filter(title__istartswith="book 1", price__range=(1, 30)).order_by("pk"))
    yield "7", lambda: list(authors.filter(name__contains="O'N", email__iendswith=".COM").order_by("pk"))
    yield (
        "8",
        lambda: books.aggregate(Sum("price"), Avg("price"), Min("published"), Max("pages"), n=Count("*")),
    )
    yield "8", lambda: books.filter(in_print=True).order_by("pk")[:20].aggregate(Sum("pages"), Avg("price"))
    yield (
        "8",
        lambda: list(
            authors.annotate(total=Sum("books__price"), best=Max("books__price"))
            .filter(total__gt=50)
            .order_by("-total", "pk")
        ),
    )
    yield (
        "10",
        lambda: books.aggregate(
            authors=Count("author", distinct=True), cheap=Count("pk", filter=Q(price__lt=9))
        ),
    )
    yield "10", lambda: list(books.dates("published", "month"))
    yield "10", lambda: list(books.datetimes("published", "year", order="DESC"))
    yield "11", lambda: list(authors.exclude(books__tags__label="tag2").order_by("pk"))
    yield (
        "11",
        lambda: list(Tag.objects.filter(pk__in=BookTag.objects.filter(book__price__gt=20).values("tag"))),
    )
    yield (
        "12",
        lambda: list(
            books.annotate(
                name=Concat("title", Value(" by "), "author__name", output_field=models.TextField()),
                left=F("price") - F("pages"),
            )
            .order_by("pk")
            .values_list("pk", "name", "left")
        ),
    )
    yield (
        "12",
        lambda: list(
            authors.annotate(long=Length("name"), up=Upper("name"), part=Substr("name", 2, 3))
            .filter(long__gt=5)
            .order_by("pk")
            .values_list("pk", "long", "up", "part")
        ),
    )
    yield (
        "12",
        lambda: list(
            books.annotate(whole=Cast("price", models.IntegerField()), near=Round("price", 1))
            .order_by("pk")
            .values_list("pk", "whole", "near")
        ),
    )
    yield (
        "13",
        lambda: list(
            authors.annotate(
                n=Subquery(
                    books.filter(author=OuterRef("pk")).values("author").annotate(n=Count("pk")).values("n")
                )
            )
            .order_by("pk")
            .values_list("pk", "n")
        ),
    )
    yield (
        "13",
        lambda: list(
            books.filter(pk__in=list(books.order_by("-price", "pk").values_list("pk", flat=True)[:5]))
        ),
    )
    yield "14", lambda: list(authors.order_by(F("rating").asc(nulls_first=True), "pk").values_list("pk")[:9])
    yield (
        "14",
        lambda: list(
            books.filter(published__month=6, published__week_day=2).order_by("pk").values_list("pk")
        ),
    )
    yield "14", lambda: list(books.filter(published__date=date(2020, 1, 10)).values_list("pk"))
    yield (
        "14",
        lambda: list(
            books.annotate(day=TruncDate("published"), hour=ExtractHour("published"))
            .values("hour")
            .annotate(n=Count("pk"), last=Max("day"))
            .order_by("hour")
        ),
    )
    yield "14", lambda: list(authors.values_list("pk").difference(books.values_list("author")).order_by("id"))
    yield (
        "15",
        lambda: list(
            books.annotate(
                place=Window(Rank(), partition_by="author", order_by=F("price").desc(nulls_last=True)),
                before=Window(Lag("pk"), order_by="pk"),
                running=Window(Sum("pages"), order_by="pk"),
            )
            .order_by("pk")
            .values_list("pk", "place", "before", "running")
        ),
    )
    yield (
        "15",
        lambda: list(
            books.annotate(row=Window(RowNumber(), partition_by="author", order_by=("-price", "pk")))
            .filter(row=1)
            .order_by("pk")
        ),
    )


def main() -> None:
    with connection.cursor() as cursor:
        for group, read in (*reads(), *more()):
            cursor.execute(f"SET application_name = 'class {group}'")
            if callable(read):
                read()
            else:
                list(read)


if __name__ == "__main__":
    main()
