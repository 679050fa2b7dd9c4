"""What the page server answers by plain HTTP; each topic's routes stand in a module of their own."""

from __future__ import annotations

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
