/** What of one pane's picture can stay: it moves to the left by whole columns, and only what is new is drawn. */
import type { Columns } from "../trace/columns";
import { shiftPicture } from "./draw";

export class Roll {
  /** Room for the columns of each device, in order. */
  readonly columns: Columns[] = [];
  /** By how many columns the picture was moved to the left at the last `begin`. */
  movedBy = 0;

  /** Of what is on the canvas now. */
  private signature = "";
  private origin = 0;

  /**
   * Begin a drawing; returns the column from which on everything has to be drawn, `width` where nothing.
   *
   * Under the same signature all that was there is still right, but for columns from `changed` on, and moves to where it
   * is now: drawing a column costs much more than moving it.
   */
  begin(context: CanvasRenderingContext2D, width: number, signature: string, origin: number, changed: number): number {
    const by = origin - this.origin;
    const isSame = signature === this.signature && by >= 0 && by < width;
    this.signature = signature;
    this.origin = origin;
    this.movedBy = isSame ? by : 0;
    const start = isSame ? Math.min(width - by, changed) : 0;
    if (start > 0 && this.movedBy > 0) shiftPicture(context, this.movedBy);
    return start;
  }
}
