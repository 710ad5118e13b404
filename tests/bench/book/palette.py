"""How the pictures look: few inks on paper, each with what it is on a dark screen."""

INK, MUTED, GRID, PAPER = "#1f2328", "#656d76", "#d1d9e0", "#ffffff"
DARK = {INK: "#e6edf3", MUTED: "#9198a1", GRID: "#30363d", PAPER: "#0d1117"}
BLUE, ORANGE, GREEN, PURPLE, RED, GREY = "#2f7de1", "#d9730d", "#2f9e56", "#8a63d2", "#d1383d", "#8c959f"

RC = {
    "svg.fonttype": "none", "svg.hashsalt": "docket", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["DejaVu Sans"], "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.edgecolor": MUTED, "axes.facecolor": PAPER, "figure.facecolor": PAPER, "savefig.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRID, "grid.linewidth": .7,
    "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 8.5, "lines.linewidth": 1.8, "lines.markersize": 4.5,
}


def with_dark(svg):
    """A stylesheet that exchanges the inks where the reader's screen is dark; who does not know it shows the light one."""
    rules = "".join(f'[style*="{what}: {ink}"]{{{what}:{dark} !important}}' for ink, dark in DARK.items()
                    for what in ("fill", "stroke"))
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    head, tag, rest = svg.partition(" <defs>")
    return head + " " + style + "\n" + tag + rest
