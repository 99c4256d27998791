"""The reconcile engine: neutral documents, their differences, and what a driver owes. Knows no Django."""
