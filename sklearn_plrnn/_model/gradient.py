"""Gradients of a function of a parameter dict, and the operations that it most often meets.

autograd traces a dict as one value and takes it apart again at every access; here each array is a
root of its own. Whatever training evaluates at every step is one operation with its derivative by
hand, which saves most of what the graph around the recurrence costs; anything else may be ordinary
``autograd.numpy``.
"""

import numpy as np
from autograd.core import VJPNode, add_outgrads, toposort
from autograd.extend import defvjp, defvjp_argnums, primitive
from autograd.tracer import isbox, new_box, trace_stack


def value_and_gradients(function, params, *arguments):
    """``function(params, *arguments)`` and its gradient by name; None where it does not matter."""
    roots = {name: VJPNode.new_root() for name in params}
    with trace_stack.new_trace() as trace:
        traced = {name: new_box(x, trace, roots[name]) for name, x in params.items()}
        value = function(traced, *arguments)
    if not isbox(value):
        return value, dict.fromkeys(params)
    end, value = value._node, value._value
    pending, found = {end: (np.ones_like(value), False)}, {}
    for node in toposort(end):
        bar = pending.pop(node)
        if not node.parents:
            found[node] = bar[0]
        for parent, parent_bar in zip(node.parents, node.vjp(bar[0]), strict=True):
            pending[parent] = _accumulated(pending.get(parent), parent_bar)
    return value, {name: found.get(root) for name, root in roots.items()}


def _accumulated(total, bar):
    """What `add_outgrads` returns, without its dispatch where both are arrays."""
    if total is not None and type(bar) is np.ndarray:
        return total[0] + bar, False
    return add_outgrads(total, bar)


@primitive
def without_diagonal(W):
    """A square matrix with zeros on its diagonal."""
    W = W.copy()
    W.reshape(-1)[:: len(W) + 1] = 0
    return W


defvjp(without_diagonal, lambda value, W: without_diagonal)


@primitive
def relu(x):
    """``max(x, 0)``; autograd's own derivative of that leaves single precision."""
    return np.maximum(x, 0)


defvjp(relu, lambda value, x: lambda bar: np.where(x > 0, bar, 0))


def pull_and_slopes(A, W, h, units, anchor, n_couplings, alpha):
    """``alpha (mean (A_i - anchor)^2 + sum W_ij^2 / n_couplings + mean h_i^2)``, i in `units`.

    Beside the value, its derivatives with respect to these rows of A, W and h.
    """
    A, W, h = A[units] - anchor, W[units], h[units]
    one, many = A.dtype.type(alpha / len(units)), A.dtype.type(alpha / n_couplings)
    value = one * (A @ A + h @ h) + many * np.vdot(W, W)
    return value, (2 * one * A, 2 * many * W, 2 * one * h)


@primitive
def pull(A, W, h, units, anchor, n_couplings, alpha):
    """The value of `pull_and_slopes`."""
    return pull_and_slopes(A, W, h, units, anchor, n_couplings, alpha)[0]


def _pull_vjp(argnums, value, arguments, _):
    slopes, units = pull_and_slopes(*arguments)[1], arguments[3]

    def vjp(bar):
        bars = []
        for i in argnums:
            bars.append(np.zeros_like(arguments[i]))
            bars[-1][units] = bar * slopes[i]
        return bars

    return vjp


defvjp_argnums(pull, _pull_vjp)
