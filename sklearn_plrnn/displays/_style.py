"""How displays look: colours, markers, axes.

Figures are as wide as a column of print, with the font size of the running style. Every colour has
a contrast of 3 or more to white and to black, and those that meet in one display differ for the
colour-blind, too (vermilion and blue of Okabe and Ito, grey), so that light and dark styles need
nothing else. Guides take the style's colour of text.
"""

import numpy as np

WIDTH = 3.5  # inches
MODEL = "#d55e00"
DATA = "0.5"
OTHER = "#0072b2"
MARGIN = 0.5  # of the range of data: what is farther away must not shrink everything else

# Of fixed points and cycles by the first word of their kind: marker, whether filled.
KINDS = {
    "stable": ("o", True),
    "unstable": ("o", False),
    "saddle": ("X", True),
    "neutral": ("s", True),
}


def axes_for(ax, n, height=2.6, **subplot_kw):
    """`n` axes to draw into: those given, or new ones below each other."""
    if ax is None:
        import matplotlib.pyplot as plt

        figsize = WIDTH, height if n == 1 else 0.6 * height * n
        options = {"figsize": figsize, "sharex": True, "layout": "constrained"}
        return plt.subplots(n, squeeze=False, subplot_kw=subplot_kw, **options)[1][:, 0]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != n:
        raise ValueError(f"ax holds {len(axes)} axes; expected {n}, one for each variable.")
    return axes


def space_axes(ax, names):
    """Axes of a space with two or three coordinates."""
    if len(names) not in (2, 3):
        raise ValueError(
            f"features are {len(names)} variables; expected 2 or 3, the axes of a picture."
        )
    flat = len(names) == 2
    (ax,) = axes_for(ax, 1, 2.8 if flat else 3.2, projection=None if flat else "3d")
    if not flat and not hasattr(ax, "set_zlabel"):
        raise ValueError('ax is flat; three features need axes with projection="3d".')
    for axis, name in zip("xyz", names, strict=False):
        getattr(ax, f"set_{axis}label")(plain(name))
        if not flat:  # walls are light in dark styles, too, and make everything pale
            getattr(ax, f"{axis}axis").set_pane_color((0, 0, 0, 0))
    if not flat:
        ax.grid(False)
        ax.set_box_aspect(None, zoom=0.85)  # labels are cut off otherwise
    return ax


def legend_above(ax):
    """A legend in one row over the axes, where it hides nothing."""
    layout = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "frameon": False}
    space = {"handlelength": 1, "handletextpad": 0.5, "columnspacing": 0.8, "borderpad": 0}
    return ax.legend(**layout, **space, fontsize="small")


def view(x):
    """Ends of what to show of data (time, variable), NaN where they do not tell."""
    known = np.isfinite(x)
    low, high = np.where(known, x, np.inf).min(axis=0), np.where(known, x, -np.inf).max(axis=0)
    margin = np.where(high > low, MARGIN * (high - low), np.nan)
    return low - margin, high + margin


def plain(name):
    """A name that is shown as it is, and not read as a formula."""
    return name.replace("$", r"\$")


def keep(display, axes):
    """The display, with its axes and figure as attributes."""
    display.ax_ = axes[0] if len(axes) == 1 else axes
    display.figure_ = axes[0].figure
    return display


def style(artist, defaults, given):
    """Keywords of an artist class, short names such as ``c`` and ``lw`` resolved."""
    from matplotlib.cbook import normalize_kwargs

    return defaults | normalize_kwargs(given or {}, artist)


def marker_style(kind, colour):
    """Keywords of a marker for a fixed point or cycle of this kind."""
    marker, filled = KINDS[kind.split()[0]]
    return {
        "marker": marker,
        "markerfacecolor": colour if filled else "none",
        "markeredgecolor": colour,
        "markeredgewidth": 1.5 if not filled else 0.5,
        "markersize": 7,
        "linestyle": "none",
    }


def time_label(dt):
    """What an axis of time counts: steps, where a step has no duration."""
    return "steps" if dt == 1 else "time"
