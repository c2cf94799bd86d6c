"""Quality checks on made samples, one file each; every rejection is counted with its reason.

A check is anything with a name and a `reason(draft)` (`check.Check`); `Checks` asks them in order, cheap before dear.

    checks = Checks(usual_checks(world, held_out))
    checks.passes(Draft(image=record, question="is there a star ?", answer="yes"))
    checks.rejected                      # Counter({'leakage': 1})
"""

from scotoma.generate.checks.chain import Checks, usual_checks
from scotoma.generate.checks.check import Check, Draft

__all__ = ["Check", "Checks", "Draft", "usual_checks"]
