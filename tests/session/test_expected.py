"""What is owed, and which statement's results come next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.session.expected import COPY_END, PLAIN_QUERY, PLAIN_SYNC, READY, Expected, Owed, Queue
from proxy.session.plan import Step
from proxy.session.prepared import Prepared
from proxy.sql.model import Kind, Statement


def step(*, captured: bool) -> Step:
    return Step(Statement(Kind.WRITE, 0, 1), captured=captured)


def test_a_query_walks_through_its_statements() -> None:
    entry = Expected(Owed.QUERY, steps=(step(captured=False), step(captured=True)))
    assert not entry.rows
    entry.advance()
    assert entry.step is entry.steps[1]
    assert entry.rows
    entry.advance()
    assert entry.step is None
    assert not entry.rows


def test_rows_of_our_own_are_always_looked_at() -> None:
    assert Expected(Owed.EXECUTE, hidden=True).rows
    assert not PLAIN_QUERY.rows


def prepared() -> Prepared:
    return Prepared(b"", b"", None, 1, spliced=False)


NAMES = [b"", b"s"]
STATEMENTS = [prepared() for _ in range(2)]

entries = st.one_of(
    st.builds(Expected, st.sampled_from(Owed), hidden=st.booleans()),
    st.builds(
        Expected, st.just(Owed.PARSE), hidden=st.booleans(), previous=st.sampled_from([None, *STATEMENTS])
    ),
    st.builds(
        Expected,
        st.sampled_from([Owed.PARSE, Owed.CLOSE]),
        statement=st.sampled_from(NAMES),
        made=st.sampled_from([None, *STATEMENTS]),
    ),
)

acts = st.one_of(
    entries,
    st.lists(entries, max_size=3),
    st.sampled_from(["popleft", "copy begins"]),
)


@given(st.lists(acts, max_size=30))
def test_what_a_queue_counts_is_what_is_in_it(script: list[Expected | list[Expected] | str]) -> None:
    queue, model = Queue(), list[Expected]()
    for act in script:
        if isinstance(act, Expected):
            queue.append(act)
            model.append(act)
        elif isinstance(act, list):
            queue.extend(act)
            model += act
        elif act == "copy begins":
            ends = [place for place, entry in enumerate(model) if place and entry.owed is Owed.COPY_END]
            assert queue.copy_begins() == bool(ends)
            until = ends[0] if ends else len(model)
            before = [entry for entry in model[1:until] if entry.owed is not Owed.SYNC]
            model = model[:1] + before + model[until + 1 :]
        elif model:
            assert queue.popleft() is model.pop(0)
        assert list(queue) == model
        assert queue.head is (model[0] if model else None)
        assert queue.readies == sum(entry.owed in READY for entry in model)
        for statement in STATEMENTS:
            assert queue.makes_twin_of(statement) == any(
                entry.hidden and entry.previous is statement for entry in model
            )
        for name in NAMES:
            assert queue.closes(name) == any(
                entry.statement == name and entry.made is None and not entry.hidden for entry in model
            )


def test_syncs_before_the_end_of_copy_data_are_not_answered() -> None:
    queue = Queue()
    queue.extend((PLAIN_QUERY, PLAIN_SYNC, PLAIN_SYNC, COPY_END, PLAIN_SYNC))
    assert queue.copy_begins()
    assert list(queue) == [PLAIN_QUERY, PLAIN_SYNC]
    assert queue.readies == 2
    assert not queue.copy_begins()
    assert list(queue) == [PLAIN_QUERY]
