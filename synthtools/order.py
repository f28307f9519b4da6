"""Results must have one order: refuse a list, a limit or a text aggregate whose order is not total."""

from __future__ import annotations

from synthtools.sql import SqlError, tokens

_AGGREGATES = ("group_concat", "json_group_array", "json_group_object", "string_agg")


def refuse_partial_order(sql: str) -> None:
    """Raise SqlError for a LIMIT, text aggregate or list without a total ORDER BY, or an UPDATE … FROM.

    An order is total when it ends in a key (a column called id, or rowid), or, under GROUP BY or DISTINCT, when it
    names a column for every group. SQL that sqlglot cannot read is judged by the audit alone, which runs every call
    with unordered reads reversed.
    """
    words = [t.text.lower() for t in tokens(sql) if t.kind == "word"]
    if "order" not in words and "limit" not in words and not set(words) & set(_AGGREGATES) and not ("update" in words and "from" in words):
        return
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, dialect="sqlite")
    except sqlglot.errors.SqlglotError:
        return
    if isinstance(tree, exp.Update) and (tree.args.get("from_") or tree.args.get("from")):
        raise SqlError("UPDATE … FROM can match a row twice: use a subquery in SET")
    for select in tree.find_all(exp.Select):
        order, limit = select.args.get("order"), select.args.get("limit")
        if limit is not None and order is None:
            raise SqlError("LIMIT without ORDER BY: which rows come is left to chance")
        if order is not None and not _total(select, order, exp):
            raise SqlError("ORDER BY can tie: end it with the key (id)")
    for call in tree.find_all(exp.GroupConcat, exp.JSONArrayAgg, exp.Anonymous):
        name = call.name.lower() if isinstance(call, exp.Anonymous) else "group_concat"
        if name in _AGGREGATES and not call.find(exp.Order):
            raise SqlError(f"{name}() without ORDER BY inside it: its text depends on the order of rows")


def _total(select: object, order: object, exp: object) -> bool:
    """Whether the order's terms settle every tie."""
    terms = [term.this for term in order.expressions]  # type: ignore[attr-defined]
    if any(getattr(term, "name", "") in ("id", "rowid", "key") for term in terms):
        return True
    group = select.args.get("group")  # type: ignore[attr-defined]
    if group is not None or select.args.get("distinct") is not None:  # type: ignore[attr-defined]
        wanted = len(group.expressions) if group is not None else len(select.expressions)  # type: ignore[attr-defined]
        return len(terms) >= wanted
    keys = [e.alias_or_name for e in select.expressions]  # type: ignore[attr-defined]
    positions = [t.name for t in terms if t.name.isdigit()]
    return any(keys[int(p) - 1] == "id" for p in positions if int(p) <= len(keys))
