"""The typed door: arguments as msgpack or JSON gave them, checked by one straight-line function a command.

Two functions come of a signature: `…_call` checks and calls, `…_bind_typed` checks and returns an `Invocation`.
"""

from collections.abc import Sequence

from kv_protocol import limits
from kv_server.spec.signature import Block, Choice, Element, Param, Shape
from kv_server.spec.source import Plan, Source
from kv_server.spec.types import Row

__all__ = ["typed_source"]


def typed_source(plan: Plan) -> str:
    """The source of both functions, and of the one that checks the options for them."""
    source = Source()
    if plan.signature.options:
        _options(plan, source)
        source.add("", "")
    _function(plan, source, f"def {plan.ident}_call(place, args, options):", calls=True)
    source.add("", "")
    _function(plan, source, f"def {plan.ident}_bind_typed(args, options):", calls=False)
    return source.text()


def _function(plan: Plan, source: Source, head: str, *, calls: bool) -> None:
    with source.block(head):
        _positional(plan, source)
        if not plan.signature.options:
            with source.block("if options:"):
                source.add(f"raise unknown_option({plan.word!r}, options, ())")
        elif plan.declaration.one_of or any(param.required for param in plan.signature.options):
            _given(plan, source)
            source.add(finish(plan, calls, "given"))
            return
        else:
            with source.block("if options:"):
                _given(plan, source)
                source.add(finish(plan, calls, "given"))
        source.add(finish(plan, calls, "{}"))


def _given(plan: Plan, source: Source) -> None:
    source.add(f"given = {plan.ident}_options(options)")
    for param in plan.signature.options:
        if param.same:
            at = next(i for i, other in enumerate(plan.signature.positional) if other.name == param.same)
            with source.block(f"if {param.name!r} in given and len(given[{param.name!r}]) != len(a{at}):"):
                source.add(f"raise unequal({param.name!r}, {param.same!r})")


def finish(plan: Plan, calls: bool, given: str, command: str | None = None, view: str | None = None) -> str:
    """The line that calls the function, or that returns the invocation."""
    args = [f"a{index}" for index in range(len(plan.signature.positional))]
    if args and plan.signature.tail:
        args[-1] = "*" + args[-1]
    if calls:
        call = f"{plan.function}({', '.join(['place', *args])})"
        return f"return {call[:-1]}, **given) if given else {call}" if given == "given" else f"return {call}"
    inner = ", ".join(args) + "," * (len(args) == 1)
    return f"return new(Invocation, ({command or plan.command}, ({inner}), {given}, {view}))"


def _positional(plan: Plan, source: Source) -> None:
    params = plan.signature.positional
    raise_arity = f"raise arity({plan.word!r}, {plan.native!r}, args)"
    if all(param.required and param.shape is not Shape.TAIL for param in params):
        with source.block("try:"):
            source.add(f"[{', '.join(f'a{index}' for index in range(len(params)))}] = args")
        with source.block("except (TypeError, ValueError):"):
            source.add(f"{raise_arity} from None")
    else:
        _open_ended(params, source, raise_arity)
    for index, param in enumerate(params):
        if param.shape is Shape.TAIL:
            _tail(plan, param, source, f"a{index}")
        elif param.required:
            _parameter(plan, param, source, f"a{index}")
        else:
            with source.block(f"if a{index} is None:"):
                source.add(f"a{index} = {plan.default(param)}")
            with source.block("else:"):
                _parameter(plan, param, source, f"a{index}")


def _open_ended(params: Sequence[Param], source: Source, raise_arity: str) -> None:
    """Take positional arguments apart when their number is not fixed."""
    low = sum(param.required for param in params)
    with source.block("if type(args) is not list and type(args) is not tuple:"):
        source.add(raise_arity)
    source.add("count = len(args)")
    tail = params[-1].shape is Shape.TAIL
    with source.block(f"if count < {low}:" if tail else f"if not {low} <= count <= {len(params)}:"):
        source.add(raise_arity)
    for index, param in enumerate(params):
        if param.shape is Shape.TAIL:
            source.add(f"a{index} = args[{index}:]")
            with source.block(f"if count > {limits.MAX_BATCH}:"):
                source.add(f"raise too_many({param.word!r})")
        elif param.required:
            source.add(f"a{index} = args[{index}]")
        else:
            source.add(f"a{index} = args[{index}] if count > {index} else None")


