"""Sources of credentials, which are sent only to the form."""

from pathlib import Path

import pytest

from seg.datasets.login import Login

LOGIN = Login("https://www.example.org/login", "TOY_USER", "TOY_PASSWORD")


@pytest.fixture(autouse=True)
def netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Path in `NETRC` to a file that does not exist; no variable is set."""
    monkeypatch.delenv(LOGIN.user, raising=False)
    monkeypatch.delenv(LOGIN.password, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def test_the_environment_precedes_the_netrc_file(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOGIN.credentials() is None
    netrc.write_text("machine example.org login no password no\nmachine www.example.org login eve password s3cret\n")
    assert LOGIN.credentials() == ("eve", "s3cret")
    monkeypatch.setenv(LOGIN.user, "ada")
    monkeypatch.setenv(LOGIN.password, "pass word&1")
    assert LOGIN.credentials() == ("ada", "pass word&1")


def test_without_the_variable_the_netrc_of_the_home_directory_is_read(
    netrc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETRC")
    monkeypatch.setenv("HOME", str(netrc.parent))
    (netrc.parent / ".netrc").write_text("machine www.example.org login eve password s3cret\n")
    assert LOGIN.credentials() == ("eve", "s3cret")


@pytest.mark.parametrize("text", ["default login eve password s3cret\n", "machine www.example.org login eve\n", ""])
def test_entries_of_other_hosts_and_incomplete_ones_are_ignored(netrc: Path, text: str) -> None:
    netrc.write_text(text)
    assert LOGIN.credentials() is None


@pytest.mark.parametrize("text", [b"machine www.example.org login eve password a s3cret\n", b"machine s3cret\xff"])
def test_a_file_that_cannot_be_read_is_named_without_its_content(netrc: Path, text: bytes) -> None:
    netrc.write_bytes(text)
    with pytest.raises(ValueError, match="not a valid netrc file") as caught:
        LOGIN.credentials()
    assert str(netrc) in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("given", "absent"), [("TOY_USER", "TOY_PASSWORD"), ("TOY_PASSWORD", "TOY_USER")])
def test_only_one_of_user_and_password_is_an_error(monkeypatch: pytest.MonkeyPatch, given: str, absent: str) -> None:
    monkeypatch.setenv(given, "s3cret")
    with pytest.raises(ValueError, match=f"{given} is set, but {absent} is not; set both or neither"):
        LOGIN.credentials()


def test_a_login_requires_credentials() -> None:
    with pytest.raises(ValueError, match="requires a login; set TOY_USER and TOY_PASSWORD, or add an entry for"):
        LOGIN.open()
