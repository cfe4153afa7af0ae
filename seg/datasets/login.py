"""Logging in to a host that hands out its data to registered people, by the form that its web page has.

User and password are read when they are needed and sent to the form's address alone: no redirect is followed, nothing
is written down, and no message holds them.
"""

import netrc
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from seg.system.fetch import PASSING, PATIENT, Patience, words

_SEE_OTHER = (302, 303)  # the answer to a form that was taken, but for those that send a person back to it
_DENIED = (401, 403)


@dataclass(frozen=True)
class Login:
    """Where and as whom to log in.

    Attributes:
        url: of the form; its fields are `username`, `password` and `submit`.
        user: environment variable that holds the user's name.
        password: environment variable that holds the password.
    """

    url: str
    user: str
    password: str

    @property
    def host(self) -> str:
        """Name under which ~/.netrc has the user and the password."""
        return urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        return f"set {self.user} and {self.password}, or give both for machine {self.host} in ~/.netrc"

    def credentials(self) -> tuple[str, str] | None:
        """User and password from the environment, else from ~/.netrc or the file that `NETRC` names; `None` for none.

        Raises:
            ValueError: only one of the two variables is set, or the file cannot be read.
        """
        user, password = os.environ.get(self.user), os.environ.get(self.password)
        if user and password:
            return user, password
        if user or password:
            present, absent = (self.user, self.password) if user else (self.password, self.user)
            raise ValueError(f"{present} is set, but {absent} is not; set both or neither")
        path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        if not path.exists():
            return None
        try:
            entry = netrc.netrc(path).hosts.get(self.host)  # not its `default`, which is meant for others
        except (netrc.NetrcParseError, UnicodeError):  # whose own words may repeat a password
            raise ValueError(f"{path}: cannot be read as a netrc file; mend it, or {self}") from None
        return (entry[0], entry[2]) if entry and entry[0] and entry[2] else None

    def open(self, patience: Patience = PATIENT) -> requests.Session:
        """A session that is logged in.

        Raises:
            ValueError: no user and password are given, or the host does not accept them.
            OSError: the host does not answer, or not as it should.
        """
        given = self.credentials()
        if given is None:
            raise ValueError(f"{self.url}: needs a login; {self}")
        session = requests.Session()
        session.auth = lambda request: request  # else an entry in ~/.netrc would go along with every request
        for idle in range(1, patience.tries + 1):
            try:
                answer = self._submit(session, given, patience)
                if answer.status_code not in PASSING:
                    self._judge(answer)
                    return session
                reason = f"HTTP {answer.status_code}"
            except requests.RequestException as error:
                reason = words(error)
            if idle < patience.tries:
                patience.wait(idle)
        raise OSError(f"{self.url}: cannot log in ({reason}); run again later")

    def _submit(self, session: requests.Session, given: tuple[str, str], patience: Patience) -> requests.Response:
        """Open the form's page, which may give a cookie that the form needs, and send the form."""
        session.get(self.url, timeout=patience.timeout, allow_redirects=False).close()
        form = {"username": given[0], "password": given[1], "submit": "Login"}
        return session.post(self.url, data=form, timeout=patience.timeout, allow_redirects=False)

    def _judge(self, answer: requests.Response) -> None:
        """Raise where the host did not let us in: it shows the form again, sends back to it, or says so."""
        status = answer.status_code
        target = urlsplit(urljoin(self.url, answer.headers.get("Location", "")))
        again = re.search(r"""type\s*=\s*["']?password""", answer.text, re.IGNORECASE)
        back = status in _SEE_OTHER and target.path.rstrip("/") == urlsplit(self.url).path.rstrip("/")
        if status in _DENIED or (status == 200 and again) or back:
            raise ValueError(f"{self.url}: the user's name or the password is not accepted; {self}")
        if status != 200 and status not in _SEE_OTHER:
            raise OSError(f"{self.url}: cannot log in (HTTP {status}); get the archives by hand")
