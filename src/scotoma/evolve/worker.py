"""Jobs in processes of their own, so that the arms of a round train side by side on the cores that there are.

A small model gains nothing from a second thread, but two arms gain a core each. A job is any pickled callable that
takes `progress`; its process ends with its parent, however that ends, and no Ctrl-C reaches it but through the parent.

    for name, result in side_by_side({"round1/targeted": lesson, "round1/uniform": other}, 2, progress):
        …                   # as they finish
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from scotoma.core import ModelError, ScotomaError
from scotoma.discover.progress import Progress


class Job(Protocol):
    """Work that can be pickled and says how far it is."""

    def __call__(self, progress: Progress) -> Any:
        """Do it."""
        ...


def processes_for(jobs: int, accelerated: bool) -> int:
    """How many to run at once: a core each on a CPU; one on an accelerator, whose memory they would share."""
    return 1 if accelerated else max(1, min(jobs, _cores()))


def side_by_side(jobs: Mapping[str, Job], processes: int, progress: Progress) -> Iterator[tuple[str, Any]]:
    """The jobs' names and results, as they finish: `processes` at once, each with its share of the cores; if one, here.

    Raises:
        ScotomaError: a job's own; the others are stopped.
        ModelError: a process died without a word, as when memory runs out.
        RuntimeError: a bug, such as a job or a result that cannot be pickled; the others are stopped.
    """
    if processes == 1:
        for name, job in jobs.items():
            yield name, job(progress)
        return
    waiting, running = dict(jobs), dict[str, subprocess.Popen[bytes]]()
    heard: queue.Queue[tuple[str, str, Any]] = queue.Queue()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name = next(iter(waiting))
                running[name] = _start(name, waiting.pop(name), _cores() // processes, heard)
            name, kind, said = heard.get()
            if kind == "progress":
                progress(*said)
            elif kind == "result":
                running.pop(name).wait()
                yield name, said
            else:
                raise said
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(
    name: str, job: Job, threads: int, heard: queue.Queue[tuple[str, str, Any]]
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "scotoma.evolve.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"OMP_NUM_THREADS": str(max(threads, 1)), **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    threading.Thread(target=_listen, args=(name, process, job, heard), daemon=True).start()
    return process


def _listen(
    name: str, process: subprocess.Popen[bytes], job: Job, heard: queue.Queue[tuple[str, str, Any]]
) -> None:
    """Hand over the job, then pass on what the process says. Its stdin stays open for as long as we live."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump(job, process.stdin)
        process.stdin.flush()
        while True:
            kind, said = pickle.load(process.stdout)
            heard.put((name, kind, said))
            if kind != "progress":
                return
    except Exception as error:  # whatever it is: if nobody hears of it, the parent waits for ever
        heard.put((name, "error", _broken_off(name, process, error)))


def _broken_off(name: str, process: subprocess.Popen[bytes], error: Exception) -> Exception:
    """Why nothing more will be heard of a process, which is ended for it if it still lives."""
    if isinstance(error, EOFError | OSError | pickle.UnpicklingError):
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=10)  # it hung up: its exit code tells more
            return ModelError(
                f"the process of {name} ended without a result (exit code {code})",
                hint="out of memory? Lower repair.tokens_per_minibatch; the same command goes on where it stood",
            )
    process.kill()
    process.wait()
    return RuntimeError("".join(traceback.format_exception(error)))


def main() -> None:
    """The process's side: read a job, do it, write what it says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the messages
    try:
        job: Job = pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):
        return  # the parent was killed before it had told all
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()

    def say(kind: str, content: Any) -> None:
        said.write(pickle.dumps((kind, content)))  # all of it, or nothing
        said.flush()

    try:
        say("result", job(lambda phase, done, total: say("progress", (phase, done, total))))
    except ScotomaError as error:
        say("error", error)
    except Exception as error:  # a bug: the parent shows where it was
        say("error", RuntimeError("".join(traceback.format_exception(error))))


def _end_with_parent(stdin: int) -> None:
    # Read past Python's buffer: its lock, held by a waiting thread, would crash the interpreter as it shuts down.
    while os.read(stdin, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
