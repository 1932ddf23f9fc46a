"""Tables on disk: Arrow schemas, parts, manifests and their books."""
