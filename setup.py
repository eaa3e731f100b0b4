"""What of the package is compiled; everything else stands in pyproject.toml.

All of it is optional. Where no C compiler is present, or mypyc cannot do its part, the Python sources are used:

- the byte path of connections that are only forwarded, and the way of a row to its document in a backfill, have
  twins written in C;
- the hot modules of capture (`MODULES` in proxy/compiled.py) are compiled from their sources by mypyc, unless
  CAUSEWAY_PURE_PYTHON=1. They are put beside their sources, with a record of what they were made from.
"""

import ast
import os
import runpy
import sys
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

COMPILED = runpy.run_path("proxy/compiled.py")
GROUP = "proxy.session._compiled"
"""Leads the name of the library that holds all compiled modules."""
MYPY = ("--config-file=", "--ignore-missing-imports", "--follow-imports=silent")


class BuildExtensions(build_ext):
    def run(self) -> None:
        super().run()
        if os.environ.get("CAUSEWAY_PURE_PYTHON") == "1":
            return
        into = Path() if self.inplace else Path(self.build_lib)
        record = into / "proxy" / COMPILED["RECORD"]
        record.unlink(missing_ok=True)
        try:
            compile_modules(into, Path(self.build_temp))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the sources do
            print(f"capture is not compiled, its sources are used: {error!r}", file=sys.stderr)
        else:
            record.write_text(COMPILED["record_of"]("proxy", sources()))


def compile_modules(into: Path, scratch: Path) -> None:
    from mypyc.build import mypycify

    scratch.mkdir(parents=True, exist_ok=True)
    extensions = mypycify(
        [*MYPY, f"--cache-dir={scratch / 'mypy'}", *map(path_of, COMPILED["MODULES"])],
        group_name=GROUP,
        opt_level="2",
        debug_level="0",
        target_dir=str(scratch),
    )
    build = Distribution({"name": "compiled", "ext_modules": extensions}).get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(into), str(scratch)
    build.force = True
    build.ensure_finalized()
    build.run()


def sources() -> list[str]:
    """Everything of the package that the compiled modules import, from wherever: what is known of its types is
    compiled in. Paths below the package."""
    found: set[str] = set()
    waiting = list(COMPILED["MODULES"])
    while waiting:
        path = path_of(waiting.pop())
        if path in found or not Path(path).is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(Path(path).read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("proxy"):
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return sorted(path.removeprefix("proxy/") for path in found)


def path_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


setup(
    cmdclass={"build_ext": BuildExtensions},
    ext_modules=[
        Extension(
            "proxy.wire._framing",
            sources=["proxy/wire/_framing.c"],
            depends=["proxy/wire/walk.h"],
            optional=True,
        ),
        Extension(
            "proxy.session._relay",
            sources=["proxy/session/_relay.c"],
            depends=["proxy/wire/walk.h"],
            optional=True,
        ),
        Extension("proxy.documents._rows", sources=["proxy/documents/_rows.c"], optional=True),
    ],
)
