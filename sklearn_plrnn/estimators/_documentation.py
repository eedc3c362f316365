"""Where an estimator is documented, for the links of its HTML representation."""

from importlib.metadata import PackageNotFoundError, metadata

PAGE = "/generated/sklearn_plrnn.{estimator_name}.html"  # as doc/api.rst places it


def page_template():
    """URL of an estimator's page; "" if the package names no ``Documentation`` among its URLs."""
    try:
        urls = metadata("sklearn-plrnn").get_all("Project-URL", [])
    except PackageNotFoundError:
        return ""
    by_label = dict(url.split(", ", 1) for url in urls)
    return by_label["Documentation"].rstrip("/") + PAGE if "Documentation" in by_label else ""
