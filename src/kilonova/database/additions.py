"""Additions: tables, columns and indexes that are declared and not there yet, made in a database that an older version wrote.

What an older version lacks is found by comparing, so whoever adds a table, a column or an index only declares it. A new column
of an old table is nullable or has a `server_default`, because the rows that are there need a value. Whatever else changes
(a type, a name, what rows mean) needs an upgrade step of its own.
"""

from sqlalchemy import Column, Connection, MetaData, Table, inspect
from sqlalchemy.schema import CreateColumn


def add_what_is_missing(connection: Connection, metadata: MetaData) -> None:
    """Make what `metadata` declares beyond what is there. What is there stays as it is; may be run again after a kill."""
    there = set(inspect(connection).get_table_names())
    old = [table for table in metadata.sorted_tables if table.name in there]
    new = [table for table in metadata.sorted_tables if table.name not in there]
    metadata.create_all(connection, new, checkfirst=False)
    for table in old:
        _complete(connection, table)


def _complete(connection: Connection, table: Table) -> None:
    inspected = inspect(connection)
    columns = {column["name"] for column in inspected.get_columns(table.name)}
    indexes = {index["name"] for index in inspected.get_indexes(table.name)}
    for column in table.columns:
        if column.name not in columns:
            _add_column(connection, table, column)
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if index.name not in indexes:
            index.create(connection)


def _add_column(connection: Connection, table: Table, column: "Column[object]") -> None:
    """Add one column; rows that are there get its `server_default`, or null."""
    has_value = column.nullable or column.server_default is not None
    assert has_value, f"{table.name}.{column.name} is new: let it be nullable or give it a server_default"
    quote = connection.dialect.identifier_preparer.format_table
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {quote(table)} ADD COLUMN {definition}")
