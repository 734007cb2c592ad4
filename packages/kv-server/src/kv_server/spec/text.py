"""The text door: a list of words as RESP, a shell or a script gives them, read by one straight-line function a command.

Positional words come first; options follow in any order, each at most once. A repeated tail comes after the options, as
Redis has it. Words that stand last (a timeout) are taken off the end before anything else is read.
"""

from kv_protocol import limits
from kv_server.spec.signature import Block, Choice, Element, Many, Param, Shape
from kv_server.spec.source import Plan, Source
from kv_server.spec.typed import exclusions, finish, none_of
from kv_server.spec.types import Row, Token

__all__ = ["arity_of", "text_source", "width"]


def text_source(plan: Plan, plain: str | None) -> str:
    """The source of `…_bind_text` and `…_call_text`; *plain* makes a plain reply as RESP has it."""
    source = Source()
    if plan.declaration.grammar is not None:
        _hand_written(plan, source)
    else:
        _function(plan, source, None)
    source.add("", "")
    if plan.declaration.grammar is not None:
        with source.block(f"def {plan.ident}_call_text(place, words, options=None):"):
            _bound(plan, source)
    else:
        _function(plan, source, plain or "reply")
    return source.text()


def arity_of(plan: Plan) -> int:
    """How many words the command has, its name's included; negative where there may be more."""
    least = _least_words(plan)
    return least if _rigid(plan) and plan.declaration.grammar is None else -least


def _least_words(plan: Plan) -> int:
    """The fewest words of a line; a grammar knows them itself."""
    if plan.declaration.grammar is not None:
        return plan.start + plan.declaration.grammar.least
    least = {param.name: _least(param) for param in plan.signature.params}
    chosen = sum(min(least[name] for name in group) for group in plan.declaration.one_of)
    return plan.start + chosen + sum(least[param.name] for param in plan.signature.params if param.required)


def _most_words(plan: Plan) -> int | None:
    """The most words of a line, where that is known before any is read."""
    params = plan.signature.positional
    if _spelled(plan) or plan.tokens or plan.declaration.selects or any(p.shape is not Shape.FIXED for p in params):
        return None
    return plan.start + sum(width(param.element) for param in params)


def _rigid(plan: Plan) -> bool:
    """Whether the number of words is fixed."""
    several = any(param.shape is not Shape.FIXED or not param.required for param in plan.signature.positional)
    return not (several or _spelled(plan) or plan.tokens or plan.declaration.selects)


def _bound(plan: Plan, source: Source) -> None:
    """Bind, then run: the way of all lines that are not of the plainest form."""
    source.add(f"invocation = {plan.ident}_bind_text(words)")
    source.add("return invocation.command.answer(place, invocation)")


def width(element: Element) -> int:
    """How many words an element is written with."""
    return len(element.fields) if isinstance(element, Block) else 1


def _hand_written(plan: Plan, source: Source) -> None:
    with source.block(f"def {plan.ident}_bind_text(words):"):
        with source.block(f"if len(words) < {_least_words(plan)}:"):
            source.add(f"raise words_missing({plan.spelled})")
        source.add(f"cursor = Words(words, {plan.start}, {plan.spelled})")
        source.add(f"args, options = {plan.ident}_grammar(cursor)", "cursor.finish()")
        source.add(f"return Invocation({plan.command}, args, options, {plan.ident}_view)")


def _function(plan: Plan, source: Source, plain: str | None) -> None:
    """The function that binds; or, given what makes a *plain* reply as RESP has it, the one that calls."""
    calls = plain is not None
    name = f"{plan.ident}_call_text(place, words, options=None)" if calls else f"{plan.ident}_bind_text(words)"
    start = plan.start
    params = [param for param in plan.signature.positional if param.shape is not Shape.TAIL]
    options = _spelled(plan)
    fixed = 0
    while fixed < len(params) and params[fixed].required and params[fixed].shape is Shape.FIXED:
        fixed += 1
    least, rigid = _least_words(plan), _rigid(plan)
    words = start + sum(width(param.element) for param in params[:fixed])
    with source.block(f"def {name}:"):
        source.add("count = len(words)")
        with source.block(f"if count {'!=' if rigid else '<'} {least}:"):
            source.add(f"raise words_missing({plan.spelled})")
        most = _most_words(plan)
        if most is not None and not rigid:
            with source.block(f"if count > {most}:"):
                source.add(_words_left(plan))
        at = start
        for index, param in enumerate(params[:fixed]):
            _place(plan, param, source, f"a{index}", str(at))
            at += width(param.element)
        if not rigid:
            asked_for = plan.declaration.one_of or any(option.required for option in options)
            if fixed == len(plan.signature.positional) and not plan.without and not asked_for:
                with source.block(f"if count == {words}:"):
                    _end(plan, source, plain, "{}", shortcut=True)
            if calls and (plan.declaration.selects or plan.tokens or plan.without):
                _bound(plan, source)
                return
            _open_ended(plan, source, params, fixed, at)
        _end(plan, source, plain, "given" if options else "{}", shortcut=rigid)


