"""Sphinx configuration: ``make doc``."""

import os

import sklearn_plrnn

project = "sklearn-plrnn"
author = "The sklearn-plrnn developers"
project_copyright = author
version = release = sklearn_plrnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
default_role = "autolink"
html_theme = "pydata_sphinx_theme"
html_theme_options = {"navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
bibtex_bibfiles = ["references.bib"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autosummary_generate = True
autodoc_default_options = {
    "members": True,
    # scikit-learn writes these, and links to its own documentation.
    "exclude-members": "set_fit_request, set_partial_fit_request, set_predict_request, "
    "set_score_request",
}
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": os.sep + "plot_",
    "ignore_pattern": r"demo\.py",
    "show_memory": False,
}


def without_foreign_labels(app, what, name, obj, options, lines):
    """Replace what scikit-learn's own docstrings refer to in its documentation, by its text."""
    lines[:] = [line.replace(":ref:`accuracy <accuracy_score>`", "accuracy") for line in lines]


def setup(app):
    """Connect to Sphinx."""
    app.connect("autodoc-process-docstring", without_foreign_labels)
