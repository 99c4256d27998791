"""What is published, over REST."""
