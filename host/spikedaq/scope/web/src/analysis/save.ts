/** Files that leave the page: figures as SVG and PNG on white, tables as CSV. */
import { download } from "../panels/device/files";
import type { Figure } from "./figure";
import { drawFigure, type Size } from "./plot";
import { CanvasSurface, ON_WHITE, SvgSurface } from "./surface";

export const SAVED: Size = { width: 720, height: 440 };
const PNG_SCALE = 2;

export function svgOf(figure: Figure, size: Size = SAVED): string {
  const surface = new SvgSurface(size.width, size.height);
  drawFigure(surface, figure, size, ON_WHITE);
  return surface.toString(figure.title);
}

export function pngOf(figure: Figure, size: Size = SAVED): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = size.width * PNG_SCALE;
  canvas.height = size.height * PNG_SCALE;
  const context = canvas.getContext("2d");
  if (!context) return Promise.reject(new Error("this browser draws nothing for the page"));
  context.scale(PNG_SCALE, PNG_SCALE);
  drawFigure(new CanvasSurface(context), figure, size, ON_WHITE);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this browser could not make the PNG"))), "image/png");
  });
}

/** Save under a name that every system takes. */
export function save(blob: Blob, name: string): void {
  download(blob, fileName(name));
}

export function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._ -]/gu, "_").replace(/^[. ]+/, "").slice(-120) || "spikedaq";
}
