"""Runs the steps of a composite action of GitHub, or a job of a component of GitLab, as far as that goes without their hosts.

steps.py github ACTION_DIR DIRECTORY [INPUT=VALUE …]   the shell steps, in order; DIRECTORY holds what a runner keeps
steps.py gitlab FILE JOB DIRECTORY [INPUT=VALUE …]      before_script and script, in one shell, in the working directory

Prints what the steps print, with masked values replaced, and at the end of an action one line `output NAME=VALUE` each. What is
said with `uses:` is another action: it is named and left out. ID_TOKENS holds the tokens that GitLab would give, by audience, as JSON.
The exit code is that of the step that failed.
"""

import json
import os
import re
import subprocess
import sys

import yaml


def inputs_of(declared, given):
    values = {}
    for name, about in (declared or {}).items():
        if name in given:
            values[name] = given.pop(name)
        elif "default" in (about or {}):
            values[name] = str(about["default"])
        else:
            sys.exit(f"the input {name} is missing")
    if given:
        sys.exit(f"no such input: {', '.join(given)}")
    return values


def run(script, env, masks):
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    ran = subprocess.run(shell, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in ran.stdout.splitlines():
        if line.startswith("::add-mask::"):
            masks.append(line.removeprefix("::add-mask::"))
            continue
        for mask in masks:
            line = line.replace(mask, "***")
        print(line)
    return ran.returncode


def pairs(path):
    with open(path) as lines:
        text = lines.read()
    return dict(line.split("=", 1) for line in text.splitlines() if line)


def github(directory, keeps, given):
    action = yaml.safe_load(open(f"{directory}/action.yml"))
    inputs, outputs, masks, code = inputs_of(action.get("inputs"), given), {}, [], 0

    def value(text):
        def one(found):
            where, *path = found[1].strip().split(".")
            if where == "inputs":
                return inputs[path[0]]
            if where == "steps" and path[1] == "outputs":
                return outputs.get(path[0], {}).get(path[2], "")
            sys.exit(f"the runner has no {found[1]}")

        return re.sub(r"\$\{\{(.*?)\}\}", one, str(text))

    def holds(condition):
        parts = condition.replace("${{", "").replace("}}", "").split("&&")
        sides = [[side.strip() for side in part.split("==")] for part in parts]
        return all(value("${{" + left + "}}") == right.strip("'") for left, right in sides)

    for step in action["runs"]["steps"]:
        if "if" in step and not holds(step["if"]):
            continue
        if "uses" in step:
            print(f"left out: {step['uses']}")
            continue
        if "${{" in step["run"]:
            sys.exit("an expression in a script is code of whoever fills it in")
        env = dict(os.environ, RUNNER_TEMP=keeps, GITHUB_ACTIONS="true", CI="true")
        for kept, name in (("env", "GITHUB_ENV"), ("path", "GITHUB_PATH"), ("output", "GITHUB_OUTPUT")):
            env[name] = f"{keeps}/{kept}"
            open(env[name], "a").close()
        open(env["GITHUB_OUTPUT"], "w").close()
        env["GITHUB_STEP_SUMMARY"] = f"{keeps}/summary.md"
        env.update(pairs(env["GITHUB_ENV"]))
        before = [line.strip() for line in open(env["GITHUB_PATH"])]
        env["PATH"] = ":".join(before[::-1] + [env["PATH"]])
        env.update({name: value(text) for name, text in step.get("env", {}).items()})
        code = run(step["run"], env, masks)
        outputs[step.get("id")] = pairs(env["GITHUB_OUTPUT"])
        if code:
            break
    for name, about in action.get("outputs", {}).items():
        print(f"output {name}={value(about['value'])}")
    return code


def gitlab(file, job, keeps, given):
    head, body = open(file).read().split("\n---\n")
    inputs = inputs_of(yaml.safe_load(head)["spec"]["inputs"], given)
    jobs = yaml.safe_load(re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", lambda found: inputs[found[1]], body))
    steps = dict(jobs[jobs[job].get("extends")] if "extends" in jobs[job] else {}, **jobs[job])
    # A variable that nobody set is empty, as the runner has it.
    given = {name: re.sub(r"^\$\w+$", "", os.path.expandvars(text)) for name, text in steps.get("variables", {}).items()}
    tokens = json.loads(os.environ.get("ID_TOKENS", "{}"))
    given.update({name: tokens.get(about["aud"], "") for name, about in steps.get("id_tokens", {}).items()})
    os.chdir(keeps)
    env = dict(os.environ, CI="true", GITLAB_CI="true", **given)
    masks = [text for text in [*tokens.values(), env["STORED"]] if text]
    return run("\n".join(steps.get("before_script", []) + steps["script"]), env, masks)


kind, what, *rest = sys.argv[1:]
given = dict(pair.split("=", 1) for pair in rest[1 if kind == "github" else 2 :])
sys.exit(github(what, rest[0], given) if kind == "github" else gitlab(what, rest[0], rest[1], given))
