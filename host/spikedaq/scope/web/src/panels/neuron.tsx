/** Neuron. */
export function NeuronPanel() {
  return <p>...</p>;
}
