"""PostgreSQL's character sets as Python knows them."""

from __future__ import annotations

import codecs

_ENCODINGS = {
    "UTF8": "utf-8",
    "SQL_ASCII": "utf-8",
    "LATIN1": "iso8859-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6",
    "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "WIN866": "cp866",
    "WIN874": "cp874",
    **{f"WIN{number}": f"cp{number}" for number in range(1250, 1259)},
    "EUC_JP": "euc_jp",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_KR": "euc_kr",
    "EUC_CN": "gb2312",
    "SJIS": "shift_jis",
    "SHIFT_JIS_2004": "shift_jis_2004",
    "BIG5": "big5",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "UHC": "cp949",
    "JOHAB": "johab",
}
"""PostgreSQL's names, manual 24.3.1. SQL_ASCII says nothing of its bytes: those that are UTF-8 can be mirrored."""


class UnknownEncoding(ValueError):
    """An encoding that cannot be read here."""


def python_encoding(name: str) -> str:
    """Python's name of a `client_encoding` or `server_encoding`. UnknownEncoding where there is none."""
    folded = name.upper().replace("-", "").replace("UNICODE", "UTF8")
    found = _ENCODINGS.get(name.upper()) or _ENCODINGS.get(folded)
    if found is None:
        raise UnknownEncoding(f"encoding {name} cannot be read")
    return codecs.lookup(found).name
