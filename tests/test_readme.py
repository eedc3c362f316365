"""The code in the README runs."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_has_examples():
    assert len(BLOCKS) == 3


@pytest.mark.slow
@pytest.mark.parametrize("code", BLOCKS)
def test_examples_run(code):
    exec(code, {})