def _least(param: Param) -> int:
    """The fewest words that a required parameter takes."""
    if param.many is Many.COUNTED:
        return len(param.tokens) + 1 + (0 if param.empty else width(param.element))
    return width(param.element) + (1 if param.tokens else 0)


def _open_ended(plan: Plan, source: Source, params: list[Param], fixed: int, at: int) -> None:
    """Everything after the words whose places are known beforehand."""
    last = [param for param in plan.signature.options if param.shape is Shape.LAST]
    taken = sum(width(param.element) for param in last)
    source.add(f"at = {at}", f"end = count - {taken}" if taken else "end = count")
    for index, param in enumerate(params[fixed:], fixed):
        if param.shape is Shape.COUNTED:
            _counted(plan, param, source, f"a{index}")
        elif param.required:
            with source.block(f"if at + {width(param.element)} > end:"):
                source.add("raise syntax_error()")
            _place(plan, param, source, f"a{index}", "at")
            source.add(f"at += {width(param.element)}")
        else:
            _maybe(plan, param, source, f"a{index}")
    if _spelled(plan):
        source.add("given = {}")
    _options(plan, source)
    tail = plan.signature.tail
    if tail is not None:
        _tail(plan, tail, source, f"a{len(plan.signature.positional) - 1}")
    at_end = 0
    for param in last:
        position = f"end + {at_end}" if at_end else "end"
        _place(plan, param, source, "x", position)
        source.add(f"given[{param.name!r}] = x")
        at_end += width(param.element)
    _settle(plan, source)


def _settle(plan: Plan, source: Source) -> None:
    """What can be told only when all options were read."""
    for param in _spelled(plan):
        if param.many is Many.AGAIN:
            with source.block(f"if {param.name!r} in given:"):
                source.add(f"given[{param.name!r}] = tuple(given[{param.name!r}])")
                with source.block(f"if len(given[{param.name!r}]) > {limits.MAX_BATCH}:"):
                    source.add(f"raise too_many({param.word!r})")
        if param.required and param.shape is Shape.OPTION:
            with source.block(f"if {param.name!r} not in given:"):
                source.add(f"raise token_missing({param.tokens[0].word!r})")
    if _spelled(plan):
        exclusions(plan, source, "raise syntax_error()")
    tokens = {param.name: param.tokens[0].word for param in _spelled(plan) if param.tokens}
    for group in plan.declaration.one_of:
        with source.block(f"if {none_of(group)}:"):
            source.add(f"raise one_missing({plan.spelled}, {[tokens[name] for name in group]})")


def _spelled(plan: Plan) -> list[Param]:
    """The options that have a form on a command line."""
    return [param for param in plan.signature.options if not param.native]


def _maybe(plan: Plan, param: Param, source: Source, x: str) -> None:
    """An optional positional word: what is no token of the command."""
    tokens = tuple(token.encode() for token in sorted(_all_tokens(plan)))
    test = f"at < end and words[at].upper() not in {tokens!r}" if tokens else "at < end"
    with source.block(f"if {test}:"):
        if width(param.element) > 1:
            with source.block(f"if at + {width(param.element)} > end:"):
                source.add("raise syntax_error()")
        _place(plan, param, source, x, "at")
        source.add(f"at += {width(param.element)}")
        source.add(*([f"has_{param.name} = True"] if param.name in plan.without else []))
    with source.block("else:"):
        source.add(f"{x} = {plan.default(param)}")
        source.add(*([f"has_{param.name} = False"] if param.name in plan.without else []))


