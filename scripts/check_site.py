"""Look at the built documentation as a reader does who opens it from the disk, without a network.

``python scripts/check_site.py SITE [--pictures FOLDER]``: every link of every page leads to a file and a
heading that are there; nothing is loaded from another host; the search finds what it should. The last needs
playwright and a Chromium; without them it is left out, and says so. Prints what is wrong; the exit code tells
whether anything was.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: what a reader types, and a page that must be among the answers
SEARCHES = {
    "NDVI": "gallery/p7-why-is-my-ndvi-wrong.html",
    "halo": "concepts/operators.html",
    "sandbox": "concepts/config.html",
}
SHOWN = ("index.html", "tutorial.html", "concepts/operators.html", "gallery/index.html", "performance.html")


class Page(HTMLParser):
    """The links, the loaded files and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        held = dict(attrs)
        self.anchors.update(value for key in ("id", "name") if (value := held.get(key)))
        if tag == "a" and (href := held.get("href")):
            self.links.append(href)
        elif tag in ("script", "img", "source", "iframe") and (src := held.get("src")):
            self.loaded.append(src)
        elif tag == "link" and "stylesheet" in (held.get("rel") or "") and (href := held.get("href")):
            self.loaded.append(href)


@functools.cache
def page(path: Path) -> Page:
    """Return a page, parsed once."""
    return Page(path)


def broken(site: Path) -> list[str]:
    """Return the links that lead nowhere, and what is loaded from elsewhere."""
    told = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # its links start at the root of a server
            continue
        name, own = path.relative_to(site), page(path)
        told += [f"{name}: loads {src}" for src in own.loaded if urlsplit(src).scheme in ("http", "https")]
        for link in {*own.links, *own.loaded}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                told.append(f"{name}: {link} is not there")
            elif not _has(target, unquote(parts.fragment)):
                told.append(f"{name}: {link} has no such heading")
    return told


def _has(target: Path, anchor: str) -> bool:
    return not anchor or target.suffix != ".html" or anchor in page(target).anchors


def searched(site: Path, chromium: str, pictures: Path | None) -> list[str]:
    """Return what is wrong with the search, in a browser that opens the pages from the disk."""
    from playwright.sync_api import sync_playwright

    told: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1280, "height": 900})
        view.on(
            "request",
            lambda request: told.append(f"asks {request.url}") if request.url.startswith("http") else None,
        )
        for words, expected in SEARCHES.items():
            view.goto((site / "index.html").as_uri())
            view.locator(".md-search__input").fill(words)
            results = view.locator(".md-search-result__link")
            results.first.wait_for(timeout=20_000)
            found = [link.get_attribute("href") or "" for link in results.all()]
            if not any(expected in link for link in found):
                told.append(f"the search for {words!r} finds {found[:5]}, and not {expected}")
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            for name in SHOWN:
                view.goto((site / name).as_uri())
                view.screenshot(path=pictures / f"{name.replace('/', '-').removesuffix('.html')}.png")
        browser.close()
    return told


def main() -> int:
    """Check a site."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path, help="where screenshots are put")
    wish = parser.parse_args()
    told = broken(wish.site.resolve())
    chromium = shutil.which("chromium")
    if chromium and find_spec("playwright"):
        told += searched(wish.site.resolve(), chromium, wish.pictures)
    else:
        print("the search was not tried: no Chromium, or no playwright")
    print(
        "\n".join(told)
        or f"{sum(1 for _ in wish.site.rglob('*.html'))} pages: links and search are as they should be"
    )
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
