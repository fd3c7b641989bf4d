"""Looks the installed packages up in an index of security advisories, where one can be reached."""

from __future__ import annotations

import json
import subprocess
import sys

QUICK = ()
COMMAND = ("-m", "pip_audit", "--local", "--skip-editable", "--format", "json")


def main() -> int:
    result = subprocess.run(
        [sys.executable, *COMMAND, "--progress-spinner", "off"], capture_output=True, text=True
    )
    try:
        packages = json.loads(result.stdout)["dependencies"]
    except ValueError:
        packages = []
    known = [package for package in packages if "vulns" in package]
    if not known:
        print(result.stderr, end="", file=sys.stderr)
        print("audit: no index of advisories is reachable from here, so nothing was looked up")
        return 0
    found = [(package, advisory) for package in known for advisory in package["vulns"]]
    for package, advisory in found:
        fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {advisory['id']}, mended in {fixed}")
    unknown = len(packages) - len(known)
    print(f"audit: {len(found)} advisories for {len(known)} packages; {unknown} not looked up")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
