"""What is looked at before a run is begun, by a command and by its dry run alike, so that nothing is refused later.

preflight(settings, open_source(settings))     # ConfigError: "the images of … carry no facts, so nothing says …"
"""

from __future__ import annotations

from scotoma.core import ImageSource
from scotoma.discover.calibration import read_calibration
from scotoma.discover.pool import check_source
from scotoma.discover.questioner import check_questioner
from scotoma.discover.settings import DiscoverySettings
from scotoma.discover.tagger_calibration import read_tagger_calibration


def preflight(settings: DiscoverySettings, source: ImageSource) -> None:
    """Look at the first image, at who asks and at the calibrations; nothing is asked, and no weights are read.

    Raises:
        ConfigError: nobody could ask about these images, or judge the answers; a calibration is not usable.
        SpecError: a spec names nothing, or the questioner is to be trained and cannot be.
        ImageError: the images cannot be read.
    """
    check_source(source, settings.seed, judged=bool(settings.judge.specs))
    check_questioner(settings.discover, source, settings.seed)
    read_calibration(settings.judge)
    read_tagger_calibration(settings.tagging)
