"""Reads the report's page as a browser's parser does, as far as the tests ask."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "hr"}
LOADING = {"src", "srcset", "data", "poster", "background", "action"}


class PageReader(HTMLParser):
    """Collects elements, text, ids and links; notes what is nested wrongly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element, and an attribute that stands twice."""
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) < len(attrs):
            self.problems.append(f"<{tag}> names an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end that is not that of the innermost element."""
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()} ends another element")

    def handle_data(self, data: str) -> None:
        """Keep what a person reads."""
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of all elements of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [str(attrs["id"]) for _, attrs in self.elements if "id" in attrs]

    @property
    def loaded(self) -> list[str]:
        """What a browser would fetch."""
        found = [str(value) for _, attrs in self.elements for name, value in attrs.items() if name in LOADING]
        return found + [str(attrs.get("href")) for attrs in self.of("link")]

    @property
    def links(self) -> list[str]:
        """Where links lead."""
        return [str(attrs.get("href")) for attrs in self.of("a")]
