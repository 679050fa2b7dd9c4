/** Imaging. */
export function ImagingPanel() {
  return <p>...</p>;
}
