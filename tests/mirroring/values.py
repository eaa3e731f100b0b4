"""Values of every type, ordinary and extreme, as SQL writes them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

SAMPLES: Mapping[str, Sequence[str]] = {
    "c_bool": ["true", "false"],
    "c_int2": ["0", "-32768", "32767"],
    "c_int4": ["0", "-2147483648", "2147483647"],
    "c_int8": ["0", "7", "'-9223372036854775808'", "9223372036854775807"],
    "c_float4": [
        "0",
        "'-0'",
        "0.1",
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        "3.4028235e38",
        "1e-45",
        "16777217",
    ],
    "c_float8": [
        "0",
        "'-0'",
        "0.1",
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        "1.7976931348623157e308",
        "5e-324",
        "0.3",
    ],
    "c_numeric": [
        "0",
        "0.00",
        "1.500",
        "-12345678901234567890.12345678901234",
        "'NaN'",
        "9999999999999999999999999999999999",
        "0.000000000000000000000000000000001",
        "1000000",
    ],
    "c_numeric2": ["0", "1.5", "-9999999999999999.9999"],
    "c_text": [
        "''",
        "'plain'",
        "'ä \U0001f9c0 日本'",
        "e'tab\\tnew\\nline'",
        "'null'",
        "repeat('long', 3000)",
        "'\"q\"'",
    ],
    "c_varchar": ["''", "'v'", "'fünfzig'"],
    "c_char": ["''", "'ab'", "'ä'", "'12345678'", "' a'"],
    "c_name": ["'name'", "'Ünï'"],
    "c_one": ["'x'", "''"],
    "c_ts": [
        "'2024-02-29 12:34:56.789012'",
        "'1969-12-31 23:59:59.999999'",
        "'0001-01-01 00:00:00'",
        "'4713-01-01 00:00:00 BC'",
        "'294276-12-31 23:59:59.999999'",
        "'infinity'",
        "'-infinity'",
        "'2000-01-01'",
    ],
    "c_ts3": ["'2024-02-29 12:34:56.789'", "'1969-12-31 23:59:59.999'", "'infinity'", "'2000-01-01'"],
    "c_tstz": [
        "'2024-02-29 12:34:56.789012+05:30'",
        "'1969-12-31 23:59:59.000001Z'",
        "'infinity'",
        "'-infinity'",
        "clock_timestamp()",
        "'9999-12-31 23:59:59.999999Z'",
    ],
    "c_date": [
        "'2024-02-29'",
        "'0044-03-15 BC'",
        "'infinity'",
        "'-infinity'",
        "'5874897-12-31'",
        "'1970-01-01'",
    ],
    "c_time": ["'00:00'", "'24:00'", "'12:34:56.789012'", "'23:59:59.9'"],
    "c_timetz": ["'00:00+02'", "'12:34:56.789012-15:59'"],
    "c_interval": [
        "'0'",
        "'1 month'",
        "'-1 year 2 months -3 days 04:05:06.000007'",
        "'1 day -00:00:00.000001'",
        "'178000000 years'",
        "'1000 hours'",
    ],
    "c_uuid": ["'00000000-0000-0000-0000-000000000000'", "gen_random_uuid()"],
    "c_bytea": ["''", "'\\x00ff10'", "decode(repeat('ab', 5000), 'hex')"],
    "c_json": ['\'{"b": 1,  "a": [1.0]}\'', "'null'", "'\"t\"'", '\'{"a": 1, "a": 2}\'', "'1e400'"],
    "c_jsonb": [
        '\'{"b": 1, "a": [1.0, null, true]}\'',
        "'null'",
        "'\"t\"'",
        "'[]'",
        '\'{"$a": {"b.c": ""}, "": 0}\'',
        "'12345678901'",
        "'123456789012345678901'",
        '\'{"_cw": 1, "_id": 2}\'',
    ],
    "c_ints": ["'{}'", "'{1,2,NULL}'", "'{{1,2},{3,4}}'", "'[0:1]={5,6}'"],
    "c_texts": ["'{}'", "array['', 'NULL', null, 'a,b', 'q\"', 'back\\slash', 'ä']", "'{{a},{b}}'"],
    "c_numerics": ["'{1.10,NaN,-3}'", "'{NULL}'"],
    "c_stamps": [
        "'{\"2024-01-01 00:00:00.000001Z\",NULL,infinity}'",
        "'{}'",
        "'{\"2024-01-01 00:00:00.123Z\"}'",
    ],
    "c_moods": ["'{sad,\"very happy\"}'", "'{NULL}'"],
    "c_pairs": ["array[row(1, 'x')::pair, null, row(null, 'a,\"b')::pair]", "'{}'"],
    "c_mood": ["'sad'", "'ok'", "'very happy'"],
    "c_pair": ["row(1, 'x')", "row(null, null)", "row(-1, 'a,(b)\"')"],
    "c_percent": ["0", "99.99", "100"],
    "c_code": ["'x'", "''"],
    "c_percents": ["'{1.5,100}'", "'{}'"],
    "c_inet": ["'127.0.0.1'", "'::1/64'", "'10.1.2.3/8'", "'0.0.0.0/0'"],
    "c_cidr": ["'10.0.0.0/8'", "'::/0'", "'192.168.1.1/32'"],
    "c_macaddr": ["'08:00:2b:01:02:03'"],
    "c_point": ["'(1.5,-2)'", "'(NaN,Infinity)'", "'(0.1,1e300)'"],
    "c_box": ["'((2,2),(1,1))'"],
    "c_bit": ["b'10101'", "b'00000'"],
    "c_varbit": ["b''", "b'1'", "b'1010101010101'"],
    "c_money": ["'0'", "'-12.34'", "'1234567.89'"],
    "c_xml": ["'<a b=\"c\">t</a>'"],
    "c_tsvector": ["'a:1A b:2,3 ''quote''''d'''", "''"],
    "c_range": ["'empty'", "'[1,5)'", "'(,)'", "'[3,]'"],
    "c_tsrange": ["'[2024-01-01 00:00:00.000001,infinity]'", "'empty'", "'(,2024-01-01)'"],
    "c_lsn": ["'0/0'", "'16/B374D848'"],
    "c_oid": ["0", "4294967295"],
    "c_path": ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"],
    "c_query": ["'a & !b | (c:*A <-> d)'", "''"],
    "c_multirange": ["'{}'", "'{[1,3),[5,8)}'"],
}
"""By column of the table `kinds`. NULL belongs to each."""

INDESCRIBABLE: Mapping[str, Sequence[str]] = {
    "c_numeric": ["1234567890.12345678901234567890123456789", "1e40", "10::numeric ^ 200"],
}
"""Values a document cannot hold."""


def sample_row(dice: random.Random, columns: Iterable[str] | None = None) -> dict[str, str]:
    """A value, or NULL, for each of the columns (all of them if none is named)."""
    return {
        name: "null" if dice.random() < 0.15 else dice.choice(SAMPLES[name])
        for name in (SAMPLES if columns is None else columns)
    }
