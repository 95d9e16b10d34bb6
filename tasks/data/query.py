"""The answer to the user's own query, with its columns in roles."""

from tasks.data.databases import opened, origin_of
from tasks.data.files import in_roles
from tasks.data.rows import Rows
from tasks.data.spec import DataSpec
from tasks.data.sql import inner


def read_query(spec: DataSpec) -> Rows:
    """Ask ``spec.query`` of the database at ``spec.path`` and name the columns by their roles.

    The rows of an answer have no order of their own, so none is expected.

    Raises:
        DataError: No such database, a query that it refuses, no rows, or a column is missing.
    """
    query = str(spec.query)
    with opened(spec.path, query) as ask:
        frame = ask(inner(query))
    return in_roles(Rows(frame, origin_of(spec.path), in_order=False), spec)
