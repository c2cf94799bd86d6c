"""One HTML file that says what a run found: opens from disk, offline, whatever stages exist.

from scotoma.report import build, headline

build(Path("runs/demo"))                       # runs/demo/report.html
print("\\n".join(headline(run.summary())))      # the five lines that matter
"""

from scotoma.report.build import build
from scotoma.report.headline import headline

__all__ = ["build", "headline"]
