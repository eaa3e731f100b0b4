"""Side-by-side benchmarks: PostgreSQL directly, PgBouncer and Causeway, in turns, within one run.

Run as `python -m bench`. Machines are noisy, so nothing here asserts and every result is a ratio between contenders
that took turns, with its spread over the rounds. `figures` and `tables` are pure and have tests.
"""
