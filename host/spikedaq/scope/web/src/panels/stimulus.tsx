/** Stimulus. */
export function StimulusPanel() {
  return <p>...</p>;
}
