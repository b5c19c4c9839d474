"""The stylesheet of all charts, and the tokens that it stands on: a light and a dark scheme, by what the system asks for.

As text each colour has a contrast of 4.5 or more on page and card, and each stress colour on its own wash (WCAG 2.2 AA). No
state is told by colour alone: each has a shape and a word.
"""

from typing import Final

LIGHT: Final = {
    "page": "#f7f7f5",
    "card": "#ffffff",
    "line": "#e7e7e2",
    "ink": "#1c2024",
    "muted": "#646c74",
    "accent": "#2b5f75",
    "low": "#2c7757",
    "med": "#96600f",
    "high": "#bd3f0b",
    "over": "#9d174d",
    "low-wash": "#e9f4ee",
    "med-wash": "#faf0dd",
    "high-wash": "#fdebe2",
    "over-wash": "#fbe7f0",
}
DARK: Final = {
    "page": "#131619",
    "card": "#1a1e22",
    "line": "#2b3137",
    "ink": "#e8eaec",
    "muted": "#98a1a9",
    "accent": "#7fb7cf",
    "low": "#6cc79f",
    "med": "#e0a94a",
    "high": "#f5894f",
    "over": "#f07cab",
    "low-wash": "#16261f",
    "med-wash": "#2b2414",
    "high-wash": "#301d14",
    "over-wash": "#301522",
}

_RULES: Final = """\
.ic{display:block;max-width:100%;height:auto;font:12px/1 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;\
font-variant-numeric:tabular-nums}
.ic-ground{fill:var(--card);stroke:var(--line)}
.ic-text{fill:var(--ink)}
.ic-title{font-size:14px;font-weight:600}
.ic-muted{fill:var(--muted)}
.ic-value{fill:var(--ink);font-weight:600}
.ic-low{--state:var(--low);--wash:var(--low-wash)}
.ic-med{--state:var(--med);--wash:var(--med-wash)}
.ic-high{--state:var(--high);--wash:var(--high-wash)}
.ic-over{--state:var(--over);--wash:var(--over-wash)}
.ic-solid{fill:var(--state)}
.ic-band{fill:var(--wash)}
.ic-edge{fill:none;stroke:var(--state);stroke-width:2.5}
.ic-grid,.ic-rail,.ic-tick{stroke:var(--line);stroke-width:1}
.ic-level,.ic-pace{stroke:var(--muted);stroke-dasharray:2 3}
.ic-guide{stroke:var(--muted);stroke-width:1;stroke-dasharray:1 3}
.ic-line{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.ic-stress,.ic-drift{stroke:var(--ink)}
.ic-energy{stroke:var(--accent)}
.ic-dot{stroke-width:5}
.ic-hole{fill:var(--page);opacity:.7}
.ic-hit{fill:transparent}
.ic-hit:hover,.ic-link:hover .ic-hit{fill:var(--ink);fill-opacity:.07}
.ic-link:focus{outline:none}
.ic-link:focus-visible .ic-hit{fill:var(--accent);fill-opacity:.12;stroke:var(--accent);stroke-width:2}
.ic-mark{--mark:var(--ink)}
.ic-incident,.ic-denial,.ic-d3,.ic-rollback,.ic-escalation{--mark:var(--high)}
.ic-d2,.ic-pause{--mark:var(--med)}
.ic-reset,.ic-decision{--mark:var(--accent)}
.ic-shape{fill:var(--card);stroke:var(--mark);stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.ic-count{fill:var(--mark);font-size:11px;font-weight:600}
.ic-icon{flex:none;vertical-align:-1px}
.ic-ring{fill:none;stroke:var(--line)}
.ic-profile{fill:var(--accent);fill-opacity:.16;stroke:var(--accent);stroke-width:1.75;stroke-linejoin:round}
.ic-vertex{stroke:var(--accent);stroke-width:7}
.ic-bar{fill:var(--accent)}
.ic-bar:hover{fill:var(--ink)}
"""


def stylesheet() -> str:
    """Tokens and rules, for a page once or for an image that stands alone."""
    light, dark = (";".join(f"--{name}:{value}" for name, value in tokens.items()) for tokens in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{_RULES}"
        "@media (forced-colors:active){.ic{forced-color-adjust:none}}\n"
    )
