"""The report: one HTML file that holds its pictures, charts and style itself, and runs nothing."""
