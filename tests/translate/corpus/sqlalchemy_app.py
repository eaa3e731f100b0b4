"""A shop and a blog in SQLAlchemy, reading: python -m tests.translate.corpus.sqlalchemy_app HOST PORT DATABASE DRIVER

DRIVER: `asyncpg` (parameters in binary, with casts in the text), `psycopg2` (constants in the text) or `psycopg`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    email: Mapped[str | None] = mapped_column(sa.Text)
    rating: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 2))
    active: Mapped[bool]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("author.id"))
    title: Mapped[str] = mapped_column(sa.Text)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    pages: Mapped[int | None] = mapped_column(sa.SmallInteger)
    published: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    in_print: Mapped[bool] = mapped_column(nullable=True)


def reads() -> Iterator[tuple[str, Any]]:
    a, b, f = Author, Book, sa.func
    yield "1", sa.select(a).where(a.id == 3)
    yield "1", sa.select(b.id, b.title).where(b.id == 7).limit(1)
    yield "2", sa.select(b).where(b.author_id == 8)
    yield "3", sa.select(a.id).where(a.id.in_([1, 2, 3])).order_by(a.id)
    yield "3", sa.select(b.id).where(b.author_id.not_in([1, 2])).order_by(b.id)
    yield (
        "4",
        sa.select(b)
        .where(b.in_print, b.price > Decimal("10.50"))
        .order_by(b.price.desc(), b.id)
        .limit(5)
        .offset(2),
    )
    yield "4", sa.select(b.id).where(b.published >= datetime(2020, 3, 1, tzinfo=UTC), b.in_print.is_(None))
    yield "4", sa.select(a.id).where(~a.active).order_by(a.id).fetch(3)
    yield "5", sa.select(f.count()).select_from(b).where(b.price > 10)
    yield "5", sa.select(f.count()).select_from(sa.select(b.id).where(b.pages > 100).subquery())
    yield "6", sa.select(a, b).join(b, b.author_id == a.id).order_by(b.id)
    yield (
        "6",
        sa.select(a.id, b.title)
        .outerjoin(b, sa.and_(b.author_id == a.id, b.price > 20))
        .order_by(a.id, b.id),
    )
    other = aliased(a)
    yield "6", sa.select(a.id, other.name).join(other, other.id == a.id + 1).order_by(a.id)
    yield "7", sa.select(a.id).where(sa.or_(a.name.ilike("%ANN%"), a.email.endswith(".org"))).order_by(a.id)
    yield (
        "7",
        sa.select(b.id).where(b.price.between(5, 20), sa.not_(b.title.contains("second"))).order_by(b.id),
    )
    yield (
        "7",
        sa.select(b.id).where(sa.tuple_(b.author_id, b.id) > (4, 20)).order_by(b.author_id, b.id).limit(5),
    )
    yield "7", sa.select(a.id).where(a.name.startswith("100%", autoescape=True))
    yield (
        "8",
        sa.select(b.author_id, f.count(b.id), f.avg(b.pages)).group_by(b.author_id).order_by(b.author_id),
    )
    yield "8", sa.select(f.min(b.price), f.max(b.price), f.sum(b.price))
    yield (
        "8",
        sa.select(b.author_id).group_by(b.author_id).having(f.sum(b.pages) > 900).order_by(f.sum(b.pages)),
    )
    yield "10", sa.select(b.author_id).distinct().order_by(b.author_id)
    yield "10", sa.select(b.author_id, b.id).ext(distinct_on(b.author_id)).order_by(b.author_id, b.id.desc())
    yield "10", sa.select(f.count(b.author_id.distinct()), f.count().filter(b.in_print))
    yield "11", sa.select(a.id).where(sa.exists().where(b.author_id == a.id, b.price > 40)).order_by(a.id)
    yield "11", sa.select(a.id).where(a.id.not_in(sa.select(b.author_id).where(b.author_id.is_not(None))))
    yield "12", sa.select(a.id, f.coalesce(a.email, "none"), f.lower(a.name), a.rating * 2).order_by(a.id)
    yield (
        "12",
        sa.select(a.id, sa.case((a.rating > 3, "good"), (a.rating > 0, "fair"), else_="bad")).order_by(a.id),
    )
    yield "12", sa.select(b.id, sa.cast(b.price, sa.Integer), b.title + "!").order_by(b.id)
    count = sa.select(f.count()).where(b.author_id == a.id).correlate(a).scalar_subquery()
    yield "13", sa.select(a.id, count).order_by(a.id)
    few = sa.select(a).order_by(a.id).limit(5).subquery()
    yield "13", sa.select(few.c.id, b.id).outerjoin(b, b.author_id == few.c.id).order_by(few.c.id, b.id)
    yield "14", sa.select(a.id).order_by(a.email.desc().nulls_last(), a.id)
    yield (
        "14",
        sa.select(f.date_trunc("month", b.published), f.count())
        .group_by(sa.text("1"))
        .order_by(sa.text("1")),
    )
    yield "14", sa.select(sa.extract("year", b.published), b.id).order_by(b.id)
    yield "14", sa.union(sa.select(a.id), sa.select(b.author_id)).order_by("id")
    big = sa.select(b).where(b.price > 30).cte("big")
    yield "14", sa.select(a.name, big.c.title).join(big, big.c.author_id == a.id).order_by(big.c.id)
    rank = f.row_number().over(partition_by=b.author_id, order_by=b.id)
    yield "15", sa.select(b.id, rank, f.lag(b.id).over(order_by=b.id)).order_by(b.id)


def more() -> Iterator[tuple[str, Any]]:
    """Reads as the ORM's sessions send them, and some in the manner of reports."""
    a, b, f = Author, Book, sa.func
    yield "1", sa.select(a).where(a.email == "a7@example.org")
    yield "2", sa.select(b).where(b.author_id == 3, b.id != 9).order_by(b.id.desc())
    yield "4", sa.select(a).where(a.rating.is_not(None), a.rating <= Decimal("4.5")).order_by(a.rating, a.id)
    yield (
        "4",
        sa.select(b.id).where(b.in_print.is_(True), b.pages.in_([17, 34, 51]), b.price != 3).order_by(b.id),
    )
    yield "5", sa.select(sa.literal(1)).where(b.pages > 800).limit(1)
    yield "5", sa.select(sa.exists().where(b.title == "Book 3"))
    yield (
        "6",
        sa.select(a.name, f.count(b.id)).outerjoin(b, b.author_id == a.id).group_by(a.id).order_by(a.id),
    )
    yield "6", sa.select(a.id, b.id).join(b, b.author_id == a.id, full=True).order_by(a.id, b.id)
    yield "7", sa.select(b.id).where(b.title.like("Book 1%"), b.title.not_like("%(second)")).order_by(b.id)
    yield (
        "7",
        sa.select(a.id).where(sa.or_(a.rating.is_(None), sa.and_(a.active, a.rating > 2))).order_by(a.id),
    )
    yield "7", sa.select(b.id).where(b.price.is_distinct_from(Decimal("3.13")), b.id < 20).order_by(b.id)
    yield "8", sa.select(f.count(), f.avg(b.price), f.sum(b.pages), f.stddev(b.price)).where(b.in_print)
    yield (
        "8",
        sa.select(b.in_print, f.max(b.published)).group_by(b.in_print).order_by(b.in_print.nulls_first()),
    )
    yield "10", sa.select(f.count(sa.distinct(b.title)), f.sum(b.price).filter(b.pages > 100))
    yield "11", sa.select(b.id).where(b.author_id.in_(sa.select(a.id).where(a.active))).order_by(b.id)
    yield "11", sa.select(a.id).where(~sa.exists().where(b.author_id == a.id, b.in_print)).order_by(a.id)
    yield "12", sa.select(a.id, f.upper(a.name), f.length(a.name), f.nullif(a.rating, 0)).order_by(a.id)
    yield (
        "12",
        sa.select(b.id, b.price * b.pages, b.pages % 7, b.pages / 7, b.pages // 7, -b.price).order_by(b.id),
    )
    yield (
        "12",
        sa.select(b.id, f.round(b.price, 1), f.greatest(b.pages, 100), f.concat(b.title, "-", b.id)).order_by(
            b.id
        ),
    )
    best = sa.select(f.max(b.price)).where(b.author_id == a.id).scalar_subquery()
    yield "13", sa.select(a.id, best.label("best")).where(best > 30).order_by(a.id)
    last = sa.select(b.id, b.author_id).order_by(b.published.desc().nulls_last(), b.id).limit(8).subquery()
    yield "13", sa.select(a.name, last.c.id).join(last, last.c.author_id == a.id).order_by(last.c.id)
    yield (
        "14",
        sa.select(a.id).where(a.active).except_(sa.select(b.author_id).where(b.in_print)).order_by("id"),
    )
    yield "14", sa.union_all(sa.select(a.name.label("n")), sa.select(b.title)).order_by("n").limit(12)
    total = sa.select(b.author_id, f.sum(b.price).label("s")).group_by(b.author_id).cte("total")
    yield (
        "14",
        sa.select(a.name, total.c.s)
        .join(total, total.c.author_id == a.id)
        .where(total.c.s > sa.select(f.avg(total.c.s)).scalar_subquery())
        .order_by(total.c.s.desc(), a.id),
    )
    yield (
        "15",
        sa.select(
            b.id, f.sum(b.pages).over(order_by=b.id, rows=(-2, 0)), f.rank().over(order_by=b.pages)
        ).order_by(b.id),
    )


async def main(host: str, port: str, database: str, driver: str) -> None:
    url = f"postgresql+{driver}://postgres@{host}:{port}/{database}"
    arguments: dict[str, Any] = {"ssl": False} if driver == "asyncpg" else {"sslmode": "disable"}
    statements = [*reads(), *more()]

    def read(connection: sa.Connection) -> None:
        for group, query in statements:
            connection.exec_driver_sql(f"SET application_name = 'class {group}'")
            connection.execute(query).all()

    if driver == "asyncpg":
        engine = create_async_engine(url, connect_args=arguments)
        async with engine.connect() as connection:
            await connection.run_sync(read)
        await engine.dispose()
    else:
        with sa.create_engine(url, connect_args=arguments).connect() as connected:
            read(connected)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
