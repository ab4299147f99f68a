"""The plot: throughput and latency against callers in flight, one line a system, as SVG written by hand."""

import math

PANEL_WIDTH, PANEL_HEIGHT = 340, 250
LEFT, TOP, GAP_X, GAP_Y = 70, 94, 86, 92
SERIES = [
    # (cells' system, label, colour, dashes)
    ("tollgate", "Tollgate", "#0b6e4f", ""),
    ("redis", "Redis, Lua, AOF always", "#c1292e", ""),
    ("postgres", "PostgreSQL, PL/pgSQL", "#1b4f9c", ""),
    ("grpc", "gRPC C++, SQLite", "#b07d12", ""),
    ("echo", "limit: bare echo", "#8a8a8a", "5 4"),
]
PANELS = [("steps_per_second", "steps/s", 1), ("p50_us", "p50, ms", 1_000), ("p99_us", "p99, ms", 1_000)]
SHAPES = {"1x1": 1, "8x1": 8, "8x8": 64, "8x64": 512}
POSTGRES_SHAPES = {"1x1": 1, "8x1": 8, "64x1": 64}
CALLERS = [1, 8, 64, 512]


def points(results, system, tenants, field, by):
    """(callers in flight, median, least, most)."""
    shapes = POSTGRES_SHAPES if system == "postgres" else SHAPES
    found = []
    for shape, callers in shapes.items():
        cell = f"{system}/{1 if system == 'echo' else tenants}/{shape}"
        value = results.median(cell, field)
        if value:
            low, high = results.spread(cell, field)
            found.append((callers, value / by, low / by, high / by))
    return found


def svg(results, tenant_counts):
    """A row of panels for each count of tenants."""
    width = LEFT + len(PANELS) * (PANEL_WIDTH + GAP_X) - GAP_X + 30
    height = TOP + len(tenant_counts) * (PANEL_HEIGHT + GAP_Y) - GAP_Y + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        legend(),
    ]
    for row, tenants in enumerate(tenant_counts):
        y = TOP + row * (PANEL_HEIGHT + GAP_Y)
        label = "1 tenant" if tenants == 1 else f"{tenants:,} tenants, evenly"
        parts.append(text(LEFT, y - 14, label, size=13, weight="600"))
        for column, (field, title, by) in enumerate(PANELS):
            lines = [(s, points(results, s[0], tenants, field, by)) for s in SERIES]
            parts.append(
                panel(
                    LEFT + column * (PANEL_WIDTH + GAP_X),
                    y,
                    title,
                    [(s, p) for s, p in lines if p],
                    is_last_row=row == len(tenant_counts) - 1,
                )
            )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def legend():
    parts, x = [
        text(LEFT, 24, "Durable steps: throughput and latency against callers in flight", size=15, weight="600")
    ], LEFT
    for _, label, colour, dashes in SERIES:
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(f'<line x1="{x}" y1="42" x2="{x + 24}" y2="42" stroke="{colour}" stroke-width="2.5"{dash}/>')
        parts.append(text(x + 30, 46, label))
        x += 58 + 6.7 * len(label)
    return "\n".join(parts)


def text(x, y, words, anchor="start", size=12, weight="400", fill="#222"):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    look = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{words}</text>'


def panel(x, y, title, lines, is_last_row):
    """Both axes are logarithmic; a bar at each point reaches from the least to the most round."""
    values = [v for _, series in lines for _, *triple in series for v in triple if v > 0]
    if not values:
        return text(x, y + 20, f"{title}: nothing was measured", fill="#888")
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def across(callers):
        inset = 18
        return x + inset + (PANEL_WIDTH - 2 * inset) * math.log(callers) / math.log(CALLERS[-1])

    def up(value):
        return y + PANEL_HEIGHT * (1 - (math.log10(value) - low) / (high - low))

    parts = [f'<rect x="{x}" y="{y}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="#fafafa" stroke="#bbb"/>']
    for power in range(low, high + 1):
        for step in (1, 2, 5):
            value = step * 10.0**power
            if not 10.0**low <= value <= 10.0**high * 1.0001:
                continue
            strength = "#d9d9d9" if step == 1 else "#eeeeee"
            parts.append(
                f'<line x1="{x}" x2="{x + PANEL_WIDTH}" y1="{up(value):.1f}" y2="{up(value):.1f}" stroke="{strength}"/>'
            )
            if step == 1 or high - low <= 2:
                parts.append(text(x - 6, up(value) + 4, short(value), anchor="end", size=11, fill="#555"))
    bottom = y + PANEL_HEIGHT
    for callers in CALLERS:
        at = f"{across(callers):.1f}"
        parts.append(f'<line x1="{at}" x2="{at}" y1="{y}" y2="{bottom}" stroke="#e6e6e6"/>')
        parts.append(text(across(callers), bottom + 16, str(callers), anchor="middle", size=11, fill="#555"))
    if is_last_row:
        parts.append(text(x + PANEL_WIDTH / 2, bottom + 38, "callers in flight", anchor="middle", fill="#555"))
    parts.append(text(x + PANEL_WIDTH, y - 8, title, anchor="end", weight="600"))
    for (_, _, colour, dashes), series in reversed(lines):
        parts += drawn(series, colour, dashes, across, up)
    return "\n".join(parts)


def drawn(series, colour, dashes, across, up):
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    path = " ".join(f"{across(callers):.1f},{up(value):.1f}" for callers, value, _, _ in series)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}/>']
    for callers, value, low, high in series:
        at = across(callers)
        if high > low:
            parts.append(
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{up(low):.1f}" y2="{up(high):.1f}" stroke="{colour}" '
                'stroke-width="1.2" opacity="0.6"/>'
            )
        parts.append(f'<circle cx="{at:.1f}" cy="{up(value):.1f}" r="3.2" fill="{colour}"/>')
    return parts


def short(value):
    """A tick's label: 1, 20, 5k, 1M; below 1 as it is."""
    for bound, unit in ((1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:g}{unit}"
    return f"{value:g}"
