/** Stimulus. */
export { StimulusPanel } from "./stimulus/stimulus_panel";
