"""Login to a host that requires registration, through the form on its web page.

User and password are read when a login is opened and sent only to the form's URL: redirects are not followed, and
neither files nor messages contain them.
"""

import netrc
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from urllib3 import Retry

from seg.system.fetch import DEFAULT_RETRY, TIMEOUT, describe_error, retrying_session

_REDIRECTS = (302, 303)  # responses to a successful login, unless they lead back to the form
_DENIED = (401, 403)


@dataclass(frozen=True)
class Login:
    """URL of a login form and where to find the credentials.

    Attributes:
        url: address of the form, whose fields are `username`, `password` and `submit`.
        user: environment variable with the user's name.
        password: environment variable with the password.
    """

    url: str
    user: str
    password: str

    @property
    def host(self) -> str:
        """Machine name of the entry in ~/.netrc."""
        return urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        return f"set {self.user} and {self.password}, or add an entry for machine {self.host} to ~/.netrc"

    def credentials(self) -> tuple[str, str] | None:
        """User and password from the environment, else from `$NETRC` or ~/.netrc; `None` if there are none.

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
            entry = netrc.netrc(path).hosts.get(self.host)  # without the `default` entry, which is for other hosts
        except (netrc.NetrcParseError, UnicodeError):  # whose message may contain a password
            raise ValueError(f"{path}: not a valid netrc file; fix it, or {self}") from None
        return (entry[0], entry[2]) if entry and entry[0] and entry[2] else None

    def open(self, retry: Retry = DEFAULT_RETRY) -> requests.Session:
        """Log in. Returns a session with the host's cookies.

        Raises:
            ValueError: there are no credentials, or the host does not accept them.
            OSError: the host does not respond as expected.
        """
        given = self.credentials()
        if given is None:
            raise ValueError(f"{self.url}: requires a login; {self}")
        session = retrying_session(retry)
        session.auth = lambda request: request  # disables requests' own use of ~/.netrc
        form = {"username": given[0], "password": given[1], "submit": "Login"}
        try:
            # The page may set a cookie that the form requires.
            session.get(self.url, timeout=TIMEOUT, allow_redirects=False).close()
            answer = session.post(self.url, data=form, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise OSError(f"{self.url}: cannot log in ({describe_error(error)}); run again later") from None
        self._check(answer)
        return session

    def _check(self, answer: requests.Response) -> None:
        """Raise if the login failed: the host denies it, shows the form again, or redirects to it."""
        status = answer.status_code
        target = urlsplit(urljoin(self.url, answer.headers.get("Location", "")))
        again = re.search(r"""type\s*=\s*["']?password""", answer.text, re.IGNORECASE)
        back = status in _REDIRECTS and target.path.rstrip("/") == urlsplit(self.url).path.rstrip("/")
        if status in _DENIED or (status == 200 and again) or back:
            raise ValueError(f"{self.url}: user or password not accepted; {self}")
        if status != 200 and status not in _REDIRECTS:
            raise OSError(
                f"{self.url}: cannot log in (HTTP {status}); run again later or download the archives by hand"
            )
