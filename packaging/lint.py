"""Whether manifests hang together: what is mounted is a volume, what is a volume is mounted, what is selected is labelled, and the
version is that of Cargo.toml."""

import re
import sys

import yaml

version = re.search(r'^version = "(.*)"', open("Cargo.toml").read(), re.M)[1]
wrong = []


def pods(thing):
    """The specifications of pods, wherever they stand."""
    if isinstance(thing, dict):
        if "containers" in thing:
            yield thing
        for inner in thing.values():
            yield from pods(inner)
    elif isinstance(thing, list):
        for inner in thing:
            yield from pods(inner)


for path in sys.argv[1:]:
    text = open(path).read()
    documents = list(yaml.safe_load_all(text))
    for image in re.findall(r"image: keyward:(\S+)", text):
        if image != version:
            wrong.append(f"{path}: the image is of version {image}, and this is {version}")
    labelled = [document["spec"]["template"]["metadata"]["labels"] for document in documents if document.get("kind") == "Deployment"]
    for document in documents:
        kind = document.get("kind", "")
        if kind and not (document.get("apiVersion") and document["metadata"].get("name")):
            wrong.append(f"{path}: a {kind} without apiVersion or name")
        if kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            spec = document["spec"]
            chosen = spec.get("podSelector") or spec.get("selector")
            chosen = chosen.get("matchLabels", chosen)
            if not any(chosen.items() <= labels.items() for labels in labelled):
                wrong.append(f"{path}: the {kind} selects nothing")
    for pod in pods(documents):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        every = pod["containers"] + pod.get("initContainers", [])
        mounted = {mount["name"] for container in every for mount in container.get("volumeMounts", [])}
        if volumes != mounted:
            wrong.append(f"{path}: volumes and mounts differ: {sorted(volumes ^ mounted)}")
        for container in every:
            context = container.get("securityContext", {})
            if not context.get("readOnlyRootFilesystem") or context.get("capabilities", {}).get("drop") != ["ALL"]:
                wrong.append(f"{path}: the container {container['name']} may do more than it needs")

print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(bool(wrong))
