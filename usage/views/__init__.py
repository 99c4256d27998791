"""Pages of usage, fragments for the pages of other apps, and the door for gateways' agents."""
