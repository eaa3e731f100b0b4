"""Values of every type that the fuzzer uses: few, so that they meet, and with all that is hard to get right."""

from __future__ import annotations

from typing import Final

POOLS: Final[dict[str, tuple[str, ...]]] = {
    "bool": ("t", "f"),
    "int2": ("0", "1", "2", "-1", "7", "32767", "-32768", "3", "-7"),
    "int4": ("0", "1", "2", "-1", "7", "3", "10", "2147483647", "-2147483648", "-7"),
    "int8": (
        "0",
        "1",
        "2",
        "-1",
        "7",
        "10",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
    ),
    "float4": ("0", "-0", "1", "1.5", "-2.5", "0.1", "NaN", "Infinity", "3.4e38", "1e-38", "16777217"),
    "float8": (
        *("0", "-0", "1", "1.5", "-2.5", "0.1", "0.30000000000000004", "NaN", "Infinity", "-Infinity"),
        *("1.7e308", "5e-324", "9007199254740993", "1e22", "123456789.125"),
    ),
    "numeric": (
        *("0", "0.00", "1", "1.0", "1.00", "-1.5", "2.5", "0.5", "-0.5", "7", "10", "0.1", "NaN"),
        *(
            "1234567890123456789012345678901234",
            "-0.000000000000000001",
            "99999999999999.99",
            "3.14159265358979",
        ),
    ),
    "numeric(10,2)": ("0", "1", "1.50", "-2.50", "99999999.99", "0.01", "10", "3.33", "7", "12.34"),
    "text": (
        *("", "a", "A", "b", "ab", "aB", "a%", "a_b", "50%", "\\", "a\\b", "é", "É", "ß", "日本", "e\u0301"),
        *(
            "😀",
            "a ",
            " a",
            "a\nb",
            "tab\t",
            "Zz",
            "~",
            "O'Neil",
            "10",
            "2",
            "1.5",
            "x,y,z",
            "İ",
            "ab\n",
            "NULL",
        ),
    ),
    "varchar(12)": ("", "a", "A", "b", "ab", "ab ", "a_b", "é", "日本", "x.y", "Zz", "10", "a%b"),
    "char(5)": ("", "a", "A", "ab", "b", "a b", "é", "日本", "12345", "10"),
    "date": (
        *("2020-01-01", "2020-02-29", "2019-12-31", "2024-02-29", "1999-12-31", "2000-01-01", "infinity"),
        *("-infinity", "0001-01-01", "9999-12-31", "1969-12-31", "2024-12-30"),
    ),
    "time": ("00:00:00", "23:59:59.999999", "12:00:00", "07:07:07.5", "24:00:00", "00:00:00.000001"),
    "timestamp": (
        *("2020-01-01 00:00:00", "2020-02-29 12:34:56.789012", "2020-02-29 12:34:56.789", "infinity"),
        *(
            "2020-02-29 12:34:56.789013",
            "1999-12-31 23:59:59.999999",
            "1969-12-31 23:59:59.999999",
            "-infinity",
        ),
        *("2024-12-30 01:02:03", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
    ),
    "timestamp(3)": ("2020-01-01 00:00:00", "2020-02-29 12:34:56.789", "1969-12-31 23:59:59.999", "infinity"),
    "timestamptz": (
        *("2020-01-01 00:00:00+00", "2020-02-29 12:34:56.789012+00", "2020-02-29 12:34:56.789013+00"),
        *(
            "2024-03-31 01:30:00+00",
            "2024-10-27 00:30:00+00",
            "2024-10-27 01:30:00+00",
            "infinity",
            "-infinity",
        ),
        *("1999-12-31 23:59:59.999999+00", "2024-12-30 01:02:03+00"),
    ),
    "interval": (
        *("1 day", "24:00:00", "1 mon", "30 days", "-1 days", "00:00:00", "00:00:00.000001", "1 year 2 mons"),
        *("-1 mons +3 days -00:00:01", "720:00:00", "1 day 01:02:03.5"),
    ),
    "uuid": (
        *("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"),
        *("ffffffff-ffff-ffff-ffff-ffffffffffff", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ),
    "bytea": ("\\x", "\\x00", "\\x0001", "\\xdeadbeef", "\\x01", "\\xff"),
    "jsonb": (
        '{"a": 1}',
        '{"a": 1.0, "b": [1, 2]}',
        "[]",
        "null",
        '"x"',
        "1",
        "1.50",
        '{"n": {"k": "v"}}',
        "true",
    ),
    "json": ('{"a":  1}', "[1,2]", "null", '"x"'),
    "fuzz_mood": ("sad", "ok", "happy", "Zen"),
    "int4[]": ("{}", "{1,2}", "{NULL}", "{2,1}", "{1,NULL,3}", "{7}"),
    "text[]": ("{}", "{a}", "{NULL,b}", '{"a b","\\"q\\""}', '{"",NULL}'),
}

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "int4": tuple(str(n) for n in range(1, 31)),
    "int8": tuple(str(n * 1_000_000_007 - 5_000_000_000) for n in range(30)),
    "uuid": tuple(f"{n:08x}-0000-4000-8000-00000000000{n % 10}" for n in range(30)),
    "text": tuple(("k", "K", "é", "")[n % 4] + str(n // 4) for n in range(30)),
}

NUMBERS: Final = ("int2", "int4", "int8", "float4", "float8", "numeric", "numeric(10,2)")
INTEGERS: Final = ("int2", "int4", "int8")
DECIMALS: Final = ("numeric", "numeric(10,2)")
FLOATS: Final = ("float4", "float8")
TEXTS: Final = ("text", "varchar(12)")
MOMENTS: Final = ("timestamp", "timestamp(3)", "timestamptz")
UNORDERED: Final = ("jsonb", "json", "int4[]", "text[]")
"""What there is no, or no simple order of."""


def base(name: str) -> str:
    """Without the modifier."""
    return {"char(5)": "bpchar"}.get(name, name.partition("(")[0])


def quoted(value: str) -> str:
    """A constant; with a backslash in it as an escape string now and then would be the same value."""
    return "'" + value.replace("'", "''") + "'"
