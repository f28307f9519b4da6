"""For authors of blueprints: `python -m synthtools.audit FILE [--quick] [--mutants]`."""

from __future__ import annotations

import argparse
import sys
import time

from synthtools.audit.measure import MutantReport, audit_mutants
from synthtools.audit.report import AuditReport
from synthtools.audit.whole import audit_domain
from synthtools.blueprint import BlueprintError
from synthtools.load import load_domain


def main() -> int:
    """Audit one blueprint and print what falls short; 0 when nothing does."""
    parser = argparse.ArgumentParser(prog="python -m synthtools.audit", description=__doc__)
    parser.add_argument("file", help="a blueprint file, or a subdomain of the catalogue")
    parser.add_argument("--quick", action="store_true", help="fewer worlds and calls")
    parser.add_argument("--mutants", action="store_true", help="also break every tool in many small ways and list what the audit misses")
    parser.add_argument("--limit", type=int, help="at most so many mutants of each tool")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        domain = load_domain(options.file)
    except (BlueprintError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    began = time.perf_counter()
    report = audit_domain(domain, thorough=not options.quick, seed=options.seed)
    show(report, time.perf_counter() - began)
    if options.mutants:
        began = time.perf_counter()
        show_mutants(audit_mutants(domain, options.seed, options.limit), time.perf_counter() - began)
    return 1 if report.failures else 0


def show(report: AuditReport, seconds: float) -> None:
    """Print a report: a line of figures, then a line a finding."""
    reached = f"{report.errors_reached} of {report.errors_documented} errors reached"
    found = f"{len(report.failures)} failures, {len(report.unaudited)} unaudited, {seconds:.1f} s"
    lines = [f"{report.domain}: {report.tools} tools, {report.calls} calls, {reached}, {found}"]
    lines += [f"FAIL  {f.tool or '(domain)'}  [{f.check}]  {f.detail}" for f in report.failures]
    lines += [f"note  {f.tool}  [{f.check}]  {f.detail}" for f in report.unaudited]
    sys.stdout.write("\n".join(lines) + "\n")


def show_mutants(report: MutantReport, seconds: float) -> None:
    """Print the share of faulty tools that the audit catches, and those that it does not."""
    counts = f"{report.mutants} mutants, {report.distinguishable} distinguishable, {report.detected} caught"
    lines = [f"{counts}: {report.share:.1%}, {seconds:.1f} s"]
    lines += [f"  {kind:16} {caught:4} of {told:4} ({made} made)" for kind, (made, told, caught) in report.by_kind.items()]
    lines.append("first caught by: " + ", ".join(f"{check} {count}" for check, count in report.by_check.items()))
    lines += [f"survives  {s.tool}  [{s.kind}]  {s.fault} | {s.call}" for s in report.survivors]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
