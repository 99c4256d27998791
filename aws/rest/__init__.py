"""AWS accounts over REST."""
