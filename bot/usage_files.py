"""The usage report as CSV and JSON files, and what it cost; of no chat, for the command line."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

from storage.reports import Line, Report

HOUR_MS = 3_600_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "kind", "id", "name", "jobs", "done", "failures", "cancelled", "device_s", "mean_wait_s",
    "pictures", "refunded_s", "mean_run_s", "stored_bytes", "kept_bytes", "cost",
    "wait_p50_s", "wait_p95_s", "run_p50_s", "run_p95_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour of the device costs whoever runs the bot; None where they did not say."""

    hour: float | None = None
    currency: str = "USD"

    def of(self, device_ms: int) -> float | None:
        """Return what device time cost."""
        return None if self.hour is None else round(device_ms / HOUR_MS * self.hour, 4)

    def said(self, amount: float) -> str:
        """Return an amount as people read it."""
        return f"{amount:,.2f} {self.currency}"


def json_of(report: Report, names: Mapping[int, str], *, price: Price) -> bytes:
    """Return all figures as JSON."""
    told = report.to_json()
    told["cost"] = price.of(report.total.device_ms)
    told["currency"] = price.currency if price.hour is not None else None
    told["names"] = {str(member): name for member, name in names.items()}
    return json.dumps(told, indent=2, ensure_ascii=False).encode()


def csv_of(report: Report, names: Mapping[int, str], *, price: Price | None = None) -> bytes:
    """Return all rows as CSV, in which no cell is a formula to a spreadsheet."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    price = price or Price()
    for dimension, lines in report.groups.items():
        for line in lines:
            name = names.get(line.key, "") if isinstance(line.key, int) else line.key
            cells = _cells(dimension.value, str(line.key), name, line, price=price)
            writer.writerow(cells)
    if report.before is not None:
        before = Line(key="", usage=report.before)
        writer.writerow(_cells("before", "", "", before, price=price))
    total = Line(key="", usage=report.total, waits=report.waits, runs=report.runs)
    writer.writerow(_cells("total", "", "", total, price=price))
    return table.getvalue().encode("utf-8-sig")


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) else cell


def _cells(kind: str, key: str, name: str, line: Line, *, price: Price) -> list[str | int | float]:
    usage, times = line.usage, (line.waits, line.runs)
    wait = "" if usage.mean_wait_s is None else f"{usage.mean_wait_s:.3f}"
    run = "" if usage.mean_run_s is None else f"{usage.mean_run_s:.3f}"
    cost = price.of(usage.device_ms)
    return [
        kind,
        harmless(key),
        harmless(name),
        usage.jobs,
        usage.done,
        usage.failures,
        usage.cancelled,
        f"{usage.device_ms / 1000:.3f}",
        wait,
        usage.pictures,
        f"{usage.refunded_ms / 1000:.3f}",
        run,
        usage.stored_bytes,
        usage.kept_bytes,
        "" if cost is None else cost,
        *("" if it is None else it for each in times for it in (each.p50_s, each.p95_s)),
    ]
