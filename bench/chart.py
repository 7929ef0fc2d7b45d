# SPDX-License-Identifier: BSL-1.0
"""What the scripts that measure share: numbers as text, charts by decades, and sections of a page that are written by a script."""
import html
import math
import re

OTHER = "#444444"


def duration(seconds):
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size * 0.9995:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def number(x):
    """Three digits, without an exponent up to a million."""
    x = float(f"{x:.3g}")
    if x == 0:
        return "0"
    if abs(x) < 1e-3 or abs(x) >= 999500:
        return f"{x:.2g}"
    digits = max(0, 2 - math.floor(math.log10(abs(x)) + 1e-9))
    text = f"{x:.{digits}f}"
    return text if abs(float(text)) < 1000 else f"{round(x, 2 - math.floor(math.log10(abs(x)))):.0f}"


def size_text(n):
    return f"{n:,}".replace(",", " ")


def spread(places, least):
    """The places, moved apart so that neighbours are `least` apart, in the same order."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for _ in range(200):
        done = True
        for a, b in zip(order, order[1:]):
            gap = moved[b] - moved[a]
            if gap < least - 1e-6:
                moved[a] -= (least - gap) / 2
                moved[b] += (least - gap) / 2
                done = False
        if done:
            break
    return moved


def chart(title, unit, lines, colours, thick=None):
    """Time against size, both by decades. `lines` are {name: [(size, seconds)]}, by rising sizes; that of `thick` is drawn thicker."""
    left, right, top, bottom, width, height = 70, 560, 40, 290, 720, 340
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    x0, x1 = math.log10(min(xs)), math.log10(max(xs))
    y0, y1 = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    if y0 == y1:
        y1 += 1
    if x0 == x1:
        x1 += 1

    def at(x, y):
        return left + (math.log10(x) - x0) / (x1 - x0) * (right - left), bottom - (math.log10(y) - y0) / (y1 - y0) * (bottom - top)

    described = "; ".join(f"{library} {duration(points[0][1])} for {size_text(points[0][0])} to {duration(points[-1][1])} for {size_text(points[-1][0])}"
                          for library, points in lines.items())
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
           f'aria-labelledby="title desc" font-family="sans-serif" font-size="13">',
           f'<title id="title">{html.escape(title)}</title>', f'<desc id="desc">{html.escape(described)}</desc>',
           f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>', '<g stroke="#dddddd">']
    for decade in range(y0, y1 + 1):
        out.append(f'<path d="M{left} {at(10 ** x0, 10.0 ** decade)[1]:.1f}H{right}"/>')
    out += ["</g>", f'<g stroke="#333333" fill="none"><path d="M{left} {top}V{bottom}H{right}"/></g>', '<g fill="#222222">',
            f'<text x="{left}" y="24">{html.escape(title)}</text>']
    for decade in range(y0, y1 + 1):
        out.append(f'<text x="{left - 8}" y="{at(10 ** x0, 10.0 ** decade)[1] + 4.5:.1f}" text-anchor="end">{duration(10.0 ** decade)}</text>')
    shown = math.inf
    for x in sorted(set(xs), reverse=True):
        if shown - at(x, ys[0])[0] >= 55:
            shown = at(x, ys[0])[0]
            out.append(f'<text x="{shown:.1f}" y="{bottom + 20}" text-anchor="middle">{size_text(x)}</text>')
    out += [f'<text x="{(left + right) / 2:.0f}" y="{bottom + 40}" text-anchor="middle">{html.escape(unit)}</text>', "</g>"]
    labels = spread([at(*points[-1])[1] for points in lines.values()], 16)
    for (library, points), label in zip(lines.items(), labels):
        colour = colours.get(library, OTHER)
        path = " ".join("{:.1f},{:.1f}".format(*at(*p)) for p in points)
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="{3 if library == thick else 1.8}" stroke-linejoin="round" points="{path}"/>')
        out += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*at(*p), colour) for p in points]
        x, y = at(*points[-1])
        out.append(f'<path stroke="{colour}" stroke-width="0.7" fill="none" d="M{x + 4:.1f} {y:.1f}L{right + 12} {label:.1f}"/>')
        out.append(f'<text x="{right + 16}" y="{label + 4.5:.1f}" fill="{colour}">{html.escape(library)}</text>')
    return "\n".join(out + ["</svg>", ""])


def with_section(text, marks, section):
    """The text, with the lines of the section in place of what is from the first to the second mark."""
    found = re.findall(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), text, re.DOTALL)
    if len(found) != 1 or any(text.count(mark) != 1 for mark in marks):
        raise ValueError(f"expected the marks {marks[0]} and {marks[1]} once each, in this order")
    return text.replace(found[0], "\n".join(section))
