"""`causeway phase`: another phase for a table, written into its rule file and followed through the fleet."""
