"""What people type about AI, checked before an action is called."""
