#!/usr/bin/env python3
"""Runs the models of src/models/: under loom, under shuttle, and against planted bugs.

A model that holds proves nothing if it would hold anyway. So each bug below is planted into a copy of the sources,
one at a time, and at least one model must fail for it.

    tests/models/run.py                everything
    tests/models/run.py loom           one part: loom, shuttle or bugs

`LOOM_MAX_PREEMPTIONS=5` looks further than the usual 3, for minutes.

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

# What is planted: a name, the file, what stands there once, what takes its place, and a model that must fail for it.
BUGS = [
    (
        "a release that notifies nobody",
        "src/sync/semaphore.rs",
        "if self.word.give(n).has(CALL) {",
        "if self.word.give(n).has(CALL) && false {",
        "semaphore::fair::three_threads_and_one_permit",
    ),
    (
        "a notification lost: who was called and got in does not call the next",
        "src/sync/semaphore/line.rs",
        "        if was_called {\n            self.call();\n        }\n",
        "",
        "semaphore::barging::three_threads_and_one_permit",
    ),
    (
        "a notification lost: who was called and gives up does not call the next",
        "src/sync/semaphore/line.rs",
        "if signal == Signal::Called {\n            self.call();\n        }",
        "",
        "semaphore::barging::a_time_out_beside_a_waiter_and_a_release_loses_no_permit",
    ),
    (
        "a notification lost: who gives up in line does not call the next",
        "src/sync/semaphore/line.rs",
        "            // Whoever is next may want less.\n            self.call_from(line);\n",
        "",
        "semaphore::fair::who_gives_up_lets_those_behind_pass",
    ),
    (
        "only the first in line is served, when there is enough for two",
        "src/sync/semaphore/line.rs",
        "            sum += waiter.n;\n            count += 1;\n",
        "            sum += waiter.n;\n            count += 1;\n            break;\n",
        "semaphore::fair::a_release_of_two_lets_two_in",
    ),
    (
        "a release in relaxed order",
        "src/sync/semaphore/word.rs",
        "fetch_add(Seen::of(n).0, Ordering::Release)",
        "fetch_add(Seen::of(n).0, Ordering::Relaxed)",
        "semaphore::fair::two_threads_and_one_permit",
    ),
    (
        "an acquire in relaxed order",
        "src/sync/semaphore/word.rs",
        ".compare_exchange(from.0, to.0, Ordering::Acquire, Ordering::Relaxed)",
        ".compare_exchange(from.0, to.0, Ordering::Relaxed, Ordering::Relaxed)",
        "semaphore::fair::two_threads_and_one_permit",
    ),
    (
        "a signal in relaxed order",
        "src/sync/semaphore/waiter.rs",
        "swap(signal as u8, Ordering::AcqRel)",
        "swap(signal as u8, Ordering::Relaxed)",
        "semaphore::fair::a_time_out_against_a_release_loses_no_permit",
    ),
    (
        "`if` for `while`: an unpark is taken for a permit",
        "src/sync/semaphore/waiter.rs",
        "while self.signal() == Signal::Asleep && park_until(deadline) {}",
        "if self.signal() == Signal::Asleep && park_until(deadline) {}",
        "semaphore::fair::an_unpark_that_means_something_else_is_not_a_permit",
    ),
    (
        "getting in line in a step of its own, after the look at what is free",
        "src/sync/semaphore/line.rs",
        "            match self.word.step(seen, next) {\n                Ok(()) if takes => return Ok(Door::Taken),",
        "            if !takes {\n                seen = self.word.look();\n            }\n"
        "            let next = if takes { next } else { seen.with(self.discipline.marks()) };\n"
        "            match self.word.step(seen, next) {\n                Ok(()) if takes => return Ok(Door::Taken),",
        "semaphore::fair::two_threads_and_one_permit",
    ),
    (
        "a fair semaphore whose newcomers overtake",
        "src/sync/semaphore/line.rs",
        "self.discipline == Discipline::Barging || line.waiters.is_empty()",
        "true",
        "semaphore::who_waits_at_a_fair_semaphore_is_not_overtaken",
    ),
    (
        "a barging semaphore that lets in after it was closed",
        "src/sync/semaphore.rs",
        "while seen.covers(n) && !seen.has(CLOSED | IN_LINE) {",
        "while seen.covers(n) && !seen.has(IN_LINE) {",
        "semaphore::barging::who_comes_after_the_closing_does_not_get_in",
    ),
    (
        "a mailbox whose poster and owner both think the other sends",
        "src/mailbox.rs",
        "Duty::Replying if self.duty.step(Duty::Replying, Duty::Taken) => {",
        "Duty::Replying => {",
        "mailbox::a_reply_and_a_post_are_both_sent_by_one_at_a_time",
    ),
    (
        "an owner who alone sends, and does not look whether others posted before",
        "src/mailbox/sending.rs",
        "Posters::Ring => self.duty.is(Duty::Idle),",
        "Posters::Ring => true,",
        "mailbox::an_owner_who_alone_sends_loses_nothing_that_is_posted_while_it_replies",
    ),
    (
        "who speaks while another walks takes it that the walk is not over there yet",
        "src/fanout/herald.rs",
        "WALKING => (AGAIN, false),",
        "WALKING => (WALKING, false),",
        "herald::whatever_is_said_is_heard_whoever_walks",
    ),
    (
        "who hands on does not look once more",
        "src/fanout/herald.rs",
        "self.state.swap(HANDED, Ordering::AcqRel);\n        pass();\n",
        "self.state.swap(HANDED, Ordering::AcqRel);\n",
        "herald::whatever_is_said_is_heard_whoever_walks",
    ),
    (
        "a follower at rest that does not heed",
        "src/mailbox/following.rs",
        "Duty::Following if state.has_news() => self.take_note(&state),",
        "Duty::Following if false => self.take_note(&state),",
        "herald::a_follower_gets_what_two_say_beside_a_post",
    ),
    (
        "a mailbox that does not say when the duty is free",
        "src/mailbox/sending.rs",
        "            self.freed.notify_one();\n",
        "",
        "mailbox::closing_beside_a_poster_counts_every_message_as_sent_or_lost",
    ),
    (
        "a worker that does not look again before it sleeps",
        "src/executor/sleepers.rs",
        "            if let Some(job) = look() {\n                // When",
        "            if let Some(job) = None {\n                // When",
        "sleepers::a_worker_does_not_sleep_while_a_job_waits",
    ),
    (
        "a worker that looks again, and may see what was before it got on the list",
        "src/executor/sleepers.rs",
        "            fence(Ordering::SeqCst);\n            if let Some(job) = look() {",
        "            if let Some(job) = look() {",
        "sleepers::a_worker_does_not_sleep_while_a_job_waits",
    ),
    (
        "who brings a job may see the list as it was before",
        "src/executor/sleepers.rs",
        "        fence(Ordering::SeqCst);\n        if self.anybody.load(Ordering::Relaxed) {\n",
        "        if self.anybody.load(Ordering::Relaxed) {\n",
        "sleepers::a_worker_does_not_sleep_while_a_job_waits",
    ),
    (
        "who leaves jobs behind wakes nobody for them",
        "src/executor/sleepers.rs",
        "if self.anybody.load(Ordering::Relaxed) && is_more() {",
        "if false && is_more() {",
        "sleepers::no_worker_sleeps_while_a_job_waits_in_the_others_batch",
    ),
    (
        "who wakes somebody leaves that one on the list",
        "src/executor/sleepers.rs",
        "let sleeper = list.asleep.pop();",
        "let sleeper = list.asleep.last().cloned();",
        "sleepers::no_worker_sleeps_while_a_job_waits_in_the_others_batch",
    ),
    (
        "a guest that is parked although it was called meanwhile",
        "src/model/lobby/calls.rs",
        "while seen & CALLS == 0 {",
        "while seen & CALLS == 0 || seen != 0 {",
        "lobby::two_arrivals_beside_each_other_are_answered",
    ),
    (
        "a guest with two owners",
        "src/model/lobby/calls.rs",
        "fetch_or(what.0 | OWNED, Ordering::AcqRel)",
        "fetch_or(what.0, Ordering::AcqRel)",
        "lobby::two_arrivals_beside_each_other_are_answered",
    ),
    (
        "a call in relaxed order",
        "src/model/lobby/calls.rs",
        "fetch_or(what.0 | OWNED, Ordering::AcqRel)",
        "fetch_or(what.0 | OWNED, Ordering::Relaxed)",
        "lobby::two_arrivals_beside_each_other_are_answered",
    ),
    (
        "a guest at work that looks idle to a drain",
        "src/model/lobby/calls.rs",
        "next |= AT_WORK;",
        "next |= 0;",
        "lobby::a_drain_takes_nobody_for_idle_who_waits_for_an_answer",
    ),
]


def build(tree, checker, planted=False):
    """The test binary of the library with the models in it."""
    command = ["cargo", "rustc", "--quiet", "--lib", "--profile", "test", "--no-default-features"]
    command += ["--message-format", "json", "--", "--cfg", f'model_check="{checker}"', "--cap-lints", "warn"]
    if planted:
        # Only a name: cargo takes two builds of one package with the same flags for the same, wherever they lie.
        command += ["--cfg", "planted"]
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


def run(binary, *arguments):
    """Runs models: the exit code (None when they did not end), what they printed, and for how long they ran."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            [binary, *arguments],
            env=dict(os.environ, RUST_BACKTRACE="0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        code, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        code, said = None, (expired.stdout or b"").decode(errors="replace") + f"not done after {PATIENCE} s\n"
    finally:
        os.unlink(binary)
    return code, said, time.monotonic() - began


def hold(checker):
    code, said, seconds = run(build(ROOT, checker), "models::", "--nocapture")
    models = said.count(" ... ")
    holds = code == 0 and models > 0
    orders = sum(int(line.split()[-2]) for line in said.splitlines() if line.endswith(" orders"))
    counted = f" in {orders} orders" if orders else ""
    print(f"{checker:8} {models} models {'hold' if holds else 'DO NOT HOLD'}{counted} ({seconds:.1f} s)", flush=True)
    if not holds:
        print(said)
    return holds


def verdict_of(code, said):
    """Only a failure of the one model counts, not that something went wrong on the way to it."""
    if code is None:
        return "DID NOT END"
    if code == 0:
        return "NOT FOUND"
    return "found" if "running 1 test" in said and "panicked at" in said else "FAILED OTHERWISE"


def find_bugs():
    found_all = True
    with tempfile.TemporaryDirectory(prefix="guardhouse-bugs-") as directory:
        tree = pathlib.Path(directory)
        # With the same settings, what was built for the true sources serves for the copy, too.
        for name in [".cargo", "src", "benches", "examples", "tests"]:
            shutil.copytree(ROOT / name, tree / name)
        for name in ["Cargo.toml", "Cargo.lock", "README.md"]:
            shutil.copy(ROOT / name, tree / name)
        for name, file, there, planted, model in BUGS:
            path = tree / file
            original = path.read_text()
            if original.count(there) != 1:
                sys.exit(f"{name}: {file} does not have this text once:\n{there}")
            path.write_text(original.replace(there, planted))
            binary = build(tree, "loom", planted=True)
            path.write_text(original)
            code, said, seconds = run(binary, f"models::{model}", "--exact", "--nocapture")
            verdict = verdict_of(code, said)
            print(f"{verdict:9} {name}\n          by {model} ({seconds:.1f} s)", flush=True)
            if verdict != "found":
                print(said)
                found_all = False
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
