from __future__ import annotations

from struct import pack

import pytest

from proxy.documents.codec import Codec
from proxy.documents.geometry import BOX, CIRCLE, LINE, LSEG, PATH, POINT, POLYGON


@pytest.mark.parametrize(
    ("codec", "raw", "text"),
    [
        (POINT, pack(">dd", 1, -0.0), "(1,-0)"),
        (LSEG, pack(">4d", 0, 0, 1, 1.5), "[(0,0),(1,1.5)]"),
        (BOX, pack(">4d", 1, 1, 0, 0), "(1,1),(0,0)"),
        (PATH, pack(">?i4d", False, 2, 0, 0, 1, 1), "[(0,0),(1,1)]"),
        (PATH, pack(">?i4d", True, 2, 0, 0, 1, 1), "((0,0),(1,1))"),
        (POLYGON, pack(">i4d", 2, 0, 0, 1, 1), "((0,0),(1,1))"),
        (LINE, pack(">3d", 1, -1, 0.3), "{1,-1,0.3}"),
        (CIRCLE, pack(">3d", 1, 2, 3.5), "<(1,2),3.5>"),
    ],
)
def test_shapes_as_postgres_writes_them(codec: Codec, raw: bytes, text: str) -> None:
    assert codec.decode(raw) == text
    assert codec.key is None
