"""The report: one HTML file that holds its pictures, charts and style itself, and runs nothing."""

from scan_jax.evaluation.report.page import write_report as write_report
