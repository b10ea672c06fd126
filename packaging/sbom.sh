#!/usr/bin/env bash
# Makes the bill of materials of the binary, CycloneDX 1.5 as JSON: every crate that is compiled in, with its licence and checksum.
. "$(dirname "$0")/common.sh"
need cargo-cyclonedx python3
made=keyward-sbom-$$.cdx
cargo cyclonedx -q --format json --spec-version 1.5 --target "$target" --override-filename "$made"
# Its number and time would make every one another file.
python3 - "$made.json" "$out/keyward-$version.cdx.json" <<'PYTHON'
import json, os, sys, time, uuid

made, place = sys.argv[1:]
bill = json.load(open(made))
bill["metadata"]["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
bill["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, "keyward " + bill["metadata"]["component"]["version"]).urn
text = json.dumps(bill, indent=1).replace("path+file://" + os.getcwd(), "path+file:///keyward")
open(place, "w").write(text + "\n")
print(len(bill["components"]), "components")
PYTHON
rm "$made.json"
told "$out/keyward-$version.cdx.json"
