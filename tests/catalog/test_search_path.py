"""search_path as text and by role."""

from __future__ import annotations

import pytest

from proxy.catalog.search_path import Setting, resolve, search_paths, split_search_path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"$user", public', ("$user", "public")),
        ("", ()),
        ("Shop,b", ("shop", "b")),
        (' "Shop" ,"a ""b"", c" ', ("Shop", 'a "b", c')),
        ('""', ("",)),
        ('"open', ()),
        ("a b", ()),
    ],
)
def test_split(text: str, names: tuple[str, ...]) -> None:
    assert split_search_path(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"$user", public', ("joe", "public")),
        ("pg_catalog, public, public", ("public",)),
        ('""', ()),
        ("pg_temp, a", ("pg_temp", "a")),
    ],
)
def test_resolve(text: str, names: tuple[str, ...]) -> None:
    assert resolve(text, "joe", {"joe", "public"}) == names
    assert "$user" not in resolve(text, "ann", {"joe", "public"})


def test_the_narrowest_setting_holds() -> None:
    settings = [
        Setting(False, "", "everybody"),
        Setting(True, "", "here"),
        Setting(False, "joe", "joes"),
        Setting(True, "joe", "joes_here"),
    ]
    for count, expected in ((0, "public"), (1, "everybody"), (2, "here"), (3, "joes"), (4, "joes_here")):
        paths = search_paths(["joe", "ann"], "public", settings[:count], set())
        assert paths["joe"] == (expected,)
        assert paths["ann"] == (("public", "everybody", "here")[min(count, 2)],)