def _all_tokens(plan: Plan) -> set[str]:
    found = {token.word for param in plan.signature.options for token in param.tokens if not param.native}
    for param in plan.signature.options:
        if param.shape is Shape.CHOICE and isinstance(param.element, Choice):
            found.update(param.element.words)
    return found | set(plan.tokens) | set(plan.declaration.selects)


def _options(plan: Plan, source: Source) -> None:
    """The loop over tokens; with a tail, the first word that is no token ends it."""
    options = [param for param in _spelled(plan) if param.shape is not Shape.LAST]
    if plan.tokens:
        source.add("asked = 0")
    if plan.declaration.selects:
        source.add(f"command = {plan.command}")
    if not (options or plan.tokens or plan.declaration.selects):
        if plan.signature.tail is None and _most_words(plan) is None:
            with source.block("if at != end:"):
                source.add(_words_left(plan))
        return
    with source.block("while at < end:"):
        source.add("token = words[at].upper()", "at += 1")
        branch = "if"
        for param in options:
            for token, lines in _branches(plan, param):
                with source.block(f"{branch} token == {token.encode()!r}:"):
                    source.add(*lines)
                branch = "elif"
        for index, word in enumerate(plan.tokens):
            with source.block(f"{branch} token == {word.encode()!r} and not asked & {1 << index}:"):
                source.add(f"asked |= {1 << index}")
            branch = "elif"
        for word, target in plan.declaration.selects.items():
            with source.block(f"{branch} token == {word.encode()!r} and command is {plan.command}:"):
                source.add(f"command = commands[{target!r}]")
            branch = "elif"
        with source.block("else:"):
            source.add(*(("at -= 1", "break") if plan.signature.tail is not None else ("raise syntax_error()",)))


def _words_left(plan: Plan) -> str:
    """What is raised for a line with more words than anything asks for."""
    return "raise syntax_error()" if plan.start == 1 else "raise no_such_line(words)"


def _branches(plan: Plan, param: Param) -> list[tuple[str, list[str]]]:
    """Each token of an option with the lines that read what follows it."""
    once = [f"if {param.name!r} in given:", "    raise syntax_error()"]
    if param.shape is Shape.CHOICE and isinstance(param.element, Choice):
        return [(word.upper(), [*once, f"given[{param.name!r}] = {word!r}"]) for word in param.element.words]
    return [
        (token.word, [*([] if param.many is Many.AGAIN else once), *_value(plan, param, token)])
        for token in param.tokens
    ]


def _value(plan: Plan, param: Param, token: Token) -> list[str]:
    source = Source()
    size = width(param.element)
    if param.shape is Shape.TOKEN:
        source.add(f"given[{param.name!r}] = True")
    elif param.many is Many.COUNTED:
        _counted(plan, param, source, "x")
        source.add(f"given[{param.name!r}] = x")
    elif param.many is Many.SAME:
        index = next(i for i, other in enumerate(plan.signature.positional) if other.name == param.same)
        source.add(f"stop = at + len(a{index}) * {size}")
        with source.block("if stop > end:"):
            source.add("raise syntax_error()")
        _sequence(plan, param, source, "x", "at", "stop")
        source.add("at = stop", f"given[{param.name!r}] = x")
    else:
        with source.block(f"if at + {size} > end:"):
            source.add("raise syntax_error()")
        _place(plan, param, source, "x", "at", scale=token.scale)
        source.add(f"at += {size}")
        if param.many is Many.AGAIN:
            source.add(f"given.setdefault({param.name!r}, []).append(x)")
        else:
            source.add(f"given[{param.name!r}] = x")
    return source.lines


def _counted(plan: Plan, param: Param, source: Source, x: str) -> None:
    size = width(param.element)
    with source.block("if at >= end:"):
        source.add("raise syntax_error()")
    source.add(f"number = text_numkeys(words[at], {param.word!r}, {param.empty!r})", "at += 1")
    source.add(f"stop = at + number * {size}" if size > 1 else "stop = at + number")
    with source.block("if stop > end:"):
        source.add(f"raise numkeys_beyond({param.word!r})")
    with source.block(f"if number > {limits.MAX_BATCH}:"):
        source.add(f"raise too_many({param.word!r})")
    _sequence(plan, param, source, x, "at", "stop")
    source.add("at = stop")


