/** Neuron. */
export { NeuronPanel } from "./neuron/neuron_panel";
