"""What cannot be tried on a machine."""

import os
import subprocess
from typing import NoReturn

import pytest


def untried(reason: str) -> NoReturn:
    """Fail in CI, where everything is to be there; elsewhere skip, and say why."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def mounted(*arguments: str, what: str) -> None:
    """Mount as root may; where that is refused, `what` is `untried`."""
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        untried(f"{what} cannot be tried here: {error} {getattr(error, 'stderr', '')}")
