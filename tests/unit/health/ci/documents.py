"""Documents as Gerrit, GitHub and Zuul send them, written for the tests."""

import json
import os
from pathlib import Path

REAL = Path(os.environ.get("HEALTH_DATA", "../shared/bugsci"))
"""Where real data is, if it is here: see `docs/operate/ci.md`."""
HOST = "review.example.org"
T0 = 1_700_000_000
HOUR = 3600.0


def stream(kind: str, number: int = 1, patchset: int = 1, at: float = T0, created: float = T0, **more: object) -> bytes:
    change = {
        "project": "demo/compute",
        "branch": "master",
        "number": str(number),
        "subject": f"Change {number}",
        "owner": {"username": f"author{number % 7}", "name": "Whoever"},
        "url": f"https://{HOST}/{number}",
    }
    patch_set = {
        "number": str(patchset),
        "revision": f"{number:04x}{patchset:04x}",
        "createdOn": int(created),
        "kind": "REWORK",
    }
    document = {"type": kind, "change": change, "patchSet": patch_set, "eventCreatedOn": int(at), **more}
    return json.dumps(document).encode() + b"\n"


def ci_comment(
    number: int, verdict: str, at: float, account: str = "acme-ci", patchset: int = 1, created: float = T0
) -> bytes:
    text = f"Patch Set {patchset}:\n\nBuild done.\n\n- acme-tempest https://logs.example/{number} : {verdict} in 1h 02m 03s"
    more = {"comment": text, "author": {"username": account}, "approvals": []}
    return stream("comment-added", number, patchset, at, created, **more)


def change_info(number: int = 1, **more: object) -> dict[str, object]:
    return {
        "_number": number,
        "project": "demo/compute",
        "branch": "master",
        "subject": f"Change {number}",
        "status": "NEW",
        "created": "2023-11-14 22:13:20.000000000",
        "updated": "2023-11-14 23:13:20.000000000",
        "owner": {"_account_id": 7, "username": "author1"},
        "current_revision": "aa",
        "revisions": {
            "aa": {
                "_number": 1,
                "kind": "REWORK",
                "created": "2023-11-14 22:13:20.000000000",
                "files": {"/COMMIT_MSG": {}, "driver/acme/disk.py": {"status": "M"}},
                "commit": {"message": "Change\n\nImplements: blueprint disks"},
            }
        },
        "messages": [],
        **more,
    }


REGISTRY = """
version: 1
systems:
  - name: acme
    owner: Acme
    contact: ci@acme.example
    accounts: ["*:acme-ci"]
    covers:
      - {project: demo/compute, paths: ["driver/acme/**"], features: [virt.acme], drivers: [acme]}
    examples:
      - {text: "- acme-tempest https://logs.example/1 : SUCCESS in 5m 01s", verdict: success}
      - {text: "- acme-tempest https://logs.example/1 : FAILURE in 5m 01s", verdict: failure}
      - {text: "- acme-tempest https://logs.example/1 : NODE_FAILURE in 5m 01s", verdict: infra}
      - {text: "Build Started https://logs.example/1", verdict: started}
      - {text: "Looks good", verdict: none}
  - name: gate
    owner: Demo
    contact: infra@demo.example
    reference: true
    accounts: ["review.example.org:zuul"]
    covers: [{project: demo/compute}]
    examples:
      - {text: "- unit https://logs.example/1 : SUCCESS in 5m 01s", verdict: success}
      - {text: "- unit https://logs.example/1 : FAILURE in 5m 01s", verdict: failure}
"""
