/** Imaging. */
export { ImagingPanel } from "./imaging/imaging_panel";
