"""What everything that status and reports are made of has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Unknown fields are ignored: a newer proxy may be asked by an older command."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
