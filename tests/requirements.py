"""Handling of tests whose requirements the machine does not meet."""

import os
import subprocess
from typing import NoReturn

import pytest


def not_met(reason: str) -> NoReturn:
    """Fail in CI, where all requirements must be met; skip elsewhere, with the reason."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def mounted(*arguments: str, what: str) -> None:
    """Run `mount`, which requires root; where it fails, the test of `what` is not run."""
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        not_met(f"{what} cannot be tested here: {error} {getattr(error, 'stderr', '')}")
