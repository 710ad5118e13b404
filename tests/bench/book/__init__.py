"""The book of the benchmarks: what is written down of a run, and the page that is made of it.

    write.Book      a run writes: lines of JSON, and the same as tables on the terminal
    kept            the committed results, one file a part; taking the newest run of a part
    page            docs/performance.md from docs/performance/page.md and the committed results
    plots           docs/performance/*.svg from the same

Nothing here needs a service or a package of Python but plots.draw, which needs matplotlib.
"""
