"""Where commands take a policy from: a file, or the target branch of a repository; never from the change itself."""

import subprocess
from pathlib import Path

import click

from kilonova.health.ci.policy import FILE, Policy, policy_read
from kilonova.health.importing import NoFile

policy_option = click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), help="The policy, in place of the repository's."
)
repository_option = click.option(
    "--repository", type=click.Path(path_type=Path), default=".", help=f"A clone whose branches hold {FILE}. [.]"
)


def policy_of_file(path: Path) -> tuple[Policy, str]:
    """A policy and its text. Raises `NoFile`, `BadPolicy`."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NoFile(path=path, reason=getattr(error, "strerror", None) or str(error)) from error
    return policy_read(text, str(path)), text


def policy_of_branch(repository: Path, branch: str) -> tuple[Policy, str]:
    """The policy of a branch, as its remote has it or, without a remote, as it is. Raises `NoFile`, `BadPolicy`."""
    reason = "there is no git"
    for name in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"):
        words = ["git", "-C", str(repository), "show", f"{name}:{FILE}"]
        try:
            found = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
        except OSError:
            break
        if found.returncode == 0:
            return policy_read(found.stdout, f"{FILE} of {branch}"), found.stdout
        reason = found.stderr.strip().partition("\n")[0]
    raise NoFile(path=f"{FILE} of the branch {branch} in {repository}", reason=reason)
