/** Recording. */
export { RecordingPanel } from "./recording/recording_panel";
