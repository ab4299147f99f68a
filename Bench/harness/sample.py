"""What one run yields, and the books in which all of them are kept."""

import statistics


class Results:
    """Samples by cell, round by round, and why a cell could not be measured.

    A cell is named `system/tenants/shape`, such as `tollgate/1/8x64`. A sample is a flat dictionary of numbers, save
    for `threads` (CPU by thread) and `first_error`.
    """

    def __init__(self):
        self.samples = {}
        self.failures = {}
        self.notes = {}

    def add(self, cell, sample):
        self.samples.setdefault(cell, []).append(sample)

    def fail(self, cell, reason):
        self.failures.setdefault(cell, [])
        if reason not in self.failures[cell]:
            self.failures[cell].append(reason)

    def values(self, cell, field):
        return [sample[field] for sample in self.samples.get(cell, []) if sample.get(field) is not None]

    def median(self, cell, field="steps_per_second"):
        """None where there is no sample."""
        values = self.values(cell, field)
        return statistics.median(values) if values else None

    def spread(self, cell, field="steps_per_second"):
        values = self.values(cell, field)
        return (min(values), max(values)) if values else None

    def errors(self, cell):
        return sum(self.values(cell, "errors"))

    def reason(self, cell):
        """Why there is nothing, or something wrong, in a cell: its own failures, and those of what it is part of."""
        parts = cell.split("/")
        names = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
        reasons = [reason for name in names for reason in self.failures.get(name, [])]
        reasons += sorted({s["first_error"] for s in self.samples.get(cell, []) if s.get("first_error")})
        return "; ".join(reasons)

    def best(self, prefix, field="steps_per_second"):
        """(cell, median) of the best among the cells whose name begins so."""
        found = [(cell, self.median(cell, field)) for cell in self.samples if cell.startswith(prefix)]
        return max(((c, m) for c, m in found if m is not None), key=lambda pair: pair[1], default=(None, None))

    def json(self):
        cells = {}
        for cell in sorted(set(self.samples) | set(self.failures)):
            fields = {}
            for sample in self.samples.get(cell, []):
                for field, value in sample.items():
                    if isinstance(value, (int, float)) and not isinstance(value, bool):
                        fields[field] = None
            for field in fields:
                low, high = self.spread(cell, field)
                fields[field] = {"median": self.median(cell, field), "min": low, "max": high}
            cells[cell] = {"figures": fields, "rounds": self.samples.get(cell, []), "failed": self.reason(cell) or None}
        return {"cells": cells, "notes": self.notes}


def all_steps(report):
    """Steps of the whole run, those that were answered after its time as well: what the server worked for."""
    return max(1, report.get("steps_in_all", report["steps"]))


def from_load(report, server_cpu_us, client_cpu_us, **more):
    """A sample made of what a load generator printed and what the harness measured around it."""
    steps = all_steps(report)
    latency = report["latency_us"]
    sample = {
        "steps_per_second": report["steps_per_second"],
        "steps": steps,
        "seconds": report["seconds"],
        "errors": report["errors"],
        "first_error": report.get("first_error") or "",
        "p50_us": latency["p50"],
        "p90_us": latency["p90"],
        "p99_us": latency["p99"],
        "p999_us": latency["p999"],
        "max_us": latency["max"],
        "server_cpu_us": server_cpu_us / steps,
        "client_cpu_us": client_cpu_us / steps,
    }
    sample.update(more)
    return sample
