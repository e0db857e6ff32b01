"""Whatever comes over HTTP: plain files, and videos of any site that yt-dlp knows.

    settings     the config's `download:`, and what is looked at before the work begins
    errors       yt-dlp's exceptions as reasons of the manifest
    session      yt-dlp with this project's manners; trying again; limits and progress
    plain        `fetch_file`: a file from the first of several addresses that gives it
    videos       `fetch_video`: one original with a sidecar that says what was taken
    hosts        pauses between requests, and leaving alone who refuses

Nothing partial stands at a target: what has arrived is kept in a hidden folder beside
it, from which the next attempt, process or run goes on.
"""

import os

# The user's own plugins would change what a download gives; read on yt-dlp's import.
os.environ["YTDLP_NO_PLUGINS"] = "1"

from scripts.common.downloads.plain import fetch_file
from scripts.common.downloads.settings import NotReady, Settings
from scripts.common.downloads.videos import fetch_video

__all__ = ["NotReady", "Settings", "fetch_file", "fetch_video"]
