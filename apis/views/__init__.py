"""Pages: the catalogue, the page of an API, and the publish area of a team."""
