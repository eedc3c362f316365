"""An estimator made of another takes its parameters, and says so where scikit-learn looks.

scikit-learn reads parameters from the signature of the constructor, readers from the docstring. For
an estimator that stands for another one with a parameter chosen, both follow from the other's.
"""

import inspect
import re
from typing import Any, NamedTuple


class Own(NamedTuple):
    """Default and constraints of a parameter that the other estimator does not have."""

    default: Any
    constraints: list


def shares_parameters(own, left_out):
    """Decorator of a class whose second base is the other estimator.

    Parameters `own`, by name, take the place of the other's first parameter in `left_out`. What the
    docstring of the class does not say of a parameter or attribute comes from the other's.
    """

    def decorate(cls):
        other = cls.__bases__[1]
        cls._plain, cls.__init__ = other, _constructor(other, own, left_out)
        cls._parameter_constraints = {
            name: allowed
            for name, allowed in other._parameter_constraints.items()
            if name not in left_out
        } | {name: parameter.constraints for name, parameter in own.items()}
        if cls.__doc__:  # absent with python -OO
            cls.__doc__ = _joined(cls.__doc__, other.__doc__, inspect.signature(cls).parameters)
        return cls

    return decorate


def _constructor(other, own, left_out):
    parameters = []
    for name, parameter in inspect.signature(other.__init__).parameters.items():
        if name == left_out[0]:
            parameters += [
                inspect.Parameter(x, inspect.Parameter.KEYWORD_ONLY, default=own[x].default)
                for x in own
            ]
        if name not in left_out:
            parameters.append(parameter)
    signature = inspect.Signature(parameters)

    def __init__(self, *args, **kwargs):
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        vars(self).update((name, given.arguments[name]) for name in list(given.arguments)[1:])

    __init__.__signature__ = signature
    return __init__


def _joined(doc, other, parameters):
    """`doc`, completed by entries of `other`: `parameters` in order, attributes, references."""
    doc, other = map(inspect.cleandoc, (doc, other))
    described = _entries(other, "Parameters") | _entries(doc, "Parameters")
    doc = doc.replace(_section(doc, "Parameters"), "\n".join(described[x] for x in parameters))
    kept = {name: x for name, x in _entries(other, "Attributes").items() if name != "restarts_"}
    attributes = (_entries(doc, "Attributes") | kept).values()
    doc = doc.replace(_section(doc, "Attributes"), "\n".join(attributes))
    references = f"References\n----------\n{_section(other, 'References')}\n\n"
    return doc.replace("Examples\n--------", f"{references}Examples\n--------")


def _section(doc, title):
    return re.search(rf"^{title}\n-+\n(.*?)(?=\n\n\w|\Z)", doc, re.DOTALL | re.MULTILINE)[1]


def _entries(doc, title):
    """Text of each entry of a section, by the name or names it is for."""
    entries = re.findall(r"^\S.*(?:\n .*)*", _section(doc, title), re.MULTILINE)
    return {entry.split(" : ")[0]: entry for entry in entries}
