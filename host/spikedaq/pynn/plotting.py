"""Quick figures of Neo's objects: one call, one panel above the other.

Unlike PyNN's, they leave matplotlib's settings and figures of others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from spikedaq.formats.output import made_whole
from spikedaq.model import ConfigError, require
from spikedaq.pynn.drawing import draw, name_and_unit

SETTINGS = {
    "lines.linewidth": 0.6,
    "axes.linewidth": 0.6,
    "axes.labelsize": "small",
    "legend.fontsize": "small",
    "font.size": 8,
    "savefig.dpi": 150,
}
"""Of matplotlib, for these figures only."""
_PANEL_OPTIONS = ("xlabel", "ylabel", "xticks", "yticks", "xlim", "ylim", "legend", "y_offset")


class Panel:
    """One row of a figure, with one thing in it or several.

    Parameters
    ----------
    *data : AnalogSignal, IrregularlySampledSignal, list of SpikeTrain, SpikeTrainList, or 2-D array
    data_labels : sequence of str, optional
        One for each.
    line_properties : sequence of map, optional
        Options of matplotlib's lines, for each.
    xlabel, ylabel : str, optional
        ``"auto"``: the signal's name and unit.
    xticks, yticks : bool
        Whether numbers stand at the axis; not, unless asked for.
    xlim, ylim : (float, float), optional
        In ms and in the data's unit.
    legend : bool
        Default true.
    y_offset : float or Quantity, optional
        How much each channel is drawn above the one before.
    **options
        Of matplotlib's lines, for all.
    """

    def __init__(
        self,
        *data: Any,
        data_labels: Sequence[str | None] | None = None,
        line_properties: Sequence[dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        self.data = list(data)
        self.options = options
        self.data_labels: Iterable[str | None] = data_labels or repeat(None)
        self.line_properties: Iterable[dict[str, Any]] = line_properties or repeat({})

    def plot(self, axes: Any) -> None:
        """Draw it into axes of matplotlib.

        Raises
        ------
        ConfigError
            Something that cannot be drawn.
        """
        mine = {name: self.options[name] for name in _PANEL_OPTIONS if name in self.options}
        lines = {name: value for name, value in self.options.items() if name not in _PANEL_OPTIONS}
        for datum, label, properties in zip(self.data, self.data_labels, self.line_properties, strict=False):
            draw(axes, datum, label or "", {**lines, **properties}, mine)
        for axis, shown in (("x", mine.get("xticks", False)), ("y", mine.get("yticks", False))):
            axes.tick_params(axis=axis, **{f"label{'bottom' if axis == 'x' else 'left'}": bool(shown)})
        if mine.get("ylabel") == "auto":
            mine["ylabel"] = name_and_unit(self.data)
        for name in ("xlabel", "ylabel", "xlim", "ylim"):
            if mine.get(name) is not None:
                getattr(axes, f"set_{name}")(mine[name])
        if mine.get("legend", True) and axes.get_legend_handles_labels()[1]:
            axes.legend(loc="upper right")


class Figure:
    """Panels one above the other.

    Parameters
    ----------
    *panels : Panel
    settings : map, optional
        Of matplotlib's ``rcParams``, for this figure only; default `SETTINGS`.
    annotations : str, optional
        Text at the bottom.
    title : str, optional
        Text at the top.
    size : (float, float), optional
        Width and height in inches; default 6 by 2 for each panel and a margin.

    Attributes
    ----------
    fig : matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    ConfigError
        There is no panel, or something in one that cannot be drawn.
    """

    def __init__(
        self,
        *panels: Panel,
        settings: dict[str, Any] | None = None,
        annotations: str | None = None,
        title: str | None = None,
        size: tuple[float, float] | None = None,
    ) -> None:
        matplotlib: Any = require("matplotlib", "analysis")
        figures: Any = require("matplotlib.figure", "analysis")
        if not panels:
            raise ConfigError("a figure has at least one panel")
        self._settings = dict(SETTINGS if settings is None else settings)
        width, height = size or (6.0, 2.0 * len(panels) + 1.2)
        with matplotlib.rc_context(self._settings):
            self.fig = figures.Figure(figsize=(width, height))
            bottom = (1.2 if annotations else 0.5) / height
            grid = self.fig.add_gridspec(len(panels), 1, top=1 - 0.8 / height, bottom=bottom, hspace=0.25)
            for row, panel in enumerate(panels):
                panel.plot(self.fig.add_subplot(grid[row, 0]))
            if title:
                self.fig.text(0.5, 1 - 0.5 / height, title, ha="center", va="top", fontsize="large")
            if annotations:
                self.fig.text(0.01, 0.01, annotations, fontsize=6, va="bottom")

    def save(self, filename: str | Path, *, overwrite: bool = True) -> Path:
        """Save it; the extension says as what. Folders are made.

        Raises
        ------
        StoreError
            It cannot be written, or is there and ``overwrite`` is false.
        ConfigError
            Matplotlib has no such kind of file.
        """
        matplotlib: Any = require("matplotlib", "analysis")
        path = Path(filename)
        kind = path.suffix.removeprefix(".").lower() or "png"
        known = self.fig.canvas.get_supported_filetypes()
        if kind not in known:
            raise ConfigError(f"{path}: a figure is saved as one of {', '.join(sorted(known))}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(self._settings), made_whole(path, overwrite=overwrite) as partial:
            self.fig.savefig(partial, format=kind)
        return path

    def show(self) -> None:
        """Show it in a window."""
        pyplot: Any = require("matplotlib.pyplot", "analysis")
        shown = pyplot.figure()
        manager = shown.canvas.manager
        manager.canvas.figure = self.fig
        self.fig.set_canvas(manager.canvas)
        pyplot.show()
        pyplot.close(shown)


def plot(data: Any, filename: str | Path | None = None, *, title: str | None = None, segment: int = 0) -> Figure:
    """Draw everything of one run: a panel for each variable, one for the spikes.

    Parameters
    ----------
    data : Population, Assembly, Block or Segment
    filename : str or Path, optional
        Where to save it.
    title : str, optional
        Default: the name of the block and the segment.
    segment : int
        Which run.

    Raises
    ------
    ConfigError
        There is nothing to draw.
    MissingExtraError
        Matplotlib or Neo is not installed.
    """
    block = data.get_data() if hasattr(data, "get_data") else data
    if hasattr(block, "segments"):
        if not -len(block.segments) <= segment < len(block.segments):
            raise ConfigError(f"{block.name} has {len(block.segments)} segments, and no segment {segment}")
        one = block.segments[segment]
        named = f"{block.name}, {one.name}"
    else:
        one, named = block, str(getattr(block, "name", None) or "")
    panels = [Panel(s, ylabel="auto", yticks=True) for s in (*one.analogsignals, *one.irregularlysampledsignals)]
    if len(one.spiketrains):
        panels.append(Panel(list(one.spiketrains), yticks=True))
    if not panels:
        raise ConfigError(f"there is nothing to draw in {named or 'it'}")
    panels[-1].options |= {"xticks": True, "xlabel": "Time (ms)"}
    figure = Figure(*panels, title=named if title is None else title)
    if filename is not None:
        figure.save(filename)
    return figure
