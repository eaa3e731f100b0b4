"""Texts for laws: statements in many dresses."""

from __future__ import annotations

from hypothesis import strategies as st

_PLAIN_NAMES = ["t", "accounts", "t1", "t2", "é", "tä€", "a$b", "OLD_t", "s.t", "s1.t2"]
_QUOTED_NAMES = [
    '"T"',
    '"a b"',
    '"it\'s"',
    '"x""y"',
    '"5 -- 6"',
    '"/*"',
    '"select"',
    '"é;€"',
    's."t 1"',
    "U&\"d!0061t\" UESCAPE '!'",
]
_FRAGMENTS = [
    "",
    "a",
    "''",
    ";",
    "--",
    "/*",
    "*/",
    '"',
    "$1",
    "$$",
    "5",
    " 6 ",
    "é",
    "€𝄞",
    "\n",
    "E",
    "x",
    "&",
]


def names() -> st.SearchStrategy[str]:
    """Of tables, some qualified."""
    return st.sampled_from(_PLAIN_NAMES + _QUOTED_NAMES)


def columns() -> st.SearchStrategy[str]:
    return st.sampled_from(["id", "a", "b1", '"B c"', '"2"', '"x""\'"', "é"])


def strings() -> st.SearchStrategy[str]:
    content = st.lists(st.sampled_from(_FRAGMENTS), max_size=4).map("".join)
    plain = content.map(lambda text: f"'{text}'")
    return st.one_of(
        plain,
        plain,
        content.map(lambda text: "E'" + text.replace(";", "\\'") + "\\\\'"),
        content.map(lambda text: f"$q${text}$q$"),
        content.map(lambda text: f"'{text}' \n '{text}'"),
        content.map(lambda text: "'" + text + "\\'"),
        st.sampled_from(
            [
                "B'01'",
                "x'1F'",
                "N'a'",
                "U&'d!0061' UESCAPE '!'",
                "date '2020-01-01'",
                "date'2020-01-01'",
                "''",
            ]
        ),
    )


def numbers() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            "0",
            "1",
            "7",
            "42",
            "007",
            "2147483647",
            "2147483648",
            "-5",
            "- 5",
            "+5",
            "1.50",
            ".5",
            "1e5",
            "1.5e-3",
            "1_0",
            "0x1F",
        ]
    )


def values() -> st.SearchStrategy[str]:
    simple = st.one_of(
        numbers(), numbers(), strings(), st.sampled_from(["$1", "$23", "NULL", "true", "f(1)", "b + 1"])
    )
    return st.one_of(
        simple, simple, simple.map(lambda value: f"{value}::int8"), simple.map(lambda value: f"({value})")
    )


def conditions() -> st.SearchStrategy[str]:
    term = st.one_of(
        st.builds("{} = {}".format, columns(), values()),
        st.builds("{} = {}".format, values(), columns()),
        st.builds("{} IN ({})".format, columns(), values()),
        st.builds("{} IN ({}, {})".format, columns(), values(), values()),
        st.builds("NOT {} = {}".format, columns(), values()),
        st.builds("{} < {}".format, columns(), values()),
    )
    return st.lists(term, min_size=1, max_size=3).flatmap(
        lambda terms: st.sampled_from([" AND ", " OR "]).map(lambda word: word.join(terms))
    )


def _where() -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), conditions().map(" WHERE {}".format), st.just(" WHERE CURRENT OF c"))


def _returning() -> st.SearchStrategy[str]:
    return st.sampled_from(
        ["", "", " RETURNING *", " RETURNING id, 'x' AS y", " RETURNING WITH (OLD AS o) o.id x"]
    )


def writes() -> st.SearchStrategy[str]:
    insert = st.builds(
        "INSERT INTO {}{} VALUES ({}, {}){}{}".format,
        names(),
        st.sampled_from([" ", " AS q ", ' AS "Q 1" ']),
        values(),
        values(),
        st.sampled_from(
            ["", " ON CONFLICT DO NOTHING", " ON CONFLICT (id) DO UPDATE SET a = 5 WHERE q.b = 'x'"]
        ),
        _returning(),
    )
    update = st.builds(
        "UPDATE {}{}SET {} = {}{}{}".format,
        names(),
        st.sampled_from([" ", " AS u ", ' AS "U 1" ', " * "]),
        columns(),
        values(),
        _where(),
        _returning(),
    )
    delete = st.builds(
        "DELETE FROM {}{}{}{}".format, names(), st.sampled_from(["", " USING other"]), _where(), _returning()
    )
    return st.one_of(insert, update, delete)


def statements() -> st.SearchStrategy[str]:
    """Each parses by itself."""
    other = st.one_of(
        st.builds("SELECT {} FROM {} WHERE {}".format, values(), names(), conditions()),
        st.sampled_from(
            [
                "BEGIN",
                "COMMIT",
                "SAVEPOINT s1",
                "EXPLAIN (ANALYZE 0) DELETE FROM t",
                "EXPLAIN (ANALYZE 1) DELETE FROM t",
            ]
        ),
        st.builds("EXECUTE p1({})".format, values()),
        st.builds("SET search_path = {}".format, st.sampled_from(["a", "'b'", "'c', d"])),
        st.builds("COPY t FROM STDIN (NULL {})".format, st.sampled_from(["'a'", "'b'"])),
    )
    return st.one_of(writes(), writes(), other)


def comments() -> st.SearchStrategy[str]:
    """White space and comments; safe to put anywhere between tokens."""
    return st.lists(
        st.sampled_from(
            [
                " ",
                "\n",
                "\t",
                "/* x */",
                "/* '5' */",
                "/* a /* ; */ b */",
                "-- it's; \n",
                "--\r",
                "/**/",
                '/*é"*/',
            ]
        ),
        max_size=3,
    ).map(lambda parts: " " + " ".join(parts) if parts else "")


def texts() -> st.SearchStrategy[str]:
    """What a client may send in one message."""
    statement = st.builds("{}{}{}".format, comments(), statements(), comments())
    return st.lists(statement, min_size=1, max_size=3).map(";".join)
