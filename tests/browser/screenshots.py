"""`make screenshots`: every page of the console in both schemes, into docs/figures. With a folder, there, and at 380 px too."""

import sys
import tempfile
from pathlib import Path

from tests.browser.conftest import ROOT, chromium, serving, sign_up
from tests.browser.pages import PAGES
from tests.browser.scenario import play


def main() -> int:
    """Draw all of them."""
    elsewhere = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    folder = elsewhere or ROOT / "docs" / "figures"
    folder.mkdir(exist_ok=True, parents=True)
    sizes = ((1080, ""), (380, "-narrow")) if elsewhere else ((1080, ""),)
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server, chromium() as browser:
        for scheme in ("light", "dark"):
            for width, suffix in sizes:
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 640})
                page = context.new_page()
                sign_up(page, server, f"you@{scheme}{suffix or '-wide'}.example")
                page.get_by_role("button", name="Create a key").click()
                key = page.locator("pre code").first.inner_text()
                play(server.api, key)
                for shown in PAGES:
                    where = (
                        page
                        if shown.logged_in
                        else browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 640}).new_page()
                    )
                    shown.open(where, server.console)
                    where.screenshot(path=folder / f"console-{shown.name}-{scheme}{suffix}.png", full_page=True)
                context.close()
    print(f"{len(PAGES)} pages in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
