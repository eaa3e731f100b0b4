"""SQLAlchemy 2: Core and ORM over psycopg, psycopg 2 and asyncpg, with pooling, reflection and streaming."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, Range
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.orm.exc import StaleDataError

from tests.clients.endpoint import Endpoint
from tests.clients.reading import Readings

pytestmark = pytest.mark.integration


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    profile: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    total: Mapped[decimal.Decimal] = mapped_column(Numeric(12, 2))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def url(endpoint: Endpoint, driver: str) -> URL:
    return URL.create(
        f"postgresql+{driver}",
        endpoint.user,
        endpoint.password,
        endpoint.host,
        endpoint.port,
        endpoint.dbname,
    )


def without_tls(driver: str) -> dict[str, Any]:
    return {"ssl": False} if driver == "asyncpg" else {"sslmode": "disable"}


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(request: pytest.FixtureRequest, endpoint: Endpoint) -> Iterator[Engine]:
    engine = create_engine(
        url(endpoint, request.param), connect_args=without_tls(request.param), pool_pre_ping=True
    )
    yield engine
    engine.dispose()


@pytest.fixture(params=["asyncpg", "psycopg_async"])
async def async_engine(request: pytest.FixtureRequest, endpoint: Endpoint) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url(endpoint, request.param), connect_args=without_tls(request.param))
    yield engine
    await engine.dispose()


def test_orm_unit_of_work(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        people = [
            Customer(
                email=f"person{n}@example.com",
                tags=["new", f"t{n % 3}"],
                profile={"n": n, "é": None},
                orders=[Order(total=decimal.Decimal(n) + decimal.Decimal("0.25")) for _ in range(n % 4)],
            )
            for n in range(60)
        ]
        session.add_all(people)
        session.commit()
        assert [person.id for person in people] == list(range(1, 61))
        assert people[0].created is not None

    with Session(engine) as session:
        loaded = session.scalars(
            select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)
        ).all()
        assert [len(customer.orders) for customer in loaded] == [n % 4 for n in range(60)]
        joined = session.scalars(
            select(Customer).options(joinedload(Customer.orders)).where(Customer.tags.contains(["t2"]))
        ).unique()
        assert len(joined.all()) == 20
        by_customer = session.execute(
            select(Customer.email, func.count(Order.id), func.sum(Order.total))
            .join(Order)
            .group_by(Customer.email)
            .having(func.count() > 2)
            .order_by(Customer.email)
            .limit(3)
        ).all()
        assert [row[1] for row in by_customer] == [3, 3, 3]
        loaded[5].profile = {**loaded[5].profile, "changed": True}
        session.delete(loaded[7])
        session.commit()
        assert session.scalar(select(func.count()).select_from(Order)) == 90 - 3
        assert (
            session.scalars(select(Customer.profile["changed"].as_boolean()).where(Customer.id == 6)).one()
            is True
        )

    with Session(engine) as session, Session(engine) as rival:
        first = session.get_one(Customer, 1)
        second = rival.get_one(Customer, 1)
        first.email = "first wins"
        session.commit()
        second.email = "second loses"
        with pytest.raises(StaleDataError):
            rival.commit()


def test_bulk_insert_returns_keys_in_order(engine: Engine) -> None:
    """The dialects batch VALUES with RETURNING ("insertmanyvalues") or executemany; keys must match their rows."""
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        keys = session.scalars(
            insert(Customer).returning(Customer.id, sort_by_parameter_order=True),
            [{"email": f"bulk{n}", "tags": [], "profile": {"n": n}} for n in range(3500)],
        ).all()
        session.commit()
        assert len(set(keys)) == 3500
        emails = {row.id: row.email for row in session.execute(select(Customer.id, Customer.email))}
        assert [emails[key] for key in keys] == [f"bulk{n}" for n in range(3500)]
        session.execute(
            update(Customer),
            [{"id": key, "version": 1, "email": f"updated{n}"} for n, key in enumerate(keys[:500])],
        )
        session.commit()
        assert session.scalar(select(func.count()).where(Customer.email.like("updated%"))) == 500


def test_core_statements(engine: Engine) -> None:
    metadata = MetaData()
    stock = Table(
        "stock",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("sku", String(20), nullable=False),
        Column("amount", Integer, nullable=False),
        Column("during", TSTZRANGE),
        Column("info", JSON),
        UniqueConstraint("sku", name="one_sku"),
        schema="ware house",
    )
    with engine.begin() as connection:
        connection.execute(text('CREATE SCHEMA "ware house"'))
        metadata.create_all(connection)
    with engine.begin() as connection:
        statement = upsert(stock).values([{"sku": f"s{n}", "amount": n} for n in range(10)])
        statement = statement.on_conflict_do_update(
            constraint="one_sku", set_={"amount": stock.c.amount + statement.excluded.amount}
        )
        connection.execute(statement)
        connection.execute(statement)
        assert connection.scalar(select(func.sum(stock.c.amount))) == 90
        start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
        span = Range(start, start + datetime.timedelta(days=1))
        updated = connection.execute(
            stock.update().where(stock.c.sku == "s3").values(during=span, info={"a": [1]}).returning(stock)
        ).one()
        assert updated.during.lower == start
        assert updated.info == {"a": [1]}
        ranked = select(stock.c.sku, func.rank().over(order_by=stock.c.amount.desc()).label("r")).cte(
            "ranked"
        )
        assert connection.scalars(select(ranked.c.sku).where(ranked.c.r <= 2).order_by(ranked.c.r)).all() == [
            "s9",
            "s8",
        ]
        assert connection.execute(select(literal("%(x)s :y %%"))).scalar_one() == "%(x)s :y %%"
    with pytest.raises(IntegrityError, match="one_sku"), engine.begin() as connection:
        connection.execute(stock.insert(), [{"sku": "s1", "amount": 1}])

    reflected = MetaData()
    reflected.reflect(engine, schema="ware house")
    table = reflected.tables["ware house.stock"]
    assert [column.name for column in table.columns] == ["id", "sku", "amount", "during", "info"]
    inspector = inspect(engine)
    assert inspector.get_unique_constraints("stock", schema="ware house")[0]["name"] == "one_sku"
    assert inspector.get_pk_constraint("stock", schema="ware house")["constrained_columns"] == ["id"]


def test_savepoints_and_isolation(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n int PRIMARY KEY)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(text("INSERT INTO t VALUES (2), (1)"))
        with connection.begin_nested() as savepoint:
            connection.execute(text("INSERT INTO t VALUES (3)"))
            savepoint.rollback()
        assert connection.scalars(text("SELECT n FROM t")).all() == [1]
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "serializable"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM t"))
    with engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(text("INSERT INTO t VALUES (4)"))
        transaction.prepare()
        transaction.commit()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM t")) == 2


def test_streaming_rows(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = text("SELECT n, repeat('z', 500) FROM generate_series(1, 10000) n")
        result = connection.execute(rows.execution_options(stream_results=True, max_row_buffer=300))
        partitions = [len(partition) for partition in result.partitions(300)]
        assert partitions == [300] * 33 + [100]
        numbers = text("SELECT generate_series(1, 100000)")
        halfway = connection.execute(numbers.execution_options(stream_results=True, max_row_buffer=50))
        assert halfway.fetchone() == (1,)
        halfway.close()
        assert connection.scalar(text("SELECT 1")) == 1


def test_pool_notices_connections_the_server_ended(engine: Engine, direct: Endpoint) -> None:
    opened: list[object] = []
    event.listen(engine, "connect", lambda connection, record: opened.append(connection))
    with engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        direct.query("SELECT pg_terminate_backend(%s, 10000)", pid)
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT pg_sleep(10)"))
        assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 'reconnected'")) == "reconnected"
    assert len(opened) == 2


async def test_async_orm(async_engine: AsyncEngine) -> None:
    async with async_engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(async_engine, expire_on_commit=False) as session:
        async with session.begin():
            session.add_all(
                Customer(email=f"a{n}", tags=["x"], orders=[Order(total=decimal.Decimal("1.50"))])
                for n in range(200)
            )
        async with session.begin():
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    await session.execute(insert(Customer).values(email="a1", tags=[], profile={}, version=1))
            total = await session.scalar(select(func.sum(Order.total)))
            assert total == decimal.Decimal("300.00")
        stream = await session.stream_scalars(
            select(Customer)
            .order_by(Customer.id)
            .execution_options(yield_per=40)
            .options(selectinload(Customer.orders))
        )
        seen = [(customer.email, len(customer.orders)) async for customer in stream]
        assert seen == [(f"a{n}", 1) for n in range(200)]
    async with async_engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert sorted(names) == ["customer", "orders"]
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))
        await connection.rollback()
        assert await connection.scalar(text("SELECT 1")) == 1


def reads_of(table: Table) -> list[Select[Any]]:
    """What an application's models come down to."""
    few = select(table).where(table.c.id < 20).order_by(table.c.id)
    by_short = func.count().label("rows")
    other = table.alias()
    return [
        few,
        select(table).where(table.c.id == 7),
        select(table.c.words, table.c.exact).where(table.c.words.like("%1")).order_by(table.c.id).limit(7),
        select(table.c.short, by_short).group_by(table.c.short).having(by_short > 1).order_by(table.c.short),
        select(table.c.id, other.c.words)
        .outerjoin(other, other.c.id == table.c.small)
        .where(table.c.id.in_([1, 2, 3, 8]))
        .order_by(table.c.id),
        select(func.count(), func.max(table.c.moment)).select_from(table).where(table.c.flag.is_(True)),
    ]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_reads_of_a_reflected_table(readings: Readings, driver: str) -> None:
    def ask(endpoint: Endpoint) -> list[Any]:
        engine = create_engine(url(endpoint, driver), connect_args=without_tls(driver))
        table = Table("readings", MetaData(), autoload_with=engine)
        found = []
        for query in reads_of(table) * 2:
            with engine.connect() as connection:
                found.append([[_comparable(value) for value in row] for row in connection.execute(query)])
        engine.dispose()
        return found

    assert readings.same(ask)


async def test_reads_of_a_reflected_table_through_asyncpg(readings: Readings) -> None:
    async def ask(endpoint: Endpoint) -> list[Any]:
        engine = create_async_engine(url(endpoint, "asyncpg"), connect_args=without_tls("asyncpg"))
        found = []
        async with engine.connect() as connection:
            table = await connection.run_sync(
                lambda plain: Table("readings", MetaData(), autoload_with=plain)
            )
        for query in reads_of(table) * 2:
            async with engine.connect() as connection:
                found.append([list(row) for row in await connection.execute(query)])
        await engine.dispose()
        return found

    assert await ask(readings.endpoint) == await ask(readings.direct)


def _comparable(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
