"""What an entity's parts are called, asked for and worth, wherever tools, schemas and words need to agree on it."""

from __future__ import annotations

from synthtools.blueprint import Blueprint, Entity, FieldSpec
from synthtools.number import plural_of


def plural(entity: str, definition: Entity) -> str:
    """The entity's name for several."""
    if definition.plural:
        return definition.plural
    return plural_of(entity)


def called(entity: str, definition: Entity) -> str:
    """What people call one."""
    return definition.called[0] if definition.called else entity.replace("_", " ")


def argument_name(key: str, field: FieldSpec) -> str:
    """The argument that stands for a field."""
    return f"{key}_id" if field.ref and not key.endswith("_id") else key


def asked_fields(definition: Entity) -> dict[str, FieldSpec]:
    """The fields that a compiled create asks for."""
    return {
        key: field
        for key, field in definition.fields.items()
        if not (field.computed or field.kind == "sum_of" or field.only_in or field.incidental or field.default is not None)
    }


def changeable_fields(definition: Entity) -> dict[str, FieldSpec]:
    """The fields that a compiled update can change."""
    return {key: field for key, field in asked_fields(definition).items() if not field.fixed and field.kind != "ref"}


def is_money(blueprint: Blueprint, entity: str, key: str) -> bool:
    """Whether a column holds an amount: a money field, or a sum over one."""
    field = blueprint.entities[entity].fields.get(key)
    if field is None:
        return False
    if field.sum_of:
        child = blueprint.entities[field.sum_of].fields
        return any(f.kind == "money" and key in str(field.each).replace(".", " ").split() for key, f in child.items())
    return field.kind == "money"
