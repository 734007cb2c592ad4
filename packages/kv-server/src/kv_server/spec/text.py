"""The text door: a list of words as RESP, a shell or a script gives them, read by one straight-line function a command.

Positional words come first; options follow in any order, each at most once. A repeated tail comes after the options, as
Redis has it. Words that stand last (a timeout) are taken off the end before anything else is read.
"""

from collections.abc import Mapping
from typing import TypeAlias

from kv_protocol import limits
from kv_server.spec.command import View
from kv_server.spec.lengths import least_words, most_words, rigid, spelled_options, width
from kv_server.spec.signature import Block, Choice, Many, Param, Shape
from kv_server.spec.source import Plan, Source
from kv_server.spec.typed import exclusions, finish, none_of
from kv_server.spec.types import Row, Token

__all__ = ["text_source"]


Shapes: TypeAlias = Mapping[View | None, str | None]
"""By view, the source of what makes a reply as RESP has it; None where it is."""


def text_source(plan: Plan, shapes: Shapes) -> str:
    """The source of `…_bind_text` and `…_call_text`."""
    source = Source()
    if plan.declaration.grammar is not None:
        _hand_written(plan, source)
    else:
        _function(plan, source, None)
    source.add("", "")
    if plan.declaration.grammar is not None:
        with source.block(f"def {plan.ident}_call_text(place, words: list, options=None):"):
            _bound(plan, source)
    else:
        _function(plan, source, shapes)
    return source.text()


def _bound(plan: Plan, source: Source) -> None:
    """Bind, then run: the way of all lines that are not of the plainest form."""
    source.add(f"invocation = {plan.ident}_bind_text(words)")
    source.add("return invocation.command.answer(place, invocation)")


def _hand_written(plan: Plan, source: Source) -> None:
    with source.block(f"def {plan.ident}_bind_text(words: list):"):
        with source.block(f"if len(words) < {least_words(plan)}:"):
            source.add(f"raise words_missing({plan.spelled})")
        source.add(f"cursor = Words(words, {plan.start}, {plan.spelled})")
        source.add(f"args, options = {plan.ident}_grammar(cursor)", "cursor.finish()")
        source.add(f"return Invocation({plan.command}, args, options, {plan.ident}_view)")


def _function(plan: Plan, source: Source, shapes: Shapes | None) -> None:
    """The function that binds; or, given *shapes* of replies, the one that calls."""
    calls = shapes is not None
    name = (
        f"{plan.ident}_call_text(place, words: list, options=None)" if calls else f"{plan.ident}_bind_text(words: list)"
    )
    start = plan.start
    params = [param for param in plan.signature.positional if param.shape is not Shape.TAIL]
    options = spelled_options(plan)
    fixed = 0
    while fixed < len(params) and params[fixed].required and params[fixed].shape is Shape.FIXED:
        fixed += 1
    least, fixed_length = least_words(plan), rigid(plan)
    words = start + sum(width(param.element) for param in params[:fixed])
    with source.block(f"def {name}:"):
        source.add("count = len(words)")
        with source.block(f"if count {'!=' if fixed_length else '<'} {least}:"):
            source.add(f"raise words_missing({plan.spelled})")
        most = most_words(plan)
        if most is not None and not fixed_length:
            with source.block(f"if count > {most}:"):
                source.add(_words_left(plan))
        at = start
        for index, param in enumerate(params[:fixed]):
            _place(plan, param, source, f"a{index}", str(at))
            at += width(param.element)
        if not fixed_length:
            asked_for = plan.declaration.one_of or any(option.required for option in options)
            if fixed == len(plan.signature.positional) and not plan.without and not asked_for:
                with source.block(f"if count == {words}:"):
                    _end(plan, source, shapes, "{}", shortcut=True)
            if shapes is not None and plan.without and not asked_for and _optional(params[fixed:]):
                with source.block(f"if count == {words}:"):
                    _shortest(plan, source, shapes, fixed)
            if calls and (plan.declaration.selects or plan.tokens or plan.without):
                _bound(plan, source)
                return
            _open_ended(plan, source, params, fixed, at)
        _end(plan, source, shapes, "given" if options else "{}", shortcut=fixed_length)


def _optional(params: list[Param]) -> bool:
    return all(param.shape is Shape.FIXED and not param.required for param in params)


def _shortest(plan: Plan, source: Source, shapes: Shapes, fixed: int) -> None:
    """The lines for a call with nothing but its required words."""
    for index, param in enumerate(plan.signature.positional[fixed:], fixed):
        source.add(f"a{index} = {plan.default(param)}")
    absent = plan.without[-1]
    view = next(view for view in plan.declaration.views if view.without == absent)
    _reply(plan, source, shapes[view], "{}", view, f"{plan.ident}_without[{absent!r}]")


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
    if spelled_options(plan):
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
    for param in spelled_options(plan):
        if param.many is Many.AGAIN:
            with source.block(f"if {param.name!r} in given:"):
                source.add(f"given[{param.name!r}] = tuple(given[{param.name!r}])")
                with source.block(f"if len(given[{param.name!r}]) > {limits.MAX_BATCH}:"):
                    source.add(f"raise too_many({param.word!r})")
        if param.required and param.shape is Shape.OPTION:
            with source.block(f"if {param.name!r} not in given:"):
                source.add(f"raise token_missing({param.tokens[0].word!r})")
    if spelled_options(plan):
        exclusions(plan, source, "raise syntax_error()")
    tokens = {param.name: param.tokens[0].word for param in spelled_options(plan) if param.tokens}
    for group in plan.declaration.one_of:
        with source.block(f"if {none_of(group)}:"):
            source.add(f"raise one_missing({plan.spelled}, {[tokens[name] for name in group]})")


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
    options = [param for param in spelled_options(plan) if param.shape is not Shape.LAST]
    if plan.tokens:
        source.add("asked = 0")
    if plan.declaration.selects:
        source.add(f"command = {plan.command}")
    if not (options or plan.tokens or plan.declaration.selects):
        if plan.signature.tail is None and most_words(plan) is None:
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
    options = spelled_options(plan) or plan.tokens
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
    if isinstance(element, Row) and element.text == "from_octets({raw})":
        source.add(f"{x} = values_in(words, {start}, {stop})")
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
    made = f"({', '.join(parts)},)"
    return made if param.several else f"new({plan.record(param.name)}, {made})"


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


def _end(plan: Plan, source: Source, shapes: Shapes | None, given: str, *, shortcut: bool) -> None:
    """The last lines: the reply as RESP has it, or which form of it was asked for and the invocation."""
    if shapes is not None:
        _reply(plan, source, shapes[plan.plain_view], given, plan.plain_view, f"{plan.ident}_view")
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


def _reply(plan: Plan, source: Source, shape: str | None, given: str, view: View | None, name: str) -> None:
    """Call the function and return its reply in the form of the *view* of that *name*."""
    call = finish(plan, True, given).removeprefix("return ")
    if plan.signature.tail is not None and given != "given":
        *first, tail = [f"a{index}" for index in range(len(plan.signature.positional))]
        call = f"spread({plan.function}, ({', '.join(['place', *first])},), {tail})"
    if view is not None:
        call = f"{name}.project({call})"
    if view is not None and view.rescue is not None:
        with source.block("try:"):
            source.add(f"reply = {call}")
        with source.block("except CommandError as error:"):
            source.add(f"reply = {name}.rescue(error)")
        source.add(f"return {shape or 'reply'}")
    elif shape is None:
        source.add(f"return {call}")
    else:
        source.add(f"reply = {call}", f"return {shape}")
