"""What cannot be tried on a machine."""

import os
from typing import NoReturn

import pytest


def untried(reason: str) -> NoReturn:
    """Fail in CI, where everything is to be there; elsewhere skip, and say why."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
