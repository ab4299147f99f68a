"""Processes, their CPU, the disk: what the harness asks of the machine. Everything is ended by process id."""

import ctypes
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import time

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
START_SECONDS = 120
STOP_SECONDS = 60
# Long enough for 100,000 shards that are made one after the other.
SETTLE_SECONDS = 1_800
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something could not be measured; its text is the reason that the table shows."""


def die_with_parent():
    """In the child, before exec: when the harness dies, however it dies, nothing stays behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A throw-away server process that prints `listening on …` when it is ready, or is asked whether it is."""

    def __init__(self, name, command, directory, cwd=None):
        self.log = pathlib.Path(directory) / f"{name}.log"
        self.output = pathlib.Path(directory) / f"{name}.out"
        self.name = name
        self.began = time.monotonic()
        with open(self.log, "wb") as log, open(self.output, "wb") as output:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=cwd, preexec_fn=die_with_parent
                )
            except OSError as error:
                raise Failed(f"{command[0]}: {error.strerror}") from error

    @property
    def pid(self):
        return self.process.pid

    def wait_until(self, is_ready, seconds=START_SECONDS):
        """Waits for what is_ready answers, and tells how long the start took."""
        while True:
            answer = is_ready()
            if answer:
                self.start_seconds = time.monotonic() - self.began
                return answer
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() - self.began > seconds:
                raise Failed(f"{self.name} was not ready after {seconds} s: {self.tail()}")
            time.sleep(0.002)

    def address(self):
        """Where it listens, as it said on standard output."""

        def said():
            for line in self.output.read_text().splitlines():
                if line.startswith("listening on "):
                    return line.split()[-1]
            return None

        return self.wait_until(said)

    def tail(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])[-400:] or "(it said nothing)"

    def stop(self, by=signal.SIGTERM):
        """Ends it, by force where it does not end by itself."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(command, timeout, allowed=(0,), cwd=None):
    """Runs a client to its end: (standard output, its CPU in µs)."""
    before = children_cpu_us()
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd, preexec_fn=die_with_parent
        )
    except subprocess.TimeoutExpired as expired:
        raise Failed(f"{command_name(command)} did not end within {timeout:.0f} s") from expired
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    if done.returncode not in allowed:
        text = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise Failed(f"{command_name(command)} ended with {done.returncode}: {' / '.join(text[-2:])[-300:]}")
    if done.returncode != 0 and not done.stdout:
        raise Failed(f"{command_name(command)}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode(errors="replace"), children_cpu_us() - before


def run_json(command, timeout, allowed=(0, 1)):
    """Runs a client that prints one JSON object: (the object, its CPU in µs)."""
    text, cpu = run(command, timeout, allowed)
    try:
        return json.loads(text), cpu
    except json.JSONDecodeError as error:
        raise Failed(f"{command_name(command)} printed no JSON: {text.strip()[-200:]!r}") from error


def command_name(command):
    return " ".join([os.path.basename(command[0])] + [part for part in command[1:4] if not part.startswith("-")])


def children_cpu_us():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1_000_000


def stat_fields(path):
    """The fields of a stat file from the third on (state, parent, …), and the name in parentheses."""
    text = pathlib.Path(path).read_text()
    name = text[text.index("(") + 1 : text.rindex(")")]
    return name, text[text.rindex(")") + 2 :].split()


def process_cpu_us(pid):
    """CPU of a process with all its threads, those that ended too, and of the children it has waited for."""
    try:
        _, fields = stat_fields(f"/proc/{pid}/stat")
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) * TICK_US


def tree_cpu_us(pid):
    """CPU of a process and of all its descendants, as PostgreSQL's one process per connection needs it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(int(stat_fields(f"/proc/{entry}/stat")[1][1]), []).append(int(entry))
            except OSError:
                continue
    total, open_pids = 0.0, [pid]
    while open_pids:
        one = open_pids.pop()
        total += process_cpu_us(one)
        open_pids += parents.get(one, [])
    return total


def thread_cpu_us(pid):
    """CPU by thread name; threads of one name are added up."""
    threads = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name, fields = stat_fields(task / "stat")
            # The scheduler's own count is in nanoseconds; ticks are what there is without it.
            scheduled = task / "schedstat"
            spent = (
                int(scheduled.read_text().split()[0]) / 1_000
                if scheduled.exists()
                else (int(fields[11]) + int(fields[12])) * TICK_US
            )
        except OSError:
            continue
        threads[name] = threads.get(name, 0.0) + spent
    return threads


def stolen_us():
    """For how long this machine's processors, added up, had work and were kept from it: those of a guest, by its host."""
    with open("/proc/stat") as file:
        return int(file.readline().split()[8]) * TICK_US


def settle(pid, quiet_us_per_second=20_000, seconds=SETTLE_SECONDS):
    """Waits until a server does nothing any more, and tells how long that took."""
    began = time.monotonic()
    quiet_since, before, at = None, process_cpu_us(pid), began
    while time.monotonic() - began < seconds:
        time.sleep(0.25)
        now, spent = time.monotonic(), process_cpu_us(pid)
        is_quiet = spent - before <= max(quiet_us_per_second * (now - at), TICK_US)
        before, at = spent, now
        if not is_quiet:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        elif now - quiet_since >= 0.75:
            return max(0.0, quiet_since - 0.25 - began)
    raise Failed(f"the server was still at work {seconds} s after the load")


def memory_bytes(pid, field):
    """VmRSS (now) or VmHWM (the most so far)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def disk_bytes(path, without=()):
    """What the files below a directory take on the disk, leaving out the named directories."""
    total = 0
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name not in without]
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def file_system(path):
    found = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path], capture_output=True, text=True)
    return found.stdout.strip() or "an unknown file system"


def describe(directory):
    """The machine that the figures belong to."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "file_system": file_system(directory),
        "disk_free_gib": round(shutil.disk_usage(directory).free / 2**30, 1),
    }
