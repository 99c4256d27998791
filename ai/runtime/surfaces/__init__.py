"""What callers see: one module for each form in which a model can be called."""
