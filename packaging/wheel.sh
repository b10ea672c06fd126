#!/usr/bin/env bash
# Makes the Python wheel of the binary that packaging/binary.sh made: `pip install`, `uvx keyward`. Nothing is compiled, and
# nothing of it is Python.
. "$(dirname "$0")/common.sh"
need python3
[ -x "$binary" ] || die "packaging/binary.sh comes first"
python3 - "$binary" "$out" "$version" "manylinux_${glibc/./_}_$arch_wheel" <<'PYTHON'
import base64, hashlib, os, sys, time, zipfile

binary, out, version, platform = sys.argv[1:]
name = f"keyward-{version}"
when = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800))[:6]
metadata = f"""Metadata-Version: 2.4
Name: keyward
Version: {version}
Summary: Issue, scope, rotate, revoke, verify and audit API keys from the shell
License-Expression: Apache-2.0 OR MIT
License-File: LICENSE-APACHE
License-File: LICENSE-MIT
Requires-Python: >=3.8
Description-Content-Type: text/markdown

{open("README.md", encoding="utf-8").read()}"""
tag = f"Wheel-Version: 1.0\nGenerator: keyward\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n"
files = {
    f"{name}.data/scripts/keyward": (open(binary, "rb").read(), 0o755),
    f"{name}.dist-info/METADATA": (metadata.encode(), 0o644),
    f"{name}.dist-info/WHEEL": (tag.encode(), 0o644),
    f"{name}.dist-info/licenses/LICENSE-APACHE": (open("LICENSE-APACHE", "rb").read(), 0o644),
    f"{name}.dist-info/licenses/LICENSE-MIT": (open("LICENSE-MIT", "rb").read(), 0o644),
}
record = f"{name}.dist-info/RECORD"
lines = []
for path, (data, _) in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    lines.append(f"{path},sha256={digest},{len(data)}\n")
files[record] = ("".join(lines + [f"{record},,\n"]).encode(), 0o644)
wheel = f"{out}/{name}-py3-none-{platform}.whl"
with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path, (data, mode) in files.items():
        entry = zipfile.ZipInfo(path, when)
        entry.external_attr = (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, data)
print(wheel)
PYTHON
told "$out/keyward-$version-py3-none-manylinux_${glibc/./_}_$arch_wheel.whl"
