"""Approximate indexes: fewer documents are looked at; what is found is scored exactly, and recall is measured."""
