"""How many words a command line has, and an element is written with."""

from kv_server.spec.signature import Block, Element, Many, Param, Shape
from kv_server.spec.source import Plan

__all__ = ["arity_of", "least_words", "most_words", "rigid", "spelled_options", "width"]


def arity_of(plan: Plan) -> int:
    """How many words the command has, its name's included; negative where there may be more."""
    least = least_words(plan)
    return least if rigid(plan) and plan.declaration.grammar is None else -least


def least_words(plan: Plan) -> int:
    """The fewest words of a line; a grammar knows them itself."""
    if plan.declaration.grammar is not None:
        return plan.start + plan.declaration.grammar.least
    least = {param.name: least_of(param) for param in plan.signature.params}
    chosen = sum(min(least[name] for name in group) for group in plan.declaration.one_of)
    return plan.start + chosen + sum(least[param.name] for param in plan.signature.params if param.required)


def most_words(plan: Plan) -> int | None:
    """The most words of a line, where that is known before any is read."""
    params = plan.signature.positional
    if (
        spelled_options(plan)
        or plan.tokens
        or plan.declaration.selects
        or any(p.shape is not Shape.FIXED for p in params)
    ):
        return None
    return plan.start + sum(width(param.element) for param in params)


def rigid(plan: Plan) -> bool:
    """Whether the number of words is fixed."""
    several = any(param.shape is not Shape.FIXED or not param.required for param in plan.signature.positional)
    return not (several or spelled_options(plan) or plan.tokens or plan.declaration.selects)


def width(element: Element) -> int:
    """How many words an element is written with."""
    return len(element.fields) if isinstance(element, Block) else 1


def least_of(param: Param) -> int:
    """The fewest words that a required parameter takes."""
    if param.many is Many.COUNTED:
        return len(param.tokens) + 1 + (0 if param.empty else width(param.element))
    return width(param.element) + (1 if param.tokens else 0)


def spelled_options(plan: Plan) -> list[Param]:
    """The options that have a form on a command line."""
    return [param for param in plan.signature.options if not param.native]
