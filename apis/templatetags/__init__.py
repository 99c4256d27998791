"""What templates need to show texts of APIs."""
