"""The audit: call everything, and compare what happens with what the blueprint promises."""

from synthtools.audit.measure import MutantReport, Survivor, audit_mutants
from synthtools.audit.report import AuditReport, Finding
from synthtools.audit.whole import audit_domain

__all__ = ["AuditReport", "Finding", "MutantReport", "Survivor", "audit_domain", "audit_mutants"]
