from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import Unparsed, analyse
from proxy.sql.mentions import LEADING_WORDS, Mentions
from proxy.sql.model import Kind
from proxy.sql.writes import quoted
from tests.sql.texts import comments, texts

_LONG = "n" * 63
_MENTIONS = Mentions(
    frozenset({"accounts", "Orders", "my table", 'we"ird', "größe", "--", "1st", "ΟΔΟΣ", _LONG, "s$x"})
)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM accounts",
        "SELECT * FROM ACCOUNTS a",
        'SELECT * FROM public."accounts"',
        "SELECT*FROM(accounts)",
        "UPDATE accounts SET a=1",
        "SELECT accounts.a FROM s.accounts;",
        'SELECT * FROM "Orders"',
        'SELECT * FROM "my table"',
        'SELECT * FROM "we""ird"',
        'SELECT * FROM "größe"',
        "SELECT * FROM GRÖSSE, größe",
        'SELECT * FROM s."--"',
        'SELECT * FROM "1st"',
        'SELECT * FROM "ΟΔΟΣ".x',
        "SELECT * FROM οδος",
        f"SELECT * FROM {_LONG}",
        f"SELECT * FROM {_LONG}andmore",
        f'SELECT * FROM "{_LONG}and more"',
        "SELECT * FROM s$x",
        'SELECT * FROM U&"\\0061ccounts"',
        "SELECT * FROM u&\"!0061ccounts\" UESCAPE '!'",
        "SELECT set_config('role', 'x', false)",
        "UPDATE pg_settings SET setting = 'x' WHERE name = 'role'",
        "WITH x AS (DELETE FROM accounts) SELECT 1",
    ],
)
def test_a_watched_name_is_found(text: str) -> None:
    assert _MENTIONS.search(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM account",
        "SELECT * FROM accounts2, my_accounts, accountsé, $accounts",
        "SELECT CASE WHEN a THEN b END, begin FROM other",
        "SELECT 'x' AS commit, \"set\" FROM other",
        "SELECT * FROM other; SELECT * FROM another",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "-- commit\nSELECT 1",
        "/* commit */ SELECT 1; /* rollback */",
        "SELECT a -- b",
        "VACUUM other",
        "",
    ],
)
def test_others_are_left_alone(text: str) -> None:
    assert not _MENTIONS.search(text.encode())


@pytest.mark.parametrize("word", LEADING_WORDS)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        " {} x",
        "\n{};",
        "/* a */ -- b\n {}\tx",
        "SELECT 1;{}",
        "SELECT 1; /* x */ {}",
        "/* a /* b */ */ {} x",
        ";;{}",
    ],
)
def test_words_that_lead_a_statement(word: str, text: str) -> None:
    mentions = Mentions(frozenset())
    assert mentions.search(text.format(word).encode())
    assert mentions.search(text.format(word.upper()).encode())
    assert not mentions.search(f"SELECT {word}".encode())
    assert not mentions.search(f"{word}ish".encode())


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "gbk", "shift_jis", "euc_jp", "big5"])
def test_names_in_the_encoding_of_the_client(encoding: str) -> None:
    name = {"latin-1": "größe", "utf-8": "größe"}.get(encoding, "表示")
    mentions = Mentions(frozenset({name, "plain"}))
    assert mentions.search(f'SELECT * FROM "{name}"'.encode(encoding), encoding)
    assert mentions.search(f"SELECT * FROM {name}".encode(encoding), encoding)
    assert mentions.search(f"SELECT '{name}' FROM plain".encode(encoding), encoding)
    assert not mentions.search(f"SELECT '{name[:1]}' FROM other".encode(encoding), encoding)


@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=70),
    data=st.data(),
)
def test_no_name_is_missed(name: str, data: st.DataObject) -> None:
    mentions = Mentions(frozenset({name}))
    text = data.draw(st.sampled_from(["SELECT * FROM {}", "UPDATE s.{} SET a=1", "SELECT '€',{}.a FROM {}x"]))
    assert mentions.search(text.format(quoted(name), "y").encode())


_LED = {
    Kind.BEGIN,
    Kind.COMMIT,
    Kind.ROLLBACK,
    Kind.SAVEPOINT,
    Kind.RELEASE,
    Kind.ROLLBACK_TO,
    Kind.PREPARE,
    Kind.EXECUTE,
    Kind.SET,
    Kind.COPY_FROM,
}


@given(text=texts())
def test_nothing_that_a_session_must_know_is_missed(text: str) -> None:
    """Whatever the parser finds in a text, the look at its bytes has said that it is worth parsing."""
    found = analyse(text).statements
    nothing = Mentions(frozenset())
    assert nothing.search(text.encode()) or not any(statement.kind in _LED for statement in found)
    for statement in found:
        for reference in statement.relations | statement.functions:
            assert Mentions(frozenset({reference.name})).search(text.encode())


@given(
    before=comments(),
    word=st.sampled_from(["COMMIT", "begin", "Set x = 1"]),
    first=st.sampled_from(["", "SELECT 1;"]),
)
def test_no_leading_word_is_missed(before: str, word: str, first: str) -> None:
    text = first + before + word
    try:
        analyse(text)
    except Unparsed:
        return
    assert Mentions(frozenset()).search(text.encode())
