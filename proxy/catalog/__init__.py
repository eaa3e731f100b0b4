"""What the source's tables are: introspection, snapshots, and what a role may do with them."""
