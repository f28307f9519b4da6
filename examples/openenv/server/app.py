"""The server of the environment: `SYNTHTOOLS_PACK` names a pack's folder; without it, tasks are grown for one domain of the catalogue."""

from __future__ import annotations

import argparse
import os

import uvicorn

from envs import make_env
from envs.adapters.episodes import Episodes
from envs.adapters.openenv import openenv_app

DOMAIN = "marina_berths"
PACK = os.environ.get("SYNTHTOOLS_PACK")

app = openenv_app(Episodes(make_env(pack=PACK, domains=None if PACK else DOMAIN, split=None).worlds))


def main() -> None:
    """Serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args()
    uvicorn.run(app, host=chosen.host, port=chosen.port)


if __name__ == "__main__":
    main()
