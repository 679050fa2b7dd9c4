/** Recording. */
export function RecordingPanel() {
  return <p>...</p>;
}
