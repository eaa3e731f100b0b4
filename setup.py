"""The compiled twin of the header walk; everything else stands in pyproject.toml.

The extension is optional: where no C compiler is present the pure Python version is used.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "proxy.wire._framing",
            sources=["proxy/wire/_framing.c"],
            optional=True,
        )
    ]
)
