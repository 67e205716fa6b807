#!/usr/bin/env python3
"""Runs the models of src/models/: under loom, under shuttle, and against planted bugs.

A model that holds proves nothing if it would hold anyway. So each bug below is planted into a copy of the sources,
one at a time, and at least one model must fail for it.

    tests/models/run.py                everything
    tests/models/run.py loom           one part: loom, shuttle or bugs

Exit code 0: every model holds and every bug is found.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# A model that does not end is a bug, too.
PATIENCE = 240

# What is planted: a name, the file, what stands there, and what takes its place. Each text stands there once.
BUGS = [
    (
        "a release that notifies nobody",
        "src/sync/semaphore.rs",
        "if self.word.give(n).has(CALL) {",
        "if self.word.give(n).has(CALL) && false {",
    ),
    (
        "a notification lost: who was called does not call the next",
        "src/sync/semaphore/line.rs",
        "if was_called {\n                        self.call_from(line);\n                    }",
        "drop(line);",
    ),
    (
        "a notification lost: who gives up does not call the next",
        "src/sync/semaphore/line.rs",
        "            // Whoever is next may want less.\n            self.call_from(line);\n",
        "",
    ),
    (
        "a release in relaxed order",
        "src/sync/semaphore/word.rs",
        "fetch_add(Seen::of(n).0, Ordering::Release)",
        "fetch_add(Seen::of(n).0, Ordering::Relaxed)",
    ),
    (
        "an acquire in relaxed order",
        "src/sync/semaphore/word.rs",
        ".compare_exchange(from.0, to.0, Ordering::Acquire, Ordering::Relaxed)",
        ".compare_exchange(from.0, to.0, Ordering::Relaxed, Ordering::Relaxed)",
    ),
    (
        "a signal in relaxed order",
        "src/sync/semaphore/waiter.rs",
        "swap(signal as u8, Ordering::AcqRel)",
        "swap(signal as u8, Ordering::Relaxed)",
    ),
    (
        "`if` for `while`: an unpark is taken for a permit",
        "src/sync/semaphore/waiter.rs",
        "while self.signal() == Signal::Asleep && park_until(deadline) {}",
        "if self.signal() == Signal::Asleep && park_until(deadline) {}",
    ),
    (
        "getting in line in a step of its own, after the look at what is free",
        "src/sync/semaphore/line.rs",
        "            match self.word.step(seen, next) {\n                Ok(()) if takes => return Ok(Door::Taken),",
        "            if !takes {\n                seen = self.word.look();\n            }\n"
        "            let next = if takes { next } else { seen.with(self.discipline.marks()) };\n"
        "            match self.word.step(seen, next) {\n                Ok(()) if takes => return Ok(Door::Taken),",
    ),
    (
        "a fair semaphore whose newcomers overtake",
        "src/sync/semaphore/line.rs",
        "self.discipline == Discipline::Barging || line.waiters.is_empty()",
        "true",
    ),
    (
        "a mailbox whose poster and owner both think the other sends",
        "src/mailbox.rs",
        "Duty::Replying if self.duty.step(Duty::Replying, Duty::Taken) => {",
        "Duty::Replying => {",
    ),
    (
        "a mailbox that does not say when the duty is free",
        "src/mailbox.rs",
        "            self.freed.notify_one();\n",
        "",
    ),
]


def build(tree, checker):
    """The test binary of the library with the models in it."""
    command = ["cargo", "rustc", "--quiet", "--lib", "--profile", "test", "--no-default-features"]
    command += ["--message-format", "json", "--", "--cfg", f'model_check="{checker}"', "--cap-lints", "warn"]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET))
    built = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{messages(built.stdout)}{built.stderr}")
    executables = [
        message["executable"]
        for message in map(json.loads, built.stdout.splitlines())
        if message.get("reason") == "compiler-artifact" and message.get("executable")
    ]
    # The next build may write to the same place.
    copy = tempfile.NamedTemporaryFile(prefix="guardhouse-models-", delete=False)
    copy.close()
    shutil.copy(executables[-1], copy.name)
    return copy.name


def messages(lines):
    parsed = (json.loads(line) for line in lines.splitlines())
    return "".join(m["message"]["rendered"] for m in parsed if m.get("reason") == "compiler-message")


def run(binary, preemptions=None):
    """Runs the models: whether all hold, what they printed, and for how long they ran."""
    environment = dict(os.environ, RUST_BACKTRACE="0")
    environment.pop("LOOM_MAX_PREEMPTIONS", None)
    if preemptions:
        environment["LOOM_MAX_PREEMPTIONS"] = str(preemptions)
    began = time.monotonic()
    try:
        done = subprocess.run(
            [binary, "models::", "--nocapture" if not preemptions else "--quiet"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        holds, said = done.returncode == 0, done.stdout
        if holds and " 0 passed" in said:
            sys.exit("no model was run: the build left them out")
    except subprocess.TimeoutExpired as expired:
        holds, said = False, (expired.stdout or b"").decode(errors="replace") + "timed out\n"
    finally:
        os.unlink(binary)
    return holds, said, time.monotonic() - began


def hold(checker):
    holds, said, seconds = run(build(ROOT, checker))
    models = said.count(" ... ") or said.count(" orders")
    orders = sum(int(line.split()[-2]) for line in said.splitlines() if line.endswith(" orders"))
    counted = f" in {orders} orders" if orders else ""
    print(f"{checker:8} {models} models {'hold' if holds else 'DO NOT HOLD'}{counted} ({seconds:.1f} s)", flush=True)
    if not holds:
        print(said)
    return holds


def find_bugs():
    found_all = True
    with tempfile.TemporaryDirectory(prefix="guardhouse-bugs-") as directory:
        tree = pathlib.Path(directory)
        # With the same flags, what was built for the true sources serves for the copy, too.
        for name in [".cargo", "src", "benches", "examples", "tests"]:
            shutil.copytree(ROOT / name, tree / name)
        for name in ["Cargo.toml", "Cargo.lock", "README.md"]:
            shutil.copy(ROOT / name, tree / name)
        for name, file, there, planted in BUGS:
            path = tree / file
            original = path.read_text()
            if original.count(there) != 1:
                sys.exit(f"{name}: {file} does not have this text once:\n{there}")
            path.write_text(original.replace(there, planted))
            holds, said, seconds = run(build(tree, "loom"), preemptions=3)
            path.write_text(original)
            by = sorted({line[5:-5] for line in said.splitlines() if line.startswith("---- ")})
            verdict = "NOT FOUND" if holds else "found"
            print(f"{verdict:9} {name} ({seconds:.1f} s)", flush=True)
            for model in by[:3]:
                print(f"          by {model.removeprefix('models::').removesuffix(' stdout')}")
            found_all &= not holds
    return found_all


PARTS = {"loom": lambda: hold("loom"), "shuttle": lambda: hold("shuttle"), "bugs": find_bugs}


def main():
    chosen = sys.argv[1:] or list(PARTS)
    for part in chosen:
        if part not in PARTS:
            sys.exit(f"{part} is no part: choose among {', '.join(PARTS)}")
    # All of them, also after one has failed.
    sys.exit(0 if all([PARTS[part]() for part in chosen]) else 1)


if __name__ == "__main__":
    main()
