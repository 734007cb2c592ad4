"""One line that shows how a command is written: on a command line, and on the native wire."""

from kv_server.spec.command import Declaration
from kv_server.spec.signature import Block, Choice, Many, Param, Shape, Signature
from kv_server.spec.types import Token

__all__ = ["label_of", "native_usage", "text_usage"]

_UNITS = {
    ("duration", 1000): "seconds",
    ("duration", 1): "milliseconds",
    ("timeout", 1000): "seconds",
    ("timeout", 1): "milliseconds",
    ("time", 1000): "unix-time-seconds",
    ("time", 1): "unix-time-milliseconds",
}


def text_usage(word: str, declaration: Declaration, signature: Signature) -> str:
    """As Redis writes it: words in place, options in brackets, a tail last."""
    if declaration.grammar is not None:
        return f"{word} {declaration.grammar.usage}".rstrip()
    params = [param for param in signature.params if not param.native]
    parts = [word, *(_positional(param) for param in params if param.positional and param.shape is not Shape.TAIL)]
    parts += _options(
        [param for param in params if not param.positional and param.shape is not Shape.LAST], declaration
    )
    tokens = dict.fromkeys(token for view in declaration.views for token in view.tokens)
    parts += [f"[{token}]" for token in (*tokens, *declaration.selects)]
    parts += [_positional(param) for param in params if param.shape in (Shape.TAIL, Shape.LAST)]
    return " ".join(parts)


def native_usage(word: str, signature: Signature) -> str:
    """Positional arguments, then the names of the options in braces; a star marks one that must be given."""
    parts = [word]
    for param in signature.positional:
        label = label_of(param)
        if param.shape is Shape.TAIL:
            label = f"[{label} ...]" if param.empty else f"{label} [{label} ...]"
        elif param.several:
            label = f"[{label}, ...]"
        parts.append(label if param.required or param.shape is Shape.TAIL else f"[{label}]")
    options = ", ".join(param.word + "*" * param.required for param in signature.options)
    return " ".join(parts) + (f" {{{options}}}" if options else "")


def label_of(param: Param) -> str:
    """What one element of a parameter is called; a record by its fields."""
    if isinstance(param.element, Block):
        return " ".join(name.rstrip("_").replace("_", "-") for name in param.element.fields)
    if param.label is not None:
        return param.label
    name = param.word.replace("_", "-")
    if not param.several:
        return name
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")


def _positional(param: Param) -> str:
    label = _choice(param.element) if isinstance(param.element, Choice) else label_of(param)
    if param.shape is Shape.COUNTED:
        return _numbered(param)
    if param.shape is Shape.TAIL:
        return f"[{label} ...]" if param.empty else f"{label} [{label} ...]"
    return label if param.required else f"[{label}]"


def _numbered(param: Param) -> str:
    label = label_of(param)
    name = param.word.replace("_", "-")
    return f"num{name} [{label} ...]" if param.empty else f"num{name} {label} [{label} ...]"


def _choice(choice: Choice) -> str:
    return f"<{' | '.join(choice.words)}>"


def _options(params: list[Param], declaration: Declaration) -> list[str]:
    """Options in order; those that exclude each other share their brackets."""
    parts: list[str] = []
    done: set[str] = set()
    for param in params:
        if param.name in done:
            continue
        group = next((names for names in declaration.groups if param.name in names), (param.name,))
        members = [other for other in params if other.name in group]
        done.update(member.name for member in members)
        forms = [form for member in members for form in _forms(member)]
        text = " | ".join(forms)
        if group in declaration.one_of or any(member.required for member in members):
            parts.append(f"<{text}>" if len(forms) > 1 else text)
        else:
            parts.append(f"[{text}]")
    return parts


def _forms(param: Param) -> list[str]:
    if param.shape is Shape.CHOICE and isinstance(param.element, Choice):
        return list(param.element.words)
    return [_form(param, token) for token in param.tokens]


def _form(param: Param, token: Token) -> str:
    if param.shape is Shape.TOKEN:
        return token.word
    if param.many is Many.COUNTED:
        return f"{token.word} {_numbered(param)}"
    value = _value(param, token)
    if param.many is Many.SAME:
        return f"{token.word} {value} [{value} ...]"
    if param.many is Many.AGAIN:
        return f"{token.word} {value} [{token.word} {value} ...]"
    return f"{token.word} {value}"


def _value(param: Param, token: Token) -> str:
    if isinstance(param.element, Choice):
        return _choice(param.element)
    if isinstance(param.element, Block) or param.label:
        return label_of(param)
    return _UNITS.get((param.element.name, token.scale)) or param.element.shown or label_of(param)
