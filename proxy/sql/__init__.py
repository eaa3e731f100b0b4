"""What a statement is and touches. Pure: text in, values out; pglast is loaded by the first statement that needs it."""