def _options(plan: Plan, source: Source) -> None:
    """The function that checks options: what was given, by name."""
    options = plan.signature.options
    known = repr(tuple(param.word for param in options))
    required = [param for param in options if param.required]
    with source.block(f"def {plan.ident}_options(options):"):
        with source.block("if options and type(options) is not dict:"):
            source.add(f"raise unknown_option({plan.word!r}, options, {known})")
        source.add("given = {}")
        with source.block("for word, x in options.items() if options else ():"):
            for index, param in enumerate(options):
                with source.block(f"{'el' if index else ''}if word == {param.word.encode()!r}:"):
                    _option(plan, param, source)
            with source.block("else:"):
                source.add(f"raise unknown_option({plan.word!r}, word, {known})")
        for param in required:
            with source.block(f"if {param.name!r} not in given:"):
                source.add(f"raise missing({plan.word!r}, {param.word!r}, {plan.native!r})")
        for group in plan.declaration.one_of:
            with source.block(f"if {none_of(group)}:"):
                source.add(f"raise missing({plan.word!r}, {' or '.join(group)!r}, {plan.native!r})")
        exclusions(plan, source, f"raise exclude({plan.word!r}, given, {{group}})")
        source.add("return given")


def none_of(group: tuple[str, ...]) -> str:
    """Source of the condition that no option of *group* was given."""
    return " and ".join(f"{name!r} not in given" for name in group)


def exclusions(plan: Plan, source: Source, line: str) -> None:
    """Refuse two options of one exclusive group."""
    if plan.declaration.groups:
        with source.block("if len(given) > 1:"):
            for group in plan.declaration.groups:
                count = " + ".join(f"({name!r} in given)" for name in group)
                with source.block(f"if {count} > 1:"):
                    source.add(line.format(group=repr(group)))


def _option(plan: Plan, param: Param, source: Source) -> None:
    """nil says that the option is absent, and so does false of a flag."""
    with source.block("if x is not None:"):
        _parameter(plan, param, source, "x")
        if param.shape is Shape.TOKEN:
            with source.block("if x:"):
                source.add(f"given[{param.name!r}] = True")
        else:
            source.add(f"given[{param.name!r}] = x")


def _parameter(plan: Plan, param: Param, source: Source, x: str) -> None:
    if not param.several:
        element_check(plan, param.element, source, x, param.word, param.name)
        return
    expected = "an array" if param.empty else "an array of at least one element"
    test = f"type({x}) is not list and type({x}) is not tuple"
    with source.block(f"if {test}:" if param.empty else f"if {test} or not {x}:"):
        source.add(f"raise wrong({param.word!r}, {expected!r})")
    with source.block(f"if len({x}) > {limits.MAX_BATCH}:"):
        source.add(f"raise too_many({param.word!r})")
    _tail(plan, param, source, x)


def _tail(plan: Plan, param: Param, source: Source, x: str) -> None:
    """Check each element; build a new sequence only where elements change."""
    if converts(param.element):
        source.add("made = []")
        with source.block(f"for y in {x}:"):
            element_check(plan, param.element, source, "y", param.word, param.name)
            source.add("made.append(y)")
        source.add(f"{x} = tuple(made)")
    else:
        with source.block(f"for y in {x}:"):
            element_check(plan, param.element, source, "y", param.word, param.name)
        source.add(f"{x} = tuple({x})")


def converts(element: Element) -> bool:
    """Whether the check of an element gives it another form."""
    return not isinstance(element, Row) or any(line.startswith("{x} =") for line in element.then)


def element_check(plan: Plan, element: Element, source: Source, x: str, label: str, key: str) -> None:
    """The lines that check the variable *x*, and convert it in place; *key* is its name in the namespace."""
    if isinstance(element, Row):
        with source.block(f"if {element.refuse.format(x=x)}:"):
            source.add(f"raise wrong({label!r}, {element.expected!r})")
        source.add(*(line.format(x=x, label=repr(label)) for line in element.then))
    elif isinstance(element, Choice):
        with source.block(f"if type({x}) is not bytes or {x} not in {plan.choices(key)}:"):
            source.add(f"raise wrong({label!r}, {'one of ' + ', '.join(element.words)!r})")
        source.add(f"{x} = {plan.choices(key)}[{x}]")
    elif isinstance(element, Block):
        _block_check(plan, element, source, x, label, key)


def _block_check(plan: Plan, block: Block, source: Source, x: str, label: str, key: str) -> None:
    names = [f"{x}{index}" for index in range(len(block.fields))]
    test = f"type({x}) is not list and type({x}) is not tuple"
    with source.block(f"if ({test}) or len({x}) != {len(names)}:"):
        source.add(f"raise wrong({label!r}, {'an array of ' + ', '.join(block.fields)!r})")
    source.add(f"{', '.join(names)}{',' * (len(names) == 1)} = {x}")
    for name, (part, element) in zip(names, block.fields.items(), strict=True):
        element_check(plan, element, source, name, f"{label}.{part.rstrip('_')}", f"{key}_{part}")
    made = f"({', '.join(names)},)"
    several = any(param.name == key and param.several for param in plan.signature.params)
    source.add(f"{x} = {made if several else f'new({plan.record(key)}, {made})'}")