def _tail(plan: Plan, param: Param, source: Source, x: str) -> None:
    size = width(param.element)
    options = _spelled(plan) or plan.tokens
    refuse = "raise syntax_error()" if options else f"raise words_missing({plan.spelled})"
    tests = ([] if param.empty else ["at >= end"]) + ([f"(end - at) % {size}"] if size > 1 else [])
    if tests:
        with source.block(f"if {' or '.join(tests)}:"):
            source.add(refuse)
    with source.block(f"if end - at > {limits.MAX_BATCH * size}:"):
        source.add(f"raise too_many({param.word!r})")
    _sequence(plan, param, source, x, "at", "end")


def _sequence(plan: Plan, param: Param, source: Source, x: str, start: str, stop: str) -> None:
    """A tuple of elements from the words between two places."""
    element, size = param.element, width(param.element)
    if isinstance(element, Row) and element.text == "{raw}":
        source.add(f"{x} = tuple(words[{start}:{stop}])")
        return
    if not isinstance(element, Block):
        item = _expression(plan, element, "w", param.word, param.name, param.scale)
        source.add(f"{x} = tuple([{item} for w in words[{start}:{stop}]])")
        return
    source.add(f"{x} = tuple([{_record(plan, param, 'i', param.scale)} for i in range({start}, {stop}, {size})])")


def _record(plan: Plan, param: Param, at: str, scale: int) -> str:
    """An expression that makes a record of the words from *at* on."""
    assert isinstance(param.element, Block)
    parts = [
        _expression(plan, element, f"words[{at} + {offset}]", label, f"{param.name}_{label}", scale)
        for offset, (label, element) in enumerate(param.element.fields.items())
    ]
    return f"new({plan.record(param.name)}, ({', '.join(parts)},))"


def _place(plan: Plan, param: Param, source: Source, x: str, at: str, *, scale: int | None = None) -> None:
    """One element from the words at a place."""
    factor = param.scale if scale is None else scale
    if isinstance(param.element, Block):
        source.add(f"{x} = {_record(plan, param, at, factor)}")
    else:
        source.add(f"{x} = {_expression(plan, param.element, f'words[{at}]', param.word, param.name, factor)}")


def _expression(plan: Plan, element: Row | Choice, raw: str, label: str, key: str, scale: int) -> str:
    if isinstance(element, Choice):
        return f"text_choice({raw}, {plan.choices(key)})"
    return element.text.format(raw=raw, label=repr(label), scale=scale, word=plan.spelled)


def _end(plan: Plan, source: Source, plain: str | None, given: str, *, shortcut: bool) -> None:
    """The last lines: the reply as RESP has it, or which form of it was asked for and the invocation."""
    if plain is not None:
        _reply(plan, source, plain, given)
        return
    view = f"{plan.ident}_view" if plan.plain_view else "None"
    command = plan.command
    if not shortcut:
        if plan.tokens or plan.without or plan.declaration.selects:
            source.add(f"view = {view}")
            view = "view"
        for name in plan.without:
            known = any(param.name == name for param in plan.signature.positional)
            with source.block(f"if {f'not has_{name}' if known else f'{name!r} not in given'}:"):
                source.add(f"view = {plan.ident}_without[{name!r}]")
        if plan.tokens:
            with source.block("if asked:"):
                source.add(f"view = {plan.ident}_asked.get(asked)")
                with source.block("if view is None:"):
                    source.add("raise syntax_error()")
        if plan.declaration.selects:
            command = "command"
            with source.block(f"if command is not {plan.command}:"):
                source.add("view = command.plain_view")
    source.add(finish(plan, False, given, command, None if view == "None" else view))


def _reply(plan: Plan, source: Source, plain: str, given: str) -> None:
    """Call the function and return its reply in the plain form."""
    view = plan.plain_view
    call = finish(plan, True, given).removeprefix("return ")
    if view is not None:
        call = f"{plan.ident}_view.project({call})"
    if view is not None and view.rescue is not None:
        with source.block("try:"):
            source.add(f"reply = {call}")
        with source.block("except CommandError as error:"):
            source.add(f"reply = {plan.ident}_view.rescue(error)")
        source.add(f"return {plain}")
    elif plain == "reply":
        source.add(f"return {call}")
    else:
        source.add(f"reply = {call}", f"return {plain}")
