"""people: who may do what: users with roles, their tokens and passwords, and one table of rights."""
